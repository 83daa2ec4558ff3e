from __future__ import annotations

import pytest

from gateway.config.check_nlp import nlp_faults
from gateway.config.model import Intent, Nlp, NlpTest, Profanity, Seconds


def faults(nlp: Nlp) -> list[str]:
    return [str(fault) for fault in nlp_faults("nlp", nlp)]


def test_the_defaults_are_right() -> None:
    assert faults(Nlp()) == []


@pytest.mark.parametrize(
    ("nlp", "fault"),
    [
        (Nlp(zone="Europe/Lodon"), 'nlp.zone: "Europe/Lodon" is no time zone; write "Europe/London"'),
        (Nlp(zone="../etc/passwd"), 'nlp.zone: "../etc/passwd" is no time zone; write "Europe/London"'),
        (Nlp(stages=["intent", "intent"]), "nlp.stages[1]: intent is in the list twice"),
        (
            Nlp(stages=["language"], intents={"a": Intent(examples=["b"])}),
            'nlp.intents: nothing looks for them: "intent" is not among the stages',
        ),
        (Nlp(threshold=1.5), "nlp.threshold: is 1.5; it must be more than 0 and at most 1"),
        (Nlp(budget=Seconds(0)), "nlp.budget: must be longer than 0"),
        (
            Nlp(budgets={"intnet": Seconds(1)}),
            'nlp.budgets.intnet: "intnet" is no stage; did you mean "intent"?',
        ),
        (Nlp(budgets={"intent": Seconds(0)}), "nlp.budgets.intent: must be longer than 0"),
        (Nlp(intents={"a": Intent(examples=[])}), "nlp.intents.a.examples: needs at least one"),
        (Nlp(intents={"a": Intent(examples=[" "])}), "nlp.intents.a.examples[0]: is empty"),
        (
            Nlp(intents={"a": Intent(examples=["Go on"]), "b": Intent(examples=["go  on"])}),
            'nlp.intents.b.examples[0]: "go  on" is an example of a too',
        ),
        (
            Nlp(profanity=Profanity(reply="Language!")),
            'nlp.profanity.reply: is for action = "reject", which answers nothing else',
        ),
        (
            Nlp(intents={"track": Intent(examples=["a"])}, tests=[NlpTest(text="x", intent="trak")]),
            'nlp.tests[0].intent: "trak" is no intent; did you mean "track"?',
        ),
        (
            Nlp(tests=[NlpTest(text="x", entities={"dates": "2026-12-01"})]),
            'nlp.tests[0].entities.dates: "dates" is nothing that a text names; did you mean "date"?',
        ),
        (
            Nlp(tests=[NlpTest(text="x", now="now")]),
            'nlp.tests[0].now: "now" is no time; write "2026-11-30T18:00"',
        ),
    ],
)
def test_each_mistake_is_named_with_its_place(nlp: Nlp, fault: str) -> None:
    assert faults(nlp) == [fault]
