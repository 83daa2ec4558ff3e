"""The sms channel: a step becomes segments, segments become `submit_sm` on a carrier's bind."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Protocol

from gateway.channels.base import Carrier, Report
from gateway.channels.segmentation import Cutter
from gateway.channels.submit_sm import Maker, validity_period
from gateway.config.model import Bind
from gateway.content.otp import Codes
from gateway.observe.about import concerning
from gateway.protocol.smpp.pdu import SubmitSm
from gateway.protocol.smpp.receipt import response_id
from gateway.protocol.sms.segments import TooManySegments, count
from gateway.values.clock import Clock
from gateway.values.message import Message, Segment, StepPlan
from gateway.values.outcome import Outcome, Result

log = logging.getLogger(__name__)

# `on_in_doubt = "resend"`: a carrier that delivers and never answers must not have the customer get a text
# for ever
_RESENDS = 3
_RETURNED = 10_000  # steps in the store whose resends are remembered


class Tally:
    """What has come back of one step, over all its flights."""

    __slots__ = ("accepted", "cancelled", "failed", "resent", "total")

    def __init__(self, total: int, accepted: set[int]) -> None:
        self.total = total
        self.accepted = accepted  # parts
        self.failed = False
        self.cancelled = False
        self.resent: dict[int, int] = {}  # how often, by part


class Flight:
    """PDUs of one step on their way to a carrier; `parts` are their numbers in the message, from 1.

    `bind` holds the settings that they were made by: a reload may take the carrier away meanwhile.
    `validity`, where there is one, gives the validity_period at the moment of writing.
    """

    __slots__ = ("bind", "carrier", "key", "message", "parts", "pdus", "step", "tally", "validity")

    def __init__(
        self,
        message: Message,
        step: int,
        carrier: str,
        bind: Bind,
        parts: list[int],
        pdus: list[SubmitSm],
        tally: Tally,
        validity: Callable[[], bytes] | None = None,
    ) -> None:
        self.key = f"{message.id}/{step}"  # the effect's idempotency key
        self.message = message
        self.step = step
        self.carrier = carrier
        self.bind = bind
        self.parts = parts
        self.pdus = pdus
        self.tally = tally
        self.validity = validity

    @property
    def series(self) -> str:
        """What must not overtake each other: an account's segments of long messages to one customer."""
        form = self.message.plan[self.step].form
        return self.message.recipient if form is not None and form.single else ""

    def wanted(self) -> bool:
        """False: nobody needs it any more; what is not written must not be."""
        tally = self.tally
        return not (tally.cancelled or tally.failed or tally.accepted.issuperset(self.parts))


class _Way:
    """What the settings of a bind make of a step."""

    def __init__(self, bind: Bind) -> None:
        self.bind = bind
        self.cutter = Cutter(bind)
        self.maker = Maker(bind)


class SegmentResult(Protocol):
    """What a bind learns of one segment (transport.smpp_submission.SubmitResult)."""

    @property
    def part(self) -> int: ...  # from 0, among the flight's PDUs
    @property
    def kind(self) -> str: ...  # accepted | rejected | in_doubt | unsent
    @property
    def message_id(self) -> str: ...
    @property
    def status_text(self) -> str: ...


class SmsChannel:
    """`enqueue` hands a flight to the carrier's bind, False when it is full; `state` is (up, reason);
    `routes` gives the candidate binds; `refusal` is the consent test; `known` is told of each segment whose
    id is known, and before, where the bind has `query_sm`, `answered` with the id as the carrier wrote it;
    `doubted` of each whose answer was lost, or told no id; `give_back` of a step that a stopped bind has not
    written (effect key, carrier, parts that were): it goes back to the store."""

    def __init__(
        self,
        *,
        binds: Mapping[str, Bind],
        clock: Clock,
        routes: Callable[[Message, StepPlan], list[str]],
        refusal: Callable[[str, str], str],
        codes: Codes,
        enqueue: Callable[[Flight], bool],
        state: Callable[[str], tuple[bool, str]],
        report: Report,
        known: Callable[[Segment], None],
        answered: Callable[[Message, Segment, str], None],
        doubted: Callable[[Segment, str, str], None],
        give_back: Callable[[str, str], None],
    ) -> None:
        self._binds = binds
        self._clock = clock
        self._routes = routes
        self._refusal = refusal
        self._codes = codes
        self._enqueue = enqueue
        self._state = state
        self._report = report
        self._known = known
        self._answered = answered
        self._doubted = doubted
        self._give_back = give_back
        self.stopping = False
        self._flying: dict[str, Flight] = {}
        self._resent: dict[str, dict[int, int]] = {}  # by effect key: of those that went back to the store
        self._ways: dict[str, _Way] = {}

    def _way(self, carrier: str) -> _Way | None:
        """None: the bind has been removed from the configuration."""
        bind, way = self._binds.get(carrier), self._ways.get(carrier)
        if bind is not None and (way is None or way.bind is not bind):
            way = self._ways[carrier] = _Way(bind)
        return way if bind is not None else None

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
        way = self._way(carrier)
        if way is None:
            self._report(
                message.id, index, _rejected("", f"there is no bind {carrier!r} any more", carrier), ()
            )
            return True
        # the same after a restart, or parts sent before and after it would not come together
        reference = zlib.crc32(f"{message.id}/{index}".encode()) & 0xFFFF
        try:
            cuts = way.cutter.segments(self._words(message, step), reference, step.form)
        except TooManySegments as error:
            self._report(message.id, index, _rejected("", str(error), carrier), ())
            return True
        wanted = [cut for cut in cuts if cut.part not in done] if done else cuts
        if not wanted:
            self._report(message.id, index, Outcome(Result.ACCEPTED, carrier=carrier), ())
            return True
        expires, now = _expires(message, index), self._clock.now()
        pdus = [
            way.maker.submit_sm(step.sender, message.recipient, cut, form=step.form, expires=expires, now=now)
            for cut in wanted
        ]
        tally = Tally(len(cuts), set(done))
        if self._resent:
            tally.resent |= self._resent.get(f"{message.id}/{index}", {})
        parts = [cut.part for cut in wanted]
        validity = partial(self._left, expires) if expires and pdus[0].validity_period[-1:] == b"R" else None
        flight = Flight(message, index, carrier, way.bind, parts, pdus, tally, validity)
        self._flying[flight.key] = flight
        if self._enqueue(flight):
            self._resent.pop(flight.key, None)
            return True
        del self._flying[flight.key]
        return False

    def _words(self, message: Message, step: StepPlan) -> str:
        """What goes on air: a one-time password is known here and nowhere before."""
        if step.code is None:
            return step.text
        return self._codes.reveal(step.text, step.code, message.service, message.recipient)

    def _left(self, expires: float) -> bytes:
        """What is left now: a segment may have waited in the bind's queue for long."""
        return validity_period("relative", expires, self._clock.now())

    def parts(self, message: Message, index: int, carrier: str) -> int:
        way, step = self._way(carrier), message.plan[index]
        try:
            return len(way.cutter.segments(step.text, 0, step.form)) if way is not None else 0
        except TooManySegments:
            return 0

    def count(self, text: str, carrier: str) -> int:
        """How many segments a text makes on that carrier, or on most if it is none; may be more than can be
        sent."""
        way = self._way(carrier)
        return count(text)[1] if way is None else way.cutter.count(text)

    def abandon(self, message: str, index: int) -> None:
        flight = self._flying.pop(f"{message}/{index}", None)
        if flight is not None:
            flight.tally.cancelled = True

    def result(self, flight: Flight, result: SegmentResult) -> None:
        """What the bind says of one PDU of a flight."""
        if result.kind != "accepted" and flight.parts[result.part] in flight.tally.accepted:
            return  # it was sent again, and the first answer came after all
        over = flight.tally.failed or flight.tally.cancelled
        resend = flight.bind.on_in_doubt == "resend" and not over
        match result.kind:
            case "accepted":
                self._accepted(flight, result)
            case "rejected":
                code = _code(result.status_text)
                segment = self._segment(flight, result.part, "rejected", code=code)
                reason = f"{flight.carrier} answered {result.status_text}" if code else result.status_text
                self._tell(flight, _rejected(code, reason, flight.carrier), segment)
            case "unsent" if over:
                pass  # it goes down with the part that failed
            case "in_doubt" | "unsent" if resend and not self.stopping:
                self._again(flight, result.part)
            case "in_doubt" if not resend:
                self._doubt(flight, result.part)
            case _:  # the bind was stopped
                self._return(flight)

    def late(self, flight: Flight, result: SegmentResult) -> None:
        """The answer to a PDU that was in doubt.  A refusal says nothing of a copy that is under way; where
        there is none it says what became of the step."""
        if result.kind != "accepted":
            if flight.bind.on_in_doubt == "resend" and not flight.tally.failed:
                return
            flight.tally.failed = False
        self.result(flight, result)

    def _accepted(self, flight: Flight, result: SegmentResult) -> None:
        form = flight.bind.receipt_id
        segment = self._segment(flight, result.part, "accepted", smsc_id=response_id(result.message_id, form))
        tally = flight.tally
        tally.accepted.add(segment.part)
        outcome = None
        if len(tally.accepted) == tally.total:
            # all parts, even if one was in doubt before its answer came late
            tally.failed = False
            outcome = Outcome(Result.ACCEPTED, carrier=flight.carrier)
        self._tell(flight, outcome, segment)
        if segment.smsc_id:
            if flight.bind.query_sm:
                self._answered(flight.message, segment, result.message_id)
            if flight.bind.receipts:  # else one that comes all the same finds it in the store
                self._known(segment)
        else:
            self._doubted(segment, flight.message.recipient, flight.message.plan[flight.step].sender)

    def _again(self, flight: Flight, part: int) -> None:
        """Send a part once more, as the bind's on_in_doubt = "resend" says."""
        part_number = flight.parts[part]
        flight.tally.resent[part_number] = resent = flight.tally.resent.get(part_number, 0) + 1
        if resent > _RESENDS:
            self._doubt(flight, part)
            return
        with concerning(session=flight.message.session):
            log.warning("submit_sm.resent", extra={"transid": flight.message.id, "bind": flight.carrier})
        again = Flight(
            flight.message,
            flight.step,
            flight.carrier,
            flight.bind,
            [part_number],
            [flight.pdus[part]],
            flight.tally,
            flight.validity,
        )
        self._flying[again.key] = again
        if not self._enqueue(again):
            self._return(flight)

    def _return(self, flight: Flight) -> None:
        """Back to the store, to be sent when the bind takes messages again."""
        self._flying.pop(flight.key, None)
        if flight.tally.resent:
            self._resent[flight.key] = flight.tally.resent
            if len(self._resent) > _RETURNED:
                del self._resent[next(iter(self._resent))]
        self._give_back(flight.key, flight.carrier)

    def _doubt(self, flight: Flight, part: int) -> None:
        segment = self._segment(flight, part, "in-doubt")
        self._doubted(segment, flight.message.recipient, flight.message.plan[flight.step].sender)
        reason = f"{flight.carrier} did not answer submit_sm"
        self._tell(flight, Outcome(Result.IN_DOUBT, reason, carrier=flight.carrier), segment)

    def _tell(self, flight: Flight, outcome: Outcome | None, segment: Segment) -> None:
        """Report a segment; of a long message only the first failure counts as the step's outcome."""
        if outcome is not None:
            self._flying.pop(flight.key, None)
            if flight.tally.failed:
                outcome = None
            elif outcome.result is not Result.ACCEPTED:
                flight.tally.failed = True
        self._report(flight.message.id, flight.step, outcome, (segment,))

    def _segment(
        self, flight: Flight, part: int, state: str, *, smsc_id: str = "", code: str = ""
    ) -> Segment:
        return Segment(
            message=flight.message.id,
            step=flight.step,
            part=flight.parts[part],
            total=flight.tally.total,
            bind=flight.carrier,
            smsc_id=smsc_id,
            state=state,
            code=code,
            updated_at=self._clock.now(),
        )


def _expires(message: Message, index: int) -> float:
    """When the carrier need not try any longer, Unix seconds; 0: it does not say.

    `within` of a chain's step that only wants to be accepted ends with the carrier's answer: the customer may
    get the message long after.  Of a message without a chain it is the validity that its sender gave it.
    """
    step = message.plan[index]
    if not step.within_seconds or (message.chain and step.until is Result.ACCEPTED):
        return 0.0
    return message.steps[index].started_at + step.within_seconds


def _code(status_text: str) -> str:
    """The name in "ESME_RINVDSTADR: Invalid Destination Address"; "" if no carrier said it."""
    name = status_text.partition(":")[0]
    return name if name.startswith(("ESME_", "status 0x")) else ""


def _rejected(code: str, reason: str, carrier: str) -> Outcome:
    return Outcome(Result.REJECTED, reason or f"{carrier} answered {code}", code, carrier)
