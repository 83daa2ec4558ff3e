"""Effects: the outward acts that a run decides on.  The engine only names them; others carry them out and
answer with inputs.EffectDone under the same key.

    effect        events expected                                              data expected
    SendSms       success, error                                               transid, status, reason, code
    PlaceCall     answered, busy, no-answer, rejected, unreachable, error      transid, result, reason, code
    HttpRequest   success, error, timeout                                      status, body, reason

`key` is "RUN/N": it makes each act identifiable, so that a crash between deciding and doing repeats nothing.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.values.outcome import Result


class SendSms(Struct, frozen=True, kw_only=True, tag="send-sms", tag_field="act"):
    key: str
    sender: str  # canonical; "" = the service's first fitting asset
    recipient: str
    text: str
    until: Result = Result.ACCEPTED  # accepted | delivered: when it counts as success


class PlaceCall(Struct, frozen=True, kw_only=True, tag="call", tag_field="act"):
    """Call and speak `text`, or play `wav`."""

    key: str
    sender: str  # canonical; "" = the service's first fitting asset
    recipient: str
    text: str = ""
    wav: str = ""
    language: str = "en"


class HttpRequest(Struct, frozen=True, kw_only=True, tag="http", tag_field="act"):
    key: str
    method: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""
    timeout_seconds: float = 10.0


Effect = SendSms | PlaceCall | HttpRequest
