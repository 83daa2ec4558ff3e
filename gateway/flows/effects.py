"""Effects: the outward acts that a run decides on.  The engine only names them; others carry them out and
answer with inputs.EffectDone under the same key.

    effect        events expected                                              data expected
    SendSms       success, error                                               transid, status, reason, code
    SendApp       success, error                                               transid, status, reason, code
    PlaceCall     answered, busy, no-answer, rejected, unreachable, error      transid, result, reason, code
    StartChain    success, error                                               transid, status, reason, code
    HttpRequest   success, error, timeout                                      status, body, reason
    StartFlow     done, error                                                  run, code, reason, data
    Draw          success                                                      hex
    UseProfile    success, missing, error                                      attributes, customerid
    UseConsent    opted-in, opted-out, error                                   reason
    RaiseEvent    success, error                                               id, reason
    Notify        success, error                                               reason
    (call_effects lists those that act on the call of the session, word_effects those about words)

`key` is "RUN/N": it makes each act identifiable, so that a crash between deciding and doing repeats nothing.
Chance comes in this way too: an engine that is asked twice must say the same twice.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.flows.call_effects import CallEffect
from gateway.flows.word_effects import WordEffect
from gateway.values.outcome import Result


class SendSms(Struct, frozen=True, kw_only=True, tag="send-sms", tag_field="act"):
    key: str
    sender: str  # canonical; "" = the service's first fitting asset
    recipient: str
    text: str
    until: Result = Result.ACCEPTED  # accepted | delivered: when it counts as success


class SendApp(Struct, frozen=True, kw_only=True, tag="send-app", tag_field="act"):
    key: str
    app: str  # "" = the service's first
    recipient: str
    text: str
    until: Result = Result.ACCEPTED  # accepted | delivered | read
    within_seconds: float = 0.0  # how long it may take, and waits for an installation; 0 = it waits for none


class PlaceCall(Struct, frozen=True, kw_only=True, tag="call", tag_field="act"):
    """Call and speak `text`, or play `wav`.

    With `keep` nothing is said and the call stays up: as the session's ("call"), in the place of one that it
    has, or as the second one that a Patch is to follow for ("patch").
    """

    key: str
    sender: str  # canonical; "" = the service's first fitting asset
    recipient: str
    text: str = ""
    wav: str = ""
    language: str = "en"
    keep: str = ""  # "" | call | patch


class StartChain(Struct, frozen=True, kw_only=True, tag="chain", tag_field="act"):
    key: str
    name: str
    recipient: str
    variables: dict[str, Any] = {}


class HttpRequest(Struct, frozen=True, kw_only=True, tag="http", tag_field="act"):
    """`auth` names one of the service's [auths]: secrets stay out of runs and of their record.

    One that failed is tried again `retries` times, the first time after `retry_seconds`, each time with the
    same Idempotency-Key, which is `key`; a refusal (4xx but 408, 425 and 429) is no failure.
    """

    key: str
    method: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""
    timeout_seconds: float = 10.0
    auth: str = ""
    retries: int = 0
    retry_seconds: float = 1.0


class StartFlow(Struct, frozen=True, kw_only=True, tag="call-flow", tag_field="act"):
    """Begin a session of another flow of the service; done when that has ended."""

    key: str
    flow: str
    node: str = ""  # "": at its start
    variables: dict[str, Any] = {}


class Draw(Struct, frozen=True, kw_only=True, tag="draw", tag_field="act"):
    """Random octets, fit for secrets."""

    key: str
    octets: int


class UseProfile(Struct, frozen=True, kw_only=True, tag="profile", tag_field="act"):
    """Look the customer's profile up, after changing `attributes` of it; None takes one away."""

    key: str
    address: str
    attributes: dict[str, Any] = {}


class UseConsent(Struct, frozen=True, kw_only=True, tag="consent", tag_field="act"):
    """Note that the customer has opted in or out, or only ask."""

    key: str
    address: str
    what: str  # in | out | check
    reason: str = ""


class RaiseEvent(Struct, frozen=True, kw_only=True, tag="event", tag_field="act"):
    """Raise custom.NAME about the customer."""

    key: str
    name: str
    data: dict[str, Any] = {}


class Notify(Struct, frozen=True, kw_only=True, tag="notify", tag_field="act"):
    """Owe a signed notification to `url`, "" = the service's own for inbound messages."""

    key: str
    url: str
    body: dict[str, Any] = {}


Effect = (
    SendSms
    | SendApp
    | PlaceCall
    | StartChain
    | HttpRequest
    | StartFlow
    | Draw
    | UseProfile
    | UseConsent
    | RaiseEvent
    | Notify
    | CallEffect
    | WordEffect
)
