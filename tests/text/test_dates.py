from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.dates import moments
from gateway.text.language import LANGUAGES
from gateway.text.lexicon import lexicon

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 30, 18, 0, tzinfo=ZONE)  # a Monday

CASES = [
    ("en", "call me tomorrow at 5pm", "datetime 2026-12-01T17:00+01:00"),
    ("en", "next tuesday at noon", "datetime 2026-12-01T12:00+01:00"),
    ("en", "in 2 hours", "datetime 2026-11-30T20:00+01:00"),
    ("en", "I need 2 pizzas on 3 May", "date 2027-05-03"),
    ("en", "on May 3rd, 2028 please", "date 2028-05-03"),
    ("en", "half past seven", "time 07:30"),
    ("en", "a quarter to nine", "time 08:45"),
    ("en", "5 in the afternoon", "time 17:00"),
    ("en", "the day after tomorrow in the evening", "datetime 2026-12-02T19:00+01:00"),
    ("en", "tomorrow morning", "datetime 2026-12-01T09:00+01:00"),
    ("en", "last friday", "date 2026-11-27"),
    ("en", "an hour ago", "datetime 2026-11-30T17:00+01:00"),
    ("en", "monday", "date 2026-12-07"),
    ("en", "next month", "date 2026-12-30"),
    ("en", "12/01/2027", "date 2027-01-12"),
    ("en", "2026-12-24 18:00", "datetime 2026-12-24T18:00+01:00"),
    ("de", "nächsten Dienstag um 17 Uhr", "datetime 2026-12-01T17:00+01:00"),
    ("de", "am 3.12. um halb acht", "datetime 2026-12-03T07:30+01:00"),
    ("de", "am 3. Dezember um 17.30 Uhr", "datetime 2026-12-03T17:30+01:00"),
    ("de", "übermorgen abend", "datetime 2026-12-02T19:00+01:00"),
    ("de", "in einer Woche", "date 2026-12-07"),
    ("fr", "demain à 14h30", "datetime 2026-12-01T14:30+01:00"),
    ("fr", "mardi prochain", "date 2026-12-01"),
    ("fr", "le 3 mai à sept heures et demie", "datetime 2027-05-03T07:30+02:00"),
    ("fr", "après-demain à midi", "datetime 2026-12-02T12:00+01:00"),
    ("es", "mañana por la mañana", "datetime 2026-12-01T09:00+01:00"),
    ("es", "el 3 de mayo a las siete y media de la tarde", "datetime 2027-05-03T19:30+02:00"),
    ("it", "martedì prossimo alle sette e mezza", "datetime 2026-12-01T07:30+01:00"),
    ("it", "tra 2 ore", "datetime 2026-11-30T20:00+01:00"),
    ("pt", "segunda-feira às 9 da manhã", "datetime 2026-12-07T09:00+01:00"),
    ("pt", "daqui a 3 dias", "date 2026-12-03"),
    ("tr", "yarın saat 15'te", "datetime 2026-12-01T15:00+01:00"),
    ("tr", "akşam 8 de", "time 20:00"),
    ("tr", "2 saat sonra", "datetime 2026-11-30T20:00+01:00"),
]


def told(text: str, *languages: str, order: str = "dmy") -> list[str]:
    found = moments(text, [lexicon(name) for name in languages], now=NOW, order=order)  # type: ignore[arg-type]
    forms = {"date": "%Y-%m-%d", "time": "%H:%M"}
    return [
        f"{m.kind} {m.at.strftime(forms[m.kind]) if m.kind in forms else m.at.isoformat(timespec='minutes')}"
        for m in found
    ]


@pytest.mark.parametrize(("language", "text", "expected"), CASES)
def test_moments_in_their_language(language: str, text: str, expected: str) -> None:
    assert told(text, language) == [expected]


@pytest.mark.parametrize(("language", "text", "expected"), CASES)
def test_they_are_found_when_the_language_is_not_known(language: str, text: str, expected: str) -> None:
    others = [name for name in LANGUAGES if name != language]
    assert told(text, language, *others) == [expected]


@pytest.mark.parametrize(
    "text",
    ["may I order 3 pizzas", "good morning", "open 24/7", "31 february", "5 of them", "1.5 kg", "25:99"],
)
def test_what_only_looks_like_a_moment(text: str) -> None:
    assert told(text, "en") == []


def test_month_and_day_in_the_order_of_the_country() -> None:
    assert told("3/12/2027", "en", order="mdy") == ["date 2027-03-12"]
    assert told("3.12.2027", "en", order="mdy") == ["date 2027-12-03"]


def test_a_time_that_has_passed_is_tomorrow() -> None:
    [moment] = moments("at 17:30", [lexicon("en")], now=NOW)
    assert moment.at == datetime(2026, 12, 1, 17, 30, tzinfo=ZONE)
    [moment] = moments("at 18:30", [lexicon("en")], now=NOW)
    assert moment.at == datetime(2026, 11, 30, 18, 30, tzinfo=ZONE)


def test_two_moments_in_the_order_of_the_text() -> None:
    assert told("from 3 May until 5 May at 10:00", "en") == [
        "date 2027-05-03",
        "datetime 2027-05-05T10:00+02:00",
    ]


@given(st.text(alphabet="0123456789 .:/-apmhtd, ñß", max_size=40))
def test_any_figures_give_a_moment_or_none(text: str) -> None:
    for moment in moments(text, [lexicon(name) for name in LANGUAGES], now=NOW):
        assert text[moment.start : moment.end].strip() and moment.at.tzinfo is not None
