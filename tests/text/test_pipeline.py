from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Intent, Nlp, Profanity, Seconds, Service
from gateway.text.language import LANGUAGES
from gateway.text.pipeline import Reader

NOW = 1_796_061_600.0  # 2026-11-30T18:00Z, a Monday
INTENTS = {
    "track": Intent(examples=["where is my parcel", "wo ist mein Paket"]),
    "cancel": Intent(examples=["cancel my order", "bitte stornieren"]),
}


def reader(clock: Callable[[], float] = lambda: 0.0, **settings: object) -> Reader:
    nlp = Nlp(**{"languages": ["en", "de"], "zone": "Europe/Berlin", "intents": INTENTS} | settings)  # type: ignore[arg-type]
    return Reader(Service(name="Parcels", country="GB", nlp=nlp), clock)


EVERYTHING = Reader(
    Service(name="x", country="GB", nlp=Nlp(languages=list(LANGUAGES), intents=INTENTS)),  # type: ignore[arg-type]
    lambda: 0.0,
)


def test_all_stages_give_their_variables() -> None:
    text = (
        "  Where is my parcel?  It was to come yesterday at 5pm, "
        "this   is a fucking disgrace, call 020 7946 0000"
    )
    read = reader().read(text, NOW).variables
    assert read["text"] == " ".join(text.split())
    assert (read["language"], read["intent"], read["sentiment"]) == ("en", "track", "negative")
    assert read["because"][0] == "parcel" and read["confidence"] > 0.35
    assert (read["date"], read["time"]) == ("2026-11-29", "17:00")
    assert read["datetime"] == "2026-11-29T17:00:00+01:00"
    assert read["phone"] == "+442079460000"
    assert read["profane"] is True and "fucking" not in read["masked"]
    assert read["late"] == []


def test_what_is_not_wanted_or_not_found_is_empty() -> None:
    read = reader(stages=["entities"]).read("20 euros", NOW).variables
    assert (read["amount"], read["currency"], read["number"]) == (20, "EUR", "")
    assert (read["language"], read["intent"], read["sentiment"], read["profane"]) == ("", "", "", False)
    assert read.keys() == reader().read("", NOW).variables.keys()


def test_stages_can_be_asked_for_one_by_one() -> None:
    analysis = reader().read("Wo ist mein Paket?", NOW, stages=["sentiment"])
    assert analysis.sentiment is not None and analysis.intent is None


def test_tomorrow_begins_at_midnight_in_the_zone() -> None:
    late = NOW + 5.5 * 3600  # 00:30 on Tuesday in Berlin
    assert reader().read("tomorrow", late).variables["date"] == "2026-12-02"
    assert reader(zone="UTC").read("tomorrow", late).variables["date"] == "2026-12-01"


def test_a_stage_that_takes_too_long_is_left_out_and_the_others_are_not() -> None:
    def ticking() -> Iterator[float]:
        at = 0.0
        while True:
            yield at
            at += 0.0002

    clock = ticking()
    analysis = reader(lambda: next(clock), budgets={"intent": Seconds(0.0003)}).read(
        "where is my parcel", NOW
    )
    assert analysis.variables["late"] == ["intent"] and analysis.variables["intent"] == ""
    assert analysis.failed == {"intent": "took longer than 0.3 ms"}
    assert analysis.variables["language"] == "en" and analysis.sentiment is not None


def test_a_stage_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("gateway.text.pipeline.find", broken)
    analysis = reader().read("where is my parcel", NOW)
    assert list(analysis.failed) == ["entities"] and analysis.variables["intent"] == "track"


def test_a_long_text_is_read_up_to_its_limit() -> None:
    analysis = reader().read("x" * 2_000 + " shit", NOW)
    assert not analysis.profane


def test_own_words_and_those_allowed() -> None:
    own = reader(profanity=Profanity(words=["rival"], allow=["shit"]))
    assert own.read("shit, the rival", NOW).variables["offending"] == ["rival"]


@given(st.text(max_size=300))
def test_no_stage_fails_whatever_is_texted(text: str) -> None:
    assert EVERYTHING.read(text, NOW).failed == {}


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "🍕" * 300, "a" * 3_000, "1" * 3_000, "." * 3_000, "f " * 1_000]
)
def test_hostile_texts_cost_little(text: str) -> None:
    import time

    patient = Reader(
        Service(name="x", nlp=Nlp(languages=list(LANGUAGES), intents=INTENTS)),  # type: ignore[arg-type]
        time.perf_counter,
    )
    began = time.process_time()  # not what others on the machine cost
    patient.read(text, NOW)
    assert time.process_time() - began < 2.0
