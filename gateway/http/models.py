"""What the Messaging API takes and gives: bodies as types, from which the OpenAPI document is made too.

Times are RFC 3339 in UTC; null = did not happen.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from gateway.http.problem import ProblemBody
from gateway.values.clock import iso
from gateway.values.event import Event
from gateway.values.message import Form, Message, Segment, StepPlan, StepRecord
from gateway.values.outcome import Result, Status

MAX_BATCH = 1_000
MAX_CORRELATIONID = 50
MAX_URL = 2_000

_SCHEMAS = "#/components/schemas/"


class BinaryIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """User data that goes out as it is: octets as hex digits."""

    octets: Annotated[str, Meta(description="Without the header", examples=["01060403ae81ea"])] = ""
    udh: Annotated[
        str,
        Meta(
            description="User data header, its length first, without a concatenation",
            examples=["0605040b8423f0"],
        ),
    ] = ""
    data_coding: Annotated[int, Meta(ge=0, le=255, description="SMPP 3.4 section 5.2.19")] = 4
    protocol_id: Annotated[int, Meta(ge=0, le=255, description="3GPP TS 23.040 TP-PID")] = 0


class ToCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever the service's profiles have this id of, which the client has given them."""

    customerid: Annotated[str, Meta(min_length=1)]


class MessageIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message to one destination: `text` or `template`, or `binary`, or `chain`."""

    to: (
        Annotated[str, Meta(description="The number of the customer", examples=["+447700900123"])]
        | ToCustomer
    )
    sender: Annotated[str, Meta(description="An asset or app of the service; default: its first")] = field(
        default="", name="from"
    )
    text: str = ""
    binary: BinaryIn | None = None
    message_class: Annotated[
        Annotated[int, Meta(ge=0, le=3)] | None, Meta(description="Of an SMS text; 0 is flash")
    ] = None
    flash: Annotated[bool, Meta(description="The same as message_class 0: shown at once")] = False
    template: Annotated[str, Meta(description="The name of a template of the service")] = ""
    language: Annotated[
        str, Meta(description='In which a template is wanted, "de"; default: `language` of the profile')
    ] = ""
    variables: Annotated[dict[str, Any], Meta(description="Values for $(name)")] = {}
    chain: Annotated[str, Meta(description="The name of a fallback chain of the service")] = ""
    channel: Literal["sms", "voice", "app"] = "sms"
    until: Annotated[
        Literal["accepted", "delivered", "read", "answered", "confirmed", ""],
        Meta(description="What counts as success; default: accepted, or answered for a call"),
    ] = ""
    validity: Annotated[
        str | float,
        Meta(
            description='Give up when `until` is not reached after so long: 600 or "10m". '
            "The carrier is told too: it does not deliver the message after that"
        ),
    ] = 0.0
    correlationid: Annotated[str, Meta(max_length=MAX_CORRELATIONID)] = ""
    notify: Annotated[str, Meta(max_length=MAX_URL, description="URL that is told of each status")] = ""


# each is read by itself: a bad one spoils no other
RawMessage = Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": f"{_SCHEMAS}MessageIn"})]


class BatchIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    messages: Annotated[list[RawMessage], Meta(min_length=1, max_length=MAX_BATCH)]


class TypedBatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A BatchIn without a bad message, read in one go."""

    messages: Annotated[list[MessageIn], Meta(min_length=1, max_length=MAX_BATCH)]


class Links(Struct, frozen=True):
    self: str


class Accepted(Struct, frozen=True, kw_only=True):
    """A message that will be carried out, whatever happens to the gateway."""

    id: str
    transid: str
    status: Status
    to: str
    sender: str = field(name="from")
    segments: int  # as SMS; 0 = it is spoken
    correlationid: str = ""
    links: Links


class Refused(ProblemBody, frozen=True, kw_only=True):
    """A message of a batch that was not accepted."""

    index: int = -1  # its place in the batch, from 0


# Accepted | Refused, which msgspec cannot tell apart in a schema
BatchItem = Annotated[
    Any,
    Meta(extra_json_schema={"anyOf": [{"$ref": f"{_SCHEMAS}Accepted"}, {"$ref": f"{_SCHEMAS}Refused"}]}),
]


class BatchOut(Struct, frozen=True, kw_only=True):
    accepted: int
    refused: int
    messages: list[BatchItem]  # in the order of the request


class StepOut(Struct, frozen=True, kw_only=True):
    channel: str
    sender: str = field(name="from")
    text: str  # of octets, as hex digits
    binary: BinaryIn | None
    message_class: int | None  # of an SMS text, where it has one of its own
    until: str
    within_seconds: float
    again: int  # which repetition of the step before it is; 0: it is none
    carrier: str
    state: str
    result: str
    reason: str
    code: str
    started: str | None
    ended: str | None


class SegmentOut(Struct, frozen=True, kw_only=True):
    step: int
    part: int
    total: int
    bind: str
    smsc_id: str
    state: str
    code: str
    updated: str | None


class EventOut(Struct, frozen=True, kw_only=True):
    type: str
    at: str
    data: dict[str, Any]


class MessageOut(Struct, frozen=True, kw_only=True):
    """A message as it is now."""

    id: str
    transid: str
    direction: str  # mt: to the customer; mo: from the customer
    service: str
    channel: str
    sender: str = field(name="from")
    to: str
    text: str
    status: Status
    final: bool
    reason: str
    code: str
    carrier: str
    chain: str
    correlationid: str
    created: str
    updated: str
    links: Links


class MessageStory(MessageOut, frozen=True, kw_only=True):
    """A message with all that has happened to it."""

    steps: list[StepOut]
    segments: list[SegmentOut]
    events: list[EventOut]  # the transaction log


class MessageList(Struct, frozen=True, kw_only=True):
    messages: list[MessageOut]  # newest first; a page may be shorter than `limit`, even empty
    next: str | None  # ask this for the next page; null = there is none


def accepted(message: Message, segments: int) -> Accepted:
    return Accepted(
        id=message.id,
        transid=message.id,
        status=message.status,
        to=message.recipient,
        sender=message.sender,
        segments=segments,
        correlationid=message.correlationid,
        links=links(message),
    )


def brief(message: Message) -> MessageOut:
    return MessageOut(**_fields(message))


def story(message: Message, segments: list[Segment], events: list[Event]) -> MessageStory:
    return MessageStory(
        **_fields(message),
        steps=[_step(plan, record) for plan, record in zip(message.plan, message.steps, strict=True)],
        segments=[
            SegmentOut(
                step=segment.step,
                part=segment.part,
                total=segment.total,
                bind=segment.bind,
                smsc_id=segment.smsc_id,
                state=segment.state,
                code=segment.code,
                updated=_when(segment.updated_at),
            )
            for segment in segments
        ],
        events=[EventOut(type=event.type, at=iso(event.at), data=event.data) for event in events],
    )


def links(message: Message) -> Links:
    return Links(f"/v2/messages/{message.id}")


def _fields(message: Message) -> dict[str, Any]:
    current = message.plan[max(message.step, 0)] if message.plan else None
    return {
        "id": message.id,
        "transid": message.id,
        "direction": message.direction,
        "service": message.service,
        "channel": current.channel if current else "sms",
        "sender": message.sender,
        "to": message.recipient,
        "text": message.text,
        "status": message.status,
        "final": message.status.final,
        "reason": message.reason,
        "code": message.code,
        "carrier": message.carrier,
        "chain": message.chain,
        "correlationid": message.correlationid,
        "created": iso(message.created_at),
        "updated": iso(message.updated_at),
        "links": links(message),
    }


def _step(plan: StepPlan, record: StepRecord) -> StepOut:
    return StepOut(
        channel=plan.channel,
        sender=plan.sender,
        text=plan.text,
        binary=_binary(plan.form),
        message_class=_message_class(plan.form),
        until=str(Result(plan.until)),
        within_seconds=plan.within_seconds,
        again=plan.again,
        carrier=record.carrier,
        state=str(record.state),
        result=record.result,
        reason=record.reason,
        code=record.code,
        started=_when(record.started_at),
        ended=_when(record.ended_at),
    )


def _binary(form: Form | None) -> BinaryIn | None:
    if form is None or not form.raw:
        return None
    return BinaryIn(
        octets=form.octets.hex(),
        udh=form.udh.hex(),
        data_coding=form.data_coding,
        protocol_id=form.protocol_id,
    )


def _message_class(form: Form | None) -> int | None:
    # a text's form has a data_coding only for its class, in the lowest bits (3GPP TS 23.038 section 4)
    return form.data_coding & 0x03 if form is not None and not form.raw and form.data_coding else None


def _when(at: float) -> str | None:
    return iso(at) if at else None
