"""The variables that conditions (`when`) and texts (`$(...)`) see.  This is the whole list.

    sms.from, sms.to        canonical addresses                                  sms.received
    sms.text                the text as typed
    sms.words               its words, normalised (lower case, no punctuation)
    sms.keyword             the keyword that matched, as the service file spells it, or ""
    sms.rest                what followed the matched word, as typed; without a match the whole text
    sms.encoding, sms.parts the alphabet it came in (gsm, ucs2, latin1, ...), and in how many segments
    sms.bind, sms.time      the bind that brought it; when, "2026-11-30T21:00:00.000Z"
    app.from, app.to        the customer's address, the app's name               app.received
    app.text, app.words, app.keyword, app.rest   as those of sms
    nlp.NAME                what the service's [nlp] reads out of the text; text/pipeline.py has all of it
    nlp.offences            how often the customer has used offending words, this time included
    link.NAME               in texts: a short URL of the customer's own, of the service's [links]
    click.link, click.device, click.count   its name; android, ios, other; how often    link.clicked
    click.ref               the message or session that it was made for
    call.from, call.to      canonical addresses; from is "" when withheld        call.*
    call.direction          in, out
    call.trunk              the trunk's name
    call.cause              caller-cancelled, rejected-by-policy, answered, busy, no-answer, ...
    call.status             the final SIP status, 0 when there was none
    call.ring_ms            how long it rang
    call.duration_ms        from answer to end, 0 for a call that was not answered; call.duration in seconds
    call.dtmf               how many keys were pressed
    call.flood              whether it is one of a burst of calls from one range of numbers
    status.value            delivered, failed, ...                               sms.status
    status.transid, status.from, status.to, status.correlationid, status.reason, status.code
    session.id, session.flow, session.result, session.reason                     session.ended
    session.transid         the transaction that began the session; inside a flow too
    custom.NAME             the parameters of the event                          custom.*
    customer.address        who it is about                                      always
    customer.opted_out      whether they have said STOP to this service
    customer.customerid, customer.NAME   what the service keeps of them, where it does: has(customer.NAME)
    service.name            the service file's name

Conditions take them nested, texts nested or flat (values.variables).  Inside a flow, `$(name)` is a session
variable and `$(node.field)` an output of a node besides; `sms.*` is the latest message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.rules.keywords import Match
from gateway.text.normalise import words
from gateway.values.call import Call
from gateway.values.clock import iso
from gateway.values.event import Trigger

Variables = dict[str, Any]

# What no node, session variable or chain variable may be called
GROUPS = ("sms", "app", "nlp", "link", "click", "call", "status", "session", "custom", "customer", "service")


def subject(
    *, service: str, customer: str, opted_out: bool, known: Mapping[str, Any] | None = None
) -> Variables:
    """What every event has.  `customer` is a canonical address, "" when withheld; `known` the attributes that
    the service keeps of them."""
    return {
        "service": {"name": service},
        "customer": {**(known or {}), "address": customer, "opted_out": opted_out},
    }


class Came(Struct, frozen=True):
    """How an SMS came."""

    encoding: str = "gsm"
    parts: int = 1
    bind: str = ""
    time: float = 0.0  # Unix seconds


SOMEHOW = Came()


def sms(
    *, sender: str, recipient: str, text: str, match: Match | None = None, came: Came = SOMEHOW
) -> Variables:
    """An inbound message, with the keyword that it matched, if any."""
    how = {"encoding": came.encoding, "parts": came.parts, "bind": came.bind, "time": iso(came.time)}
    return {"sms": _text(sender, recipient, text, match) | how}


def received(
    trigger: Trigger,
    *,
    sender: str,
    recipient: str,
    text: str,
    match: Match | None = None,
    came: Came = SOMEHOW,
) -> Variables:
    """The same for a text that came by SMS or, with app.received, in an app."""
    if trigger is Trigger.APP_RECEIVED:
        return {"app": _text(sender, recipient, text, match)}
    return sms(sender=sender, recipient=recipient, text=text, match=match, came=came)


def _text(sender: str, recipient: str, text: str, match: Match | None) -> Variables:
    by_word = match is not None and match.by_word
    return {
        "from": sender,
        "to": recipient,
        "text": text,
        "keyword": match.name if match is not None and by_word else "",
        "rest": match.rest if match is not None and by_word else text.strip(),
        "words": words(text),
    }


def call(call: Call) -> Variables:
    return {
        "call": {
            "from": call.caller,
            "to": call.called,
            "direction": call.direction,
            "trunk": call.trunk,
            "cause": call.cause,
            "status": call.status,
            "ring_ms": call.ring_ms,
            "duration_ms": call.duration_ms,
            "duration": call.duration_ms / 1000,
            "dtmf": call.dtmf,
            "flood": call.flood,
        }
    }


def status(
    *,
    value: str,
    transid: str,
    sender: str,
    recipient: str,
    correlationid: str = "",
    reason: str = "",
    code: str = "",
) -> Variables:
    return {
        "status": {
            "value": value,
            "transid": transid,
            "from": sender,
            "to": recipient,
            "correlationid": correlationid,
            "reason": reason,
            "code": code,
        }
    }


def session(*, id: str, flow: str, transid: str, result: int, reason: str = "") -> Variables:
    return {"session": {"id": id, "flow": flow, "transid": transid, "result": result, "reason": reason}}


def click(*, link: str, device: str, count: int, ref: str) -> Variables:
    return {"click": {"link": link, "device": device, "count": count, "ref": ref}}


def custom(data: Mapping[str, Any]) -> Variables:
    return {"custom": dict(data)}
