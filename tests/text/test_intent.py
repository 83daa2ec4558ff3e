from __future__ import annotations

import pytest

from gateway.text.intent import Intents

EXAMPLES = {
    "track": ["where is my parcel", "track my order", "when will my package arrive", "wo ist mein Paket"],
    "cancel": ["cancel my order", "I want to cancel", "bitte stornieren"],
    "hours": ["when are you open", "opening hours", "what time do you close"],
}
INTENTS = Intents(EXAMPLES, ("en", "de"))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("where's my parcell??", "track"),
        ("Wo ist denn mein Paket?", "track"),
        ("tracking my orders", "track"),
        ("I'd like to cancel the order please", "cancel"),
        ("bitte alles stornieren", "cancel"),
        ("when do you open tomorrow", "hours"),
        ("Good morning! Where is my parcel? I have been waiting for three weeks now.", "track"),
        ("hello", ""),
        ("the weather is nice today", ""),
        ("", ""),
    ],
)
def test_intents_by_their_examples(text: str, intent: str) -> None:
    assert INTENTS.recognise(text, 0.35).name == intent


def test_an_example_itself_is_certain_where_nothing_else_is_near() -> None:
    found = INTENTS.recognise("Opening hours!", 0.35)
    assert (found.name, found.confidence, found.example) == ("hours", 1.0, "opening hours")


def test_the_words_that_decided_are_told_with_their_shares() -> None:
    found = INTENTS.recognise("please cancel my odrer", 0.35)
    words = dict(found.words)
    assert found.words[0][0] == "cancel" and set(words) == {"cancel", "my", "odrer"}
    assert sum(words.values()) == pytest.approx(1, abs=0.01)


def test_what_two_intents_claim_alike_is_not_guessed() -> None:
    either = Intents({"buy": ["ticket"], "return": ["ticket"]}, ("en",)).recognise("ticket", 0.6)
    assert (either.name, either.confidence) == ("", 0.5)


def test_below_the_threshold_there_is_no_intent_but_what_was_nearest() -> None:
    found = INTENTS.recognise("my dog has eaten", 0.35)
    assert found.name == "" and found.nearest[0][0] in EXAMPLES


def test_it_can_be_stopped() -> None:
    class Enough(Exception):
        pass

    def check() -> None:
        raise Enough

    with pytest.raises(Enough):
        INTENTS.recognise("where is my parcel", 0.35, check)
