"""Messages and what belongs to them, as they are stored.  Times are Unix seconds, UTC."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from gateway.values.dial import DIALLED
from gateway.values.otp import Code
from gateway.values.outcome import Result, Status


class Form(Struct, frozen=True, gc=False, omit_defaults=True):
    """How an SMS goes out where its text and the settings of the bind do not say it all.

    With `raw`, `octets` behind `udh` go out as they are, and the step's text only shows them.  Names and
    values are those of SMPP 3.4 section 4.4.1.
    """

    raw: bool = False
    octets: bytes = b""  # the user data
    udh: bytes = b""  # its header, the length octet first, without a concatenation
    parts: tuple[tuple[bytes, bytes], ...] = ()  # header and octets of each, where their headers differ
    data_coding: int = 0  # of a text that is not `raw` its message class counts, and the form of that
    single: bool = False  # `raw`: one submit_sm and no more, its header and parameters part of it already
    payload: bool = False  # `single`: in message_payload
    esm_class: int = 0  # the indicator of a header only where `single`
    protocol_id: int = 0
    priority_flag: int = 0
    service_type: str = ""
    tlvs: bytes = b""  # optional parameters as they were written


# without defaults: most steps are a sender and a text, and each message is written some four times
class StepPlan(Struct, frozen=True, gc=False, omit_defaults=True):
    """One step of a chain as it will be tried: templates rendered, addresses canonical."""

    channel: str  # sms | voice | app
    sender: str = ""
    via: str = ""  # a bind or trunk by name; "" = chosen when the step is tried
    text: str = ""  # the SMS, or the words to speak
    wav: str = ""  # voice: a file to play instead of speaking `text`
    language: str = "en"
    keep: str = ""  # voice: how the run that waits for the call wants to have it: "call" | "patch"
    until: Result = Result.ACCEPTED
    within_seconds: float = 0.0  # 0: as long as the channel takes
    code: Code | None = None  # the one-time password that `text` says, where it has masks for it
    form: Form | None = None  # sms: what `text` and the bind's settings do not say
    again: int = 0  # which repetition of the step before it is; 0 = it is none
    pause_seconds: float = 0.0  # a repetition: how long it waits for its turn
    retry_on: tuple[str, ...] = ()  # a repetition: the results of the step before it that call for it
    # app: whether an installation that is away is waited for.  "" = never, "last" = where no other step can
    # be tried at once, "wait" = in any case
    away: str = ""
    confirm: str = ""  # voice, until confirmed: the key that is asked for
    skip_when: str = ""  # a condition (CEL) under which it is left out
    variables: dict[str, Any] | None = None  # of the request, where the condition reads them
    chain_seconds: float = 0.0  # the whole chain's time from its first try; 0 = no limit
    # of the first step: what notifications in the form of /resources/v1 bring back; None = they have our own
    callback: str | None = None
    hops: int = 0  # of the first step: how many times rules on what became of a message have led to it


class StepState(StrEnum):
    PENDING = "pending"
    TRYING = "trying"
    ACCEPTED = "accepted"  # a carrier took it; `until` is not reached yet
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"  # not applicable or not available, or no longer needed


class StepRecord(Struct, frozen=True, gc=False):
    """How far a step has come."""

    state: StepState = StepState.PENDING
    result: str = ""  # the last Result
    reason: str = ""
    code: str = ""
    carrier: str = ""
    started_at: float = 0.0
    accepted_at: float = 0.0  # when a carrier took it
    ended_at: float = 0.0  # when it was decided


class Message(Struct, frozen=True, gc=False, kw_only=True):
    """A transaction of the sms or voice channel: one destination of one request, or one MO."""

    id: str  # transid, UUIDv7
    direction: str  # mt | mo
    service: str
    sender: str
    recipient: str
    text: str = ""
    status: Status = Status.QUEUED
    reason: str = ""
    code: str = ""
    carrier: str = ""  # mo: the bind it came by
    account: str = ""  # the SMPP account that submitted it
    chain: str = ""  # the name of the chain, if it has one
    plan: tuple[StepPlan, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    step: int = -1  # index of the step being tried; -1 before the first
    correlationid: str = ""
    notify_url: str = ""
    run: str = ""  # the flow run that waits for the outcome, and under which effect key
    run_key: str = ""
    consent_exempt: bool = False  # the answer to STOP or HELP goes out whatever the customer has said
    receipt_wanted: int = 0  # account: its registered_delivery (SMPP 3.4 section 5.2.17), 0 = none
    # account: of a message that came in segments, the registered_delivery of each; the account knows part N
    # as "ID-N"
    part_receipts: bytes = b""
    incomplete: bool = False  # mo: parts were missing when the reassembly time ran out
    waits: str = ""  # mt: the carrier by which its step is being tried, begun or not; "" = none is
    created_at: float
    updated_at: float

    @property
    def session(self) -> str:
        """The session that it is sent for; "" for none."""
        return "" if self.run.startswith(DIALLED) else self.run


class Segment(Struct, frozen=True, gc=False, kw_only=True):
    """One PDU's worth of one step of an outbound message."""

    message: str
    step: int
    part: int  # from 1
    total: int
    bind: str
    smsc_id: str = ""  # in the normal form that the bind's receipt_id setting gives
    state: str = "begun"  # begun | accepted | rejected | in-doubt | delivered | failed
    code: str = ""
    receipt: dict[str, Any] = {}  # what the receipt that settled it said besides: state, stat, done_date
    updated_at: float = 0.0


class Part(Struct, frozen=True, gc=False, kw_only=True):
    """One segment of a long message, from a carrier or an account, that waits for the others."""

    id: str  # "BASE-PART": the same base for all parts of a message
    bind: str
    sender: str
    recipient: str
    reference: int
    total: int
    part: int
    wide: bool  # 16-bit reference
    sar: bool
    octets: bytes
    data_coding: int
    header: bytes = b""  # the user data header, its length included: it may say how to read the octets
    registered_delivery: int = 0  # from an account: the receipts that it wants of this segment
    received_at: float


class Receipt(Struct, frozen=True, gc=False, kw_only=True):
    """News about an earlier segment, kept from its arrival on."""

    id: str
    bind: str
    smsc_id: str
    state: str  # protocol.smpp.receipt.MessageState, lower case
    final: bool
    code: str = ""  # err
    message: str = ""  # the message it was matched to; "" = none yet
    received_at: float


class Offence(Struct, frozen=True, gc=False, kw_only=True):
    """How often a customer has used words to a service that offend."""

    service: str
    address: str
    count: int
    at: float  # the last time


class Consent(Struct, frozen=True, gc=False, kw_only=True):
    """Whether a customer wants messages of a service by a channel.  No row means: has said nothing."""

    service: str
    channel: str = ""  # "": by every one
    address: str
    opted_out: bool
    reason: str = ""  # "texted STOP to 12345"
    by: str = ""  # keyword | rule | flow | api
    ref: str = ""  # the transaction or session in which it was said
    at: float


class ConsentChange(Struct, frozen=True, gc=False, kw_only=True):
    """One entry of a consent's history: what was said then, as in Consent.  Nothing changes it."""

    service: str
    channel: str = ""
    address: str
    opted_out: bool
    reason: str = ""
    by: str = ""
    ref: str = ""
    at: float
