"""One outbound call from INVITE to BYE: dial, wait for an answer, play the prompt, hang up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from gateway.channels.voice.changes import Changing, follow
from gateway.channels.voice.leg import WE_HUNG_UP, Leg
from gateway.channels.voice.prompts import Prompt
from gateway.channels.voice.results import RESULTS
from gateway.channels.voice.session import session_of
from gateway.config.model import Trunk
from gateway.protocol import sdp
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.machine import Verdict
from gateway.protocol.rtp.recording import Recording, RecordingLimits
from gateway.protocol.rtp.stream import MediaStats
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import (
    CallAnswered,
    CallEnded,
    CallFailed,
    CallProgress,
    CallState,
    EndedBy,
    ReferProgress,
    SipEvent,
)
from gateway.protocol.sip.grammar import readable
from gateway.protocol.sip.reason import INCOMPATIBLE, NO_ANSWER, NORMAL_CLEARING, parse_reason
from gateway.values.call import Call, with_media
from gateway.values.clock import Clock
from gateway.values.dialogue import CALLER_GONE
from gateway.values.errors import GatewayError
from gateway.values.outcome import Outcome, Result

log = logging.getLogger(__name__)

_BEFORE_PROMPT_SECONDS = 0.4  # a person lifts the phone to the ear
_AFTER_PROMPT_SECONDS = 0.3  # what the network still buffers
_ASKED = 3  # how often somebody is asked to confirm
_KEY_SECONDS = 5.0  # for the key, each time


class Media(Protocol):
    """One call's media (transport.rtp_udp.MediaStream)."""

    @property
    def local_port(self) -> int: ...

    codec: Codec  # what `connect` agreed on
    digits: asyncio.Queue[str]  # keys that the peer pressed, each once whatever ways it came by

    def connect(self, media: sdp.Negotiated) -> None: ...
    def play(self, *prompts: bytes, barge_in: bool = False) -> asyncio.Future[bool]: ...
    def stop(self) -> None: ...
    def press(self, digit: str) -> None: ...
    def send_digits(self, digits: str) -> None: ...
    def record(self, name: str, limits: RecordingLimits) -> asyncio.Future[Recording]: ...
    def stop_recording(self) -> None: ...
    def detect_machine(self) -> asyncio.Future[Verdict]: ...
    def patch(self, other: Self) -> None: ...
    def unpatch(self) -> None: ...
    def stats(self) -> MediaStats: ...
    def close(self) -> None: ...


class Phone(Changing, Protocol):
    """What a call needs of SIP (transport.sip_trunks.Trunks)."""

    def invite(
        self, *, trunk: str, to_number: str, from_number: str, sdp: bytes, avoid: Collection[Address] = ()
    ) -> SipCall: ...
    def why_not(self, trunk: str, avoid: Collection[Address] = ()) -> str: ...
    def hang_up(self, call: SipCall, why: int = NORMAL_CLEARING) -> None: ...
    def refer(self, call: SipCall, trunk: str, to_number: str) -> None: ...


class Line(Struct, frozen=True):
    """What all calls of the daemon share.  `note` records a call with the event that it makes: call.answered,
    call.ended, or "" for none."""

    phone: Phone
    clock: Clock
    note: Callable[[Call, str], None]
    media_address: str


class OutboundCall:
    """`answered` is called at the moment of the answer; with `confirm`, a key, again once that is pressed, or
    when the call is over without it.  `run` gives the outcome of a call that was not.

    A `leg` instead of a prompt is connected before `answered` is called; the call is then up until one of the
    two hangs up.
    """

    def __init__(
        self,
        line: Line,
        record: Call,
        trunk: Trunk,
        media: Media,
        answered: Callable[[Outcome], None],
        session_id: int,
        confirm: str = "",
    ) -> None:
        self._confirm = confirm
        self._confirmed = False
        self._line = line
        self._record = record
        self._trunk = trunk
        self._media = media
        self._answered = answered
        self._session = session_of(trunk, line.media_address, media.local_port, session_id)
        self._events: asyncio.Queue[SipEvent] = asyncio.Queue()
        self._answer = b""
        self._unwanted = False
        self._leg: Leg | None = None
        self.sip: SipCall | None = None

    def event(self, event: SipEvent) -> None:
        if isinstance(event, CallProgress):
            if not self._record.rung_at:
                self._record = replace(self._record, rung_at=self._line.clock.now())
        elif isinstance(event, CallAnswered | CallFailed | CallEnded):
            self._events.put_nowait(event)
        elif isinstance(event, ReferProgress):
            if event.final and self._leg is not None:
                self._leg.referred(event.status)
        else:
            follow(event, self._line.phone, self._session, self._media)

    def dial(self, avoid: Collection[Address] = ()) -> SipCall:
        """Send the INVITE, to a host that is not in `avoid`; `run` must follow in the same turn of the loop,
        or events are lost.  Raises GatewayError when there is none."""
        record = self._record
        self.sip = self._line.phone.invite(
            trunk=record.trunk,
            to_number=record.called,
            from_number=record.caller,
            sdp=self._session.offer(),
            avoid=avoid,
        )
        self._note("", sip_call_id=readable(self.sip.call_id))
        return self.sip

    def hang_up(self) -> None:
        """The flow that has the leg wants the call no longer."""
        self._unwanted = True
        if self.sip is not None:
            self._line.phone.hang_up(self.sip)

    def refer(self, to: str) -> None:
        """Ask the carrier to call a number in our place.  Raises GatewayError."""
        assert self.sip is not None
        self._line.phone.refer(self.sip, self._record.trunk, to)

    async def run(self, prompt: Prompt | Leg) -> Outcome | None:
        """From INVITE to the end.  None: it was answered, which has been reported."""
        assert self.sip is not None
        leg = self._leg = prompt if isinstance(prompt, Leg) else None
        try:
            await self._ring(self.sip, leg)
            if self._record.state == "answered":
                if isinstance(prompt, Prompt):
                    await self._talk(self.sip, prompt)
                    if self._confirm and not self._confirmed:
                        self._answered(self._without_key())
                else:  # until the flow that has the leg, or the person, hangs up
                    self._end_talk(await self._hung_up())
        except asyncio.CancelledError:
            self._line.phone.hang_up(self.sip)
            self._end(self._record.cause or Result.NO_ANSWER, ended_by="gateway")
            raise
        finally:
            if leg is not None:
                ours = self._record.ended_by == "gateway"
                leg.ended(WE_HUNG_UP if ours else "the person who was called hung up")
        if self._record.answered_at:
            return None
        if self._unwanted:
            reason = "the call was given up before an answer"
            return Outcome(Result.NO_ANSWER, reason, CALLER_GONE, self._record.trunk)
        status, carrier = self._record.status, self._record.trunk
        reason = f"{carrier} answered {status}" if status else f"{carrier} gave no answer"
        return Outcome(Result(self._record.cause), reason, str(status) if status else "", carrier)

    async def _ring(self, sip: SipCall, leg: Leg | None) -> None:
        """Until an answer, a refusal, or the trunk's ring_timeout."""
        gave_up = False
        while True:
            if sip.ended and self._events.empty():
                # the INVITE could not even be sent, which was said while `dial` was still at it
                return self._end(Result.UNREACHABLE, reason="could not be sent", ended_by="gateway")
            try:
                async with asyncio.timeout(None if gave_up else float(self._trunk.ring_timeout)):
                    event = await self._events.get()
            except TimeoutError:
                gave_up = True
                silent = sip.state is CallState.CALLING
                self._line.phone.hang_up(sip, NO_ANSWER)
                if silent:  # SIP goes on for half a minute (timer B); the chain need not wait for that
                    return self._end(Result.UNREACHABLE, reason="no response", ended_by="gateway")
                continue
            match event:
                case CallAnswered() if not gave_up:
                    self._answer = event.sdp
                    self._note(
                        "call.answered",
                        state="answered",
                        cause="answered",
                        status=200,
                        answered_at=self._line.clock.now(),
                    )
                    if leg is not None:
                        self._connect_leg(leg)
                    self._answered(Outcome(Result.ANSWERED, code="200", carrier=self._record.trunk))
                    return None
                case CallFailed() if event.unreachable:
                    return self._end(Result.UNREACHABLE, reason=event.reason, ended_by="gateway")
                case CallFailed() if not gave_up:
                    result = RESULTS.get(event.status, Result.UNREACHABLE)
                    why = parse_reason(event.cause)
                    words = why.words or event.reason
                    return self._end(result, event.status, q850=why.q850, reason=words, ended_by="called")
                case CallFailed() | CallEnded():  # what we gave up is over, even if a 200 crossed the CANCEL
                    return self._end(Result.NO_ANSWER, 487, ended_by="gateway")
                case _:
                    pass

    async def _talk(self, sip: SipCall, prompt: Prompt) -> None:
        """Play the prompt to its end, or until the person hangs up."""
        playing = asyncio.ensure_future(self._play(prompt))
        hung_up = asyncio.ensure_future(self._hung_up())
        try:
            await asyncio.wait((playing, hung_up), return_when=asyncio.FIRST_COMPLETED)
            if not hung_up.done():
                self._line.phone.hang_up(sip)
            ended = await hung_up
        finally:
            playing.cancel()
            hung_up.cancel()
            played, _ = await asyncio.gather(playing, hung_up, return_exceptions=True)
            if isinstance(played, Exception):
                log.error("call.prompt_failed", exc_info=played, extra={"transid": self._record.message})
        self._end_talk(ended)

    def _end_talk(self, ended: CallEnded) -> None:
        why = parse_reason(ended.reason)
        remote = ended.by is EndedBy.REMOTE
        by = "called" if remote else "gateway"
        self._end("answered", q850=why.q850, reason=why.words, ended_by=by)

    async def _play(self, prompt: Prompt) -> None:
        if not self._connect():
            return
        await asyncio.sleep(_BEFORE_PROMPT_SECONDS)
        words = prompt.encoded(self._media.codec)
        for _ in range(_ASKED if self._confirm else 1):
            await self._media.play(words, barge_in=bool(self._confirm))
            if self._confirm and await self._is_confirmed():
                self._confirmed = True
                self._answered(Outcome(Result.CONFIRMED, carrier=self._record.trunk))
                return
        await asyncio.sleep(_AFTER_PROMPT_SECONDS)

    def _without_key(self) -> Outcome:
        """What came of a call that has ended before its key was seen."""
        carrier = self._record.trunk
        # who presses it and hangs up at once has done both before we look
        if not self._media.digits.empty() and self._media.digits.get_nowait() == self._confirm:
            return Outcome(Result.CONFIRMED, carrier=carrier)
        return Outcome(Result.UNCONFIRMED, f"the key {self._confirm} was not pressed", carrier=carrier)

    async def _is_confirmed(self) -> bool:
        """Whether the next key is the one that is asked for; what is pressed after another is no answer."""
        try:
            async with asyncio.timeout(_KEY_SECONDS):
                key = await self._media.digits.get()
        except TimeoutError:
            return False
        while not self._media.digits.empty():
            self._media.digits.get_nowait()
        return key == self._confirm

    def _connect_leg(self, leg: Leg) -> None:
        if self._connect():
            leg.connected(self._media, _BEFORE_PROMPT_SECONDS)
        elif self.sip is not None:
            self._line.phone.hang_up(self.sip, INCOMPATIBLE)

    def _connect(self) -> bool:
        """Whether there is sound now."""
        agreed = self._session.accept(self._answer)
        if isinstance(agreed, sdp.Refused):
            log.warning("call.no_media", extra={"transid": self._record.message, "reason": agreed.reason})
            return False
        try:
            self._media.connect(agreed)
        except GatewayError as error:  # an address that our socket cannot reach
            log.warning("call.no_media", extra={"transid": self._record.message, "reason": str(error)})
            return False
        return True

    async def _hung_up(self) -> CallEnded:
        while not isinstance(event := await self._events.get(), CallEnded):
            pass
        return event

    def _end(self, cause: str, status: int = 0, *, ended_by: str, q850: int = 0, reason: str = "") -> None:
        if self._record.answered_at:
            self._record = with_media(self._record, self._media.stats())
        self._note(
            "call.ended",
            state="ended",
            cause=str(cause),
            status=status or self._record.status,
            q850=q850,
            reason=reason,
            ended_by=ended_by,
            ended_at=self._line.clock.now(),
        )

    def _note(self, event: str, **fields: object) -> None:
        self._record = replace(self._record, **fields)
        self._line.note(self._record, event)
