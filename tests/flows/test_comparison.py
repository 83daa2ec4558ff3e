from typing import Any

from gateway.flows.comparison import again, compared, course
from gateway.flows.definition import Flow, read
from gateway.flows.inputs import EffectDone, MessageIn, Recorded, Start, TimeUp
from gateway.rules import variables

CUSTOMER = "+447700900123"


def message(text: str) -> MessageIn:
    return MessageIn(variables.sms(sender=CUSTOMER, recipient="12345", text=text)["sms"])


INPUTS = [
    Recorded(1000.0, Start(run_id="r", service="pizza", customer=CUSTOMER, number="12345")),
    Recorded(1001.0, EffectDone("r/1", "success", {"status": "sent"})),
    Recorded(1060.0, message("Huge")),
    Recorded(1061.0, EffectDone("r/2", "success", {"status": "sent"})),
    Recorded(1090.0, message("L")),
    Recorded(1091.0, EffectDone("r/3", "error", {"reason": "rejected"})),
]


def changed(pizza: dict[str, Any], node: str, **fields: Any) -> Flow:
    return read("order", pizza | {"nodes": pizza["nodes"] | {node: pizza["nodes"][node] | fields}})


def differences(pizza: dict[str, Any], other: Flow, inputs: list[Recorded] = INPUTS) -> list[str]:
    original = read("order", pizza)
    return list(compared("r", course(original, inputs), again(other, {}, original, inputs)).what)


def test_the_same_version_comes_to_the_same_effects_as_they_were(pizza: dict[str, Any]) -> None:
    original = read("order", pizza)
    assert course(original, INPUTS).result == 102
    assert differences(pizza, original) == []


def test_a_text_that_is_another_one_and_takes_more_segments(pizza: dict[str, Any]) -> None:
    found = differences(pizza, changed(pizza, "ask", text="Which size would you like? " + "S, M or L. " * 15))
    assert found[0].startswith('text 1: "Which size? S, M or L" is now "Which size would')
    assert found[-1] == "3 segments are now 4"


def test_another_way_is_told_from_where_it_parts(pizza: dict[str, Any]) -> None:
    wider = changed(pizza, "check", cases=[{"when": "true", "go": "confirm"}])
    found = differences(pizza, wider)
    assert "edge 3: check else is now check case 1" in found
    # what comes out there is not on record: a text succeeds
    assert "its result 102 is now 0" in found


def test_time_passes_as_it_did(pizza: dict[str, Any]) -> None:
    shorter = changed(pizza, "size", timeout="10s")
    assert "its result 102 is now 103" in differences(pizza, shorter)
    late = [*INPUTS[:2], Recorded(1601.0, TimeUp())]
    assert differences(pizza, changed(pizza, "size", timeout="1h"), late) == [
        "edge 2: size timeout is now nothing",
        "its result 103 is now still open",
    ]
