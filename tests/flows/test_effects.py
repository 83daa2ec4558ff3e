import msgspec
import pytest

from gateway.flows.effects import Effect, HttpRequest, PlaceCall, SendSms
from gateway.values.outcome import Result


@pytest.mark.parametrize(
    "effect",
    [
        SendSms(key="run/1", sender="12345", recipient="+447700900123", text="Hi", until=Result.DELIVERED),
        PlaceCall(key="run/2", sender="+442079460000", recipient="+447700900123", wav="hi.wav"),
        HttpRequest(key="run/3", method="POST", url="https://example.org", headers={"A": "b"}, body="{}"),
    ],
)
def test_an_effect_survives_the_journal(effect: Effect) -> None:
    assert msgspec.convert(msgspec.to_builtins(effect), Effect) == effect
