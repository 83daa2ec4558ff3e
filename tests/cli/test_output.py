import io
import json

import pytest
from rich.console import Console

from gateway.cli.output import clean, listing, moment, print_json


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Pizza für 2 €", "Pizza für 2 €"),
        ("👩\u200d🍳 now", "👩\u200d🍳 now"),
        ("two\nlines\tand a tab", "two\\nlines\\tand a tab"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\u202ereversed", "\\u202ereversed"),
        ("lone \ud83d", "lone \\ud83d"),
        ("it's", "it's"),
    ],
)
def test_what_a_stranger_wrote_cannot_move_the_cursor(written: str, shown: str) -> None:
    assert clean(written) == shown


def test_a_moment_that_did_not_happen_is_empty() -> None:
    assert (moment(0.0), moment(1_795_442_709.9)) == ("", "2026-11-23 14:05:09")


def test_plain_lines_where_standard_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    listing(("a", "b"), [("1", "x\ty"), ("2", "")])
    assert capsys.readouterr().out == "1\tx\\ty\n2\t\n"


def test_a_table_for_people_takes_texts_literally() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=60, force_terminal=True)
    listing(("text", "state"), [("[red]not red[/red]\x1b[2J", "up"), ("x", "down")], console=console)
    shown = screen.getvalue()
    assert "[red]not red[/red]\\x1b[2J" in shown
    assert "\x1b[32mup" in shown
    assert "\x1b[31mdown" in shown
    assert "text" in shown


ROW = ("2026-11-23 14:05:09", "+447700900001", "", "x" * 100, "019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55")


def shown(width: int) -> list[str]:
    screen = io.StringIO()
    console = Console(file=screen, width=width)
    listing(("time", "to", "carrier", "text", "id"), [ROW], console=console)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_a_table_folds_texts_only() -> None:
    lines = shown(110)
    assert all(any(whole in line for line in lines) for whole in (ROW[0], ROW[1], ROW[4]))
    assert sum(line.count("x") for line in lines) - lines[0].count("x") - lines[1].count("x") == 100


def test_a_table_too_wide_for_the_terminal_becomes_paragraphs() -> None:
    assert shown(70) == [
        "2026-11-23 14:05:09  019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55",
        "  to +447700900001  text",
        "  " + "x" * 68,
        "  " + "x" * 32,
    ]


def test_json_keeps_letters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "für"})
    out = capsys.readouterr().out
    assert "für" in out
    assert json.loads(out) == {"text": "für"}
