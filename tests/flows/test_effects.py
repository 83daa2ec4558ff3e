import msgspec
import pytest

from gateway.flows.effects import (
    Draw,
    Effect,
    HttpRequest,
    Notify,
    PlaceCall,
    RaiseEvent,
    SendSms,
    StartChain,
    StartFlow,
    UseConsent,
    UseProfile,
)
from gateway.flows.word_effects import CheckOtp, IssueOtp, MakeLink, ReadText, Seal
from gateway.values.outcome import Result


@pytest.mark.parametrize(
    "effect",
    [
        SendSms(key="run/1", sender="12345", recipient="+447700900123", text="Hi", until=Result.DELIVERED),
        PlaceCall(key="run/2", sender="+442079460000", recipient="+447700900123", wav="hi.wav"),
        HttpRequest(key="run/3", method="POST", url="https://example.org", headers={"A": "b"}, body="{}"),
        StartChain(key="run/4", name="alert", recipient="+447700900123", variables={"what": "x"}),
        StartFlow(key="run/5", flow="verify", variables={"n": 1}),
        Draw(key="run/6", octets=16),
        UseProfile(key="run/7", address="+447700900123", attributes={"a": None}),
        UseConsent(key="run/8", address="+447700900123", what="in"),
        RaiseEvent(key="run/9", name="paid", data={"n": 1}),
        Notify(key="run/10", url="https://x.example/"),
        IssueOtp(key="run/11", address="+447700900123", reference="r", validity_seconds=300.0),
        CheckOtp(key="run/12", otp="", address="+447700900123", reference="r", given="123456"),
        MakeLink(key="run/13", name="offer", address="+447700900123"),
        ReadText(key="run/14", text="Hi", stages=("language", "intent")),
        Seal(key="run/15", how="encrypt", secret="records", text="x"),
    ],
)
def test_an_effect_survives_the_journal(effect: Effect) -> None:
    assert msgspec.convert(msgspec.to_builtins(effect), Effect) == effect
