from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.values.message import Message, Offence
from gateway.values.outcome import Status

PARCELS = """\
name = "Parcels"
assets = ["12345"]
[nlp]
languages = ["en", "de"]
[nlp.intents.track]
examples = ["where is my parcel", "wo ist mein Paket"]
[nlp.intents.cancel]
examples = ["cancel my order"]
[[nlp.tests]]
text = "where's my parcell?"
intent = "track"
language = "en"
[[nlp.tests]]
text = "yes, tomorrow at 5pm, you idiots"
now = "2026-11-30T18:00"
answer = "yes"
profane = false
entities = { date = "2026-12-01", time = "17:00" }
"""


@pytest.fixture
def parcels(place: Any) -> Any:
    place.write("services/parcels.toml", PARCELS)
    return place


def texted(id: str, text: str) -> Message:
    return Message(
        id=id,
        direction="mo",
        service="parcels",
        sender="+447700900123",
        recipient="12345",
        text=text,
        status=Status.HANDLED,
        created_at=1_796_061_600.0,
        updated_at=1_796_061_600.0,
    )


def test_a_text_is_read_with_the_words_that_decided(parcels: Any) -> None:
    result = parcels.run("nlp", "try", "parcels", "where is my parcel? Too slow, shit!")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "en (" in lines["language"] and "by where, is, my" in lines["language"]
    assert "track (" in lines["intent"] and 'nearest to "where is my parcel"' in lines["intent"]
    assert (
        "too slow" in lines["sentiment"]
        and "masked: where is my parcel? Too slow, ****!" in lines["profanity"]
    )


def test_tests_of_the_file_that_pass(parcels: Any) -> None:
    result = parcels.run("nlp", "test")
    assert (result.exit_code, result.stdout) == (0, "parcels: 2 texts, all read as they should be.\n")


def test_a_test_that_fails_says_how(parcels: Any) -> None:
    parcels.write("services/parcels.toml", PARCELS.replace('intent = "track"', 'intent = "cancel"'))
    result = parcels.run("nlp", "test", "parcels")
    assert result.exit_code == 1
    assert 'parcels: "where\'s my parcell?": intent is "track", not "cancel"' in result.stdout
    found = json.loads(parcels.run("nlp", "test", "--json").stdout)
    assert [failed["text"] for failed in found[0]["failed"]] == ["where's my parcell?"]


def test_the_report_reads_recorded_texts_again(parcels: Any) -> None:
    parcels.fill([texted("1", "where is my parcel"), texted("2", "wo ist mein Paket?"), texted("3", "blah")])
    found = json.loads(parcels.run("nlp", "report", "parcels", "--json").stdout)
    assert found["texts"] == 3
    assert found["intents"] == {"track": 2, "(none)": 1}
    assert found["low"][0] == {"text": "blah", "confidence": 0.0, "nearest": ""}
    assert found["confusion"] == [{"right": "track", "taken": "track", "texts": 1}]


def test_the_report_says_which_intents_are_taken_for_each_other(parcels: Any) -> None:
    offence = Offence(service="parcels", address="+447700900123", count=3, at=1.0)
    parcels.fill([texted("1", "cancel it"), offence])
    labels = parcels.folder / "labels.csv"
    labels.write_text('"please, cancel the order",cancel\nwhere is the parcel,track\nstop it,cancel\n')
    result = parcels.run("nlp", "report", "parcels", "--labels", str(labels))
    assert result.exit_code == 1
    assert "Of 4 texts whose intent is given 3 are read rightly." in result.stdout
    assert "cancel\t(none)\t1" in result.stdout
    assert "+447700900123\t3" in result.stdout
    labels.write_text("no label\n")
    result = parcels.run("nlp", "report", "parcels", "--labels", str(labels))
    assert 'labels.csv:1: must be "text,intent", but has 1 columns' in result.output


def test_a_service_without_it(parcels: Any) -> None:
    result = parcels.run("nlp", "try", "pizza", "x")
    assert result.exit_code == 1 and "service pizza reads nothing out of texts" in result.output


def test_rules_hear_it_in_keyword_test(parcels: Any) -> None:
    rule = """
[rules.track]
on = "sms.received"
when = 'nlp.intent == "track"'
do = [{ reply = "On its way" }]
"""
    parcels.write("services/parcels.toml", PARCELS + rule)
    result = parcels.run("keyword", "test", "12345", "where is my parcel")
    assert 'Service parcels replies "On its way", by its rule track.' in result.stdout
