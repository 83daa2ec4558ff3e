from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from gateway.cli.rotate import read_file, replace_file, rotated

UNTIL = datetime(2026, 12, 1, 18, tzinfo=UTC)


def test_comments_and_places_stay_as_they_are() -> None:
    text = """# Alerts
name = "Alerts"
key = '$credential:alerts'  # from systemd
assets = ["12345"]

[notify]
status = "https://example.org"
"""
    after = rotated(text, "key", "new", "$credential:alerts", UNTIL)
    assert after.splitlines()[1:5] == [
        'name = "Alerts"',
        'key = "new"  # from systemd',
        'previous_key = "$credential:alerts"',
        "previous_key_until = 2026-12-01T18:00:00Z",
    ]
    again = rotated(after, "key", "newer", "new", UNTIL)
    assert tomllib.loads(again)["previous_key"] == "new"
    assert len(again.splitlines()) == len(after.splitlines())


def test_a_file_without_it_gets_it_at_its_top() -> None:
    assert rotated('name = "A"\n', "hub_secret", "s", "", UNTIL) == 'hub_secret = "s"\nname = "A"\n'


@pytest.mark.parametrize("text", ['key = """\na"""\n', 'x = 1\nkey = [\n"a"]\n'])
def test_what_is_no_plain_line_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError):
        rotated(text, "key", "new", "old", UNTIL)


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("x = 1\n")
    file.chmod(0o640)
    replace_file(file, "x = 2\n")
    assert (read_file(file)[1], file.stat().st_mode & 0o777) == ({"x": 2}, 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="cannot be read"):
        read_file(tmp_path / "none.toml")
    with pytest.raises(click.ClickException, match="cannot be written"):
        replace_file(tmp_path / "none.toml", "")
    (tmp_path / "bad.toml").write_text("x =")
    with pytest.raises(click.ClickException, match=r"bad\.toml"):
        read_file(tmp_path / "bad.toml")
