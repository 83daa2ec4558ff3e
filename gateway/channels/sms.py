"""The sms channel: a step becomes segments, segments become `submit_sm` on a carrier's bind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping

from gateway.channels.base import Carrier, Report
from gateway.config.model import Bind
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.pdu import SubmitSm
from gateway.protocol.smpp.receipt import response_id
from gateway.protocol.sms.segments import LongMethod, TooManySegments, split
from gateway.protocol.sms.segments import Segment as Cut
from gateway.values.address import Kind, kind
from gateway.values.clock import Clock
from gateway.values.message import Message, Segment, StepPlan
from gateway.values.outcome import Outcome, Result

# type of number, numbering plan (SMPP 3.4 sections 5.2.5, 5.2.6)
_TON_NPI = {Kind.NUMBER: (1, 1), Kind.SHORTCODE: (3, 0), Kind.SENDER_ID: (5, 0)}
_UDHI = 0x40


class Tally:
    """What has come back of one step, over all its submissions."""

    __slots__ = ("accepted", "failed", "total")

    def __init__(self, total: int, accepted: int) -> None:
        self.total = total
        self.accepted = accepted
        self.failed = False


class Submission:
    """PDUs of one step on their way to a carrier; `parts` are their numbers in the message, from 1."""

    __slots__ = ("cancelled", "carrier", "message", "parts", "pdus", "step", "tally")

    def __init__(
        self, message: Message, step: int, carrier: str, parts: list[int], pdus: list[SubmitSm], tally: Tally
    ) -> None:
        self.message = message
        self.step = step
        self.carrier = carrier
        self.parts = parts
        self.pdus = pdus
        self.tally = tally
        self.cancelled = False

    @property
    def key(self) -> str:
        """The effect's idempotency key."""
        return f"{self.message.id}/{self.step}"


class SmsChannel:
    """`enqueue` hands a submission to the carrier's bind, False when it is full; `state` is (up, reason);
    `routes` gives the candidate binds; `refusal` is the consent test; `known` is told of each segment whose
    id is known, `doubted` of each whose answer was lost."""

    def __init__(
        self,
        *,
        binds: Mapping[str, Bind],
        clock: Clock,
        routes: Callable[[Message, StepPlan], list[str]],
        refusal: Callable[[str, str], str],
        enqueue: Callable[[Submission], bool],
        state: Callable[[str], tuple[bool, str]],
        report: Report,
        known: Callable[[Segment], None],
        doubted: Callable[[Segment, str, str], None],
    ) -> None:
        self._binds = binds
        self._clock = clock
        self._routes = routes
        self._refusal = refusal
        self._enqueue = enqueue
        self._state = state
        self._report = report
        self._known = known
        self._doubted = doubted
        self._references = itertools.count(1)
        self._flying: dict[str, Submission] = {}

    def applicable(self, message: Message, step: StepPlan) -> str:
        if not self._routes(message, step):
            if step.via:
                return f"no bind named {step.via!r} sends SMS"
            return f"no bind carries {step.sender!r} and the service names no routes"
        return "" if message.consent_exempt else self._refusal(message.service, message.recipient)

    def available(self, message: Message, step: StepPlan) -> Carrier:
        candidates = self._routes(message, step)
        reasons = []
        for name in candidates:
            up, reason = self._state(name)
            if up:
                return Carrier(name)
            reasons.append(f"{name} is down: {reason}" if reason else f"{name} is down")
        return Carrier(candidates[0] if candidates else "", "; ".join(reasons) or "no bind")

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        step = message.plan[index]
        bind = self._binds.get(carrier)
        if bind is None:  # removed from the configuration since
            self._report(
                message.id, index, _rejected("", f"there is no bind {carrier!r} any more", carrier), ()
            )
            return True
        reference = next(self._references) & 0xFFFF
        try:
            cuts = split(step.text, reference=reference, method=LongMethod(bind.long_messages))
        except TooManySegments as error:
            self._report(message.id, index, _rejected("", str(error), carrier), ())
            return True
        wanted = [cut for cut in cuts if cut.part not in done]
        submission = Submission(
            message,
            index,
            carrier,
            [cut.part for cut in wanted],
            [_submit_sm(step.sender, message.recipient, cut, bind) for cut in wanted],
            Tally(len(cuts), len(cuts) - len(wanted)),
        )
        self._flying[submission.key] = submission
        if self._enqueue(submission):
            return True
        del self._flying[submission.key]
        return False

    def abandon(self, message: str, index: int) -> None:
        submission = self._flying.pop(f"{message}/{index}", None)
        if submission is not None:
            submission.cancelled = True

    def result(
        self, submission: Submission, part: int, kind: str, message_id: str, status: int, status_text: str
    ) -> None:
        """What the bind says of the `part`-th PDU of a submission (from 0): its `kind` is accepted, rejected,
        in_doubt, or unsent (the gateway is stopping; the effect stays as it is)."""
        bind = self._binds[submission.carrier]
        match kind:
            case "accepted":
                segment = self._segment(
                    submission, part, "accepted", smsc_id=response_id(message_id, bind.receipt_id)
                )
                tally = submission.tally
                tally.accepted += 1
                outcome = None
                if tally.accepted == tally.total and not tally.failed:
                    outcome = Outcome(Result.ACCEPTED, carrier=submission.carrier)
                self._tell(submission, outcome, segment)
                if segment.smsc_id:
                    self._known(segment)
            case "rejected":
                segment = self._segment(submission, part, "rejected", code=status_text)
                self._tell(submission, _rejected(status_text, "", submission.carrier), segment)
            case "in_doubt" if bind.on_in_doubt == "resend":
                again = Submission(
                    submission.message,
                    submission.step,
                    submission.carrier,
                    [submission.parts[part]],
                    [submission.pdus[part]],
                    submission.tally,
                )
                self._flying[again.key] = again
                if not self._enqueue(again):
                    self._doubt(submission, part)
            case "in_doubt":
                self._doubt(submission, part)

    def _doubt(self, submission: Submission, part: int) -> None:
        segment = self._segment(submission, part, "in-doubt")
        self._doubted(segment, submission.message.recipient, submission.message.plan[submission.step].sender)
        reason = f"{submission.carrier} did not answer submit_sm"
        self._tell(submission, Outcome(Result.IN_DOUBT, reason, carrier=submission.carrier), segment)

    def _tell(self, submission: Submission, outcome: Outcome | None, segment: Segment) -> None:
        """Report a segment; of a long message only the first failure counts as the step's outcome."""
        if outcome is not None:
            self._flying.pop(submission.key, None)
            if submission.tally.failed:
                outcome = None
            elif outcome.result is not Result.ACCEPTED:
                submission.tally.failed = True
        self._report(submission.message.id, submission.step, outcome, (segment,))

    def _segment(
        self, submission: Submission, part: int, state: str, *, smsc_id: str = "", code: str = ""
    ) -> Segment:
        return Segment(
            message=submission.message.id,
            step=submission.step,
            part=submission.parts[part],
            total=submission.tally.total,
            bind=submission.carrier,
            smsc_id=smsc_id,
            state=state,
            code=code,
            updated_at=self._clock.now(),
        )


def _rejected(code: str, reason: str, carrier: str) -> Outcome:
    return Outcome(Result.REJECTED, reason or f"{carrier} answered {code}", code, carrier)


def _submit_sm(sender: str, recipient: str, cut: Cut, bind: Bind) -> SubmitSm:
    source_ton, source_npi = _TON_NPI[kind(sender)]
    dest_ton, dest_npi = _TON_NPI[kind(recipient)]
    tlvs: dict[int, bytes] = {}
    if cut.sar:
        tlvs[constants.TLV_SAR_MSG_REF_NUM] = cut.reference.to_bytes(2, "big")
        tlvs[constants.TLV_SAR_TOTAL_SEGMENTS] = bytes((cut.total,))
        tlvs[constants.TLV_SAR_SEGMENT_SEQNUM] = bytes((cut.part,))
    if cut.payload:
        tlvs[constants.TLV_MESSAGE_PAYLOAD] = cut.octets
    return SubmitSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=sender.removeprefix("+").encode("ascii"),
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=recipient.removeprefix("+").encode("ascii"),
        esm_class=_UDHI if cut.udhi else 0,
        registered_delivery=1 if bind.receipts else 0,
        data_coding=int(cut.data_coding),
        short_message=b"" if cut.payload else cut.octets,
        tlv_octets=pack_tlvs(tlvs) if tlvs else b"",
    )
