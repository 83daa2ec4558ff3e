import json
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Hello", ["GSM 7 bit, 1 segment, 5 septets"]),
        ("", ["GSM 7 bit, 1 segment, 0 septets"]),
        ("5 €", ["GSM 7 bit, 1 segment, 4 septets"]),
        ("x" * 161, ["GSM 7 bit, 2 segments, 161 septets"]),
        (
            "Where’s it’s ć",
            [
                "UCS-2, 1 segment, 14 UTF-16 units",
                "not in the GSM alphabet: ’ U+2019 RIGHT SINGLE QUOTATION MARK, at 6",
                "not in the GSM alphabet: ć U+0107 LATIN SMALL LETTER C WITH ACUTE, at 14",
                "without them: GSM 7 bit, 1 segment",
                "transliterated: UCS-2, 1 segment",
            ],
        ),
        (
            "😀" + "x" * 69,
            [
                "UCS-2, 2 segments, 71 UTF-16 units",
                "not in the GSM alphabet: 😀 U+1F600 GRINNING FACE, at 1",
                "without them: GSM 7 bit, 1 segment",
            ],
        ),
        (
            "a\x07",
            [
                "UCS-2, 1 segment, 2 UTF-16 units",
                "not in the GSM alphabet: \\x07 U+0007 without a name, at 2",
                "without them: GSM 7 bit, 1 segment",
            ],
        ),
    ],
)
def test_how_a_text_goes_on_air(gateway: Any, text: str, lines: list[str]) -> None:
    result = gateway("text", text)
    assert (result.exit_code, result.stdout.splitlines()) == (0, lines)


def test_a_text_that_is_too_long(gateway: Any) -> None:
    result = gateway("text", "x" * (153 * 255 + 1))
    assert result.exit_code == 1
    assert result.stdout.startswith("GSM 7 bit, 256 segments")
    assert "255 segments are the most" in result.stderr


def test_a_text_as_json(gateway: Any) -> None:
    assert json.loads(gateway("text", "’ć", "--json").stdout) == {
        "text": "’ć",
        "coding": "ucs2",
        "segments": 1,
        "units": 2,
        "not_gsm": [{"character": "’", "at": 1}, {"character": "ć", "at": 2}],
        "transliterated": {"text": "'ć", "coding": "ucs2", "segments": 1, "units": 2},
    }
    assert json.loads(gateway("text", "’s", "--transliterate", "--json").stdout) == {
        "text": "'s",
        "coding": "gsm",
        "segments": 1,
        "units": 2,
        "not_gsm": [],
        "transliterated": None,
    }


def test_a_text_with_plain_characters_in_place_of_typographic_ones(gateway: Any) -> None:
    result = gateway("text", "Where’s the pizza… " + "x" * 60, "--transliterate")
    assert result.stdout.splitlines() == [
        "GSM 7 bit, 1 segment, 81 septets",
        "as it was given: UCS-2, 2 segments",
        "text: Where's the pizza... " + "x" * 60,
    ]
    assert gateway("text", "Hi", "--transliterate").stdout == "GSM 7 bit, 1 segment, 2 septets\n"
