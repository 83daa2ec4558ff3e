import msgspec
import pytest

from gateway.flows.inputs import EffectDone, EventIn, MessageIn, Recorded, Start, Stop, TimeUp


@pytest.mark.parametrize(
    "input",
    [
        Start(run_id="r", service="s", customer="+447700900123", number="12345", variables={"a": {"b": [1]}}),
        MessageIn({"text": "M"}),
        EventIn("custom.paid", {"amount": 5}),
        TimeUp(),
        EffectDone("r/1", "success", {"status": 200}),
        Stop("texted STOP"),
    ],
)
def test_an_input_survives_being_recorded(
    input: Start | MessageIn | EventIn | TimeUp | EffectDone | Stop,
) -> None:
    record = Recorded(1000.5, input)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Recorded) == record
