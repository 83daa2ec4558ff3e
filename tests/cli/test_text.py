import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Hello", ["GSM 7 bit, 1 segment, 5 septets"]),
        ("", ["GSM 7 bit, 1 segment, 0 septets"]),
        ("5 €", ["GSM 7 bit, 1 segment, 4 septets"]),
        (
            "x" * 152 + "€" + "x" * 7,
            [
                "GSM 7 bit, 2 segments, 161 septets",
                f"  1: 152 septets: {'x' * 152}",
                "  2: 9 septets: €xxxxxxx",
            ],
        ),
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
                f"  1: 67 UTF-16 units: 😀{'x' * 65}",
                "  2: 4 UTF-16 units: xxxx",
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
        "parts": ["’ć"],
        "tables": [],
        "not_gsm": [{"character": "’", "at": 1}, {"character": "ć", "at": 2}],
        "transliterated": {
            "text": "'ć",
            "coding": "ucs2",
            "segments": 1,
            "units": 2,
            "parts": ["'ć"],
            "tables": [],
        },
        "given": None,
    }
    assert json.loads(gateway("text", "’s", "--transliterate", "--json").stdout) == {
        "text": "'s",
        "coding": "gsm",
        "segments": 1,
        "units": 2,
        "parts": ["'s"],
        "tables": [],
        "not_gsm": [],
        "transliterated": None,
        "given": {
            "text": "’s",
            "coding": "ucs2",
            "segments": 1,
            "units": 2,
            "parts": ["’s"],
            "tables": [],
        },
    }


def test_a_text_with_plain_characters_in_place_of_typographic_ones(gateway: Any) -> None:
    result = gateway("text", "Where’s the pizza… " + "x" * 60, "--transliterate")
    assert result.stdout.splitlines() == [
        "GSM 7 bit, 1 segment, 81 septets",
        "as it was given: UCS-2, 2 segments",
        "text: Where's the pizza... " + "x" * 60,
    ]
    assert gateway("text", "Hi", "--transliterate").stdout == "GSM 7 bit, 1 segment, 2 septets\n"


@pytest.mark.parametrize("languages", ["tr", "es, TR", "turkish"])
def test_national_language_tables_may_be_allowed(gateway: Any, languages: str) -> None:
    text = "ş" + "a" * 152
    assert gateway("text", text).stdout.startswith("UCS-2, 3 segments")
    lines = gateway("text", text, "--languages", languages).stdout.splitlines()
    assert lines[0] == "GSM 7 bit with tables of turkish, 1 segment, 154 septets"
    assert lines[1] == "not in the GSM alphabet: ş U+015F LATIN SMALL LETTER S WITH CEDILLA, at 1"


def test_a_language_without_tables_is_an_error_that_names_those_with(gateway: Any) -> None:
    result = gateway("text", "a", "--languages", "tr,de")
    assert result.exit_code == 1
    assert "'de' has no national tables; there are tr (turkish), es (spanish)" in result.stderr


BINDS = """
[smpp.binds.north]
host = "127.0.0.1"
system_id = "gw"
default_alphabet = "latin1"
long_messages = "udh16"
[smpp.binds.ankara]
host = "127.0.0.1"
system_id = "gw"
national_languages = ["turkish"]
transliterate = true
"""


def test_a_text_by_the_settings_of_a_bind(gateway: Any, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(BINDS)

    def shown(text: str, bind: str) -> list[str]:
        lines: list[str] = gateway("text", text, "--bind", bind, "-c", str(config)).stdout.splitlines()
        return lines

    assert shown("ê" * 140, "north") == ["Latin-1, 1 segment, 140 octets"]
    assert shown("x" * 161, "north")[1] == f"  1: 152 octets: {'x' * 152}"
    assert shown("5 €", "north")[1] == "not in the Latin-1 alphabet: € U+20AC EURO SIGN, at 3"
    assert shown("“" + "ş" * 69 + "”", "ankara") == [
        "GSM 7 bit with tables of turkish, 1 segment, 140 septets",
        "not in the GSM alphabet: ş U+015F LATIN SMALL LETTER S WITH CEDILLA, at 2",
        "without them: GSM 7 bit, 1 segment",
        "as it was given: UCS-2, 2 segments",
        'text: "' + "ş" * 69 + '"',
    ]
    result = gateway("text", "a", "--bind", "west", "-c", str(config))
    assert result.exit_code == 1
    assert "no bind is named 'west' (there are: north, ankara)" in result.stderr
