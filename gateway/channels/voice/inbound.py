"""An inbound call that may be answered, from its first ring to its end, with its record.

event             record
call.answered     we said 200, and the caller's ACK has come
call.missed       it ended before that: caller-cancelled, rejected-by-flow, no-ack
call.ended        it had been answered
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gateway.channels.voice.call import Media
from gateway.channels.voice.changes import Changing, follow
from gateway.channels.voice.leg import WE_HUNG_UP, Leg, Prompts
from gateway.channels.voice.session import session_of
from gateway.config.model import Trunk
from gateway.protocol import sdp
from gateway.protocol.sip.call import (
    AnswerReceived,
    CallAnswered,
    CallCancelled,
    CallEnded,
    EndedBy,
    ReferProgress,
    SipEvent,
)
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.reason import INCOMPATIBLE, NORMAL_CLEARING, cause_of, parse_reason
from gateway.values.call import Call, with_media
from gateway.values.clock import Clock
from gateway.values.errors import GatewayError

log = logging.getLogger(__name__)

_LONGEST_RING_SECONDS = 180.0  # a flow that never answers


class NoSound(GatewayError):
    """Caller and gateway have no codec, or no IP version, in common."""


class Answering(Changing, Protocol):
    """What an inbound call needs of SIP (transport.sip_udp.SipEndpoint)."""

    def ring(self, call: SipCall, sdp: bytes = b"", status: int = 180) -> None: ...
    def answer(self, call: SipCall, sdp: bytes) -> None: ...
    def reject(self, call: SipCall, status: int, reason: str = "") -> None: ...
    def hang_up(self, call: SipCall, why: int = NORMAL_CLEARING) -> None: ...


class Reception(Struct, frozen=True):
    """What all inbound calls share.  `note` records a call with its event, "" for none."""

    phone: Answering
    clock: Clock
    note: Callable[[Call, str], None]
    open_media: Callable[[], Awaitable[Media]]
    prompts: Prompts
    media_address: str
    session_id: Callable[[], int]
    refer: Callable[[SipCall, str, str], None]  # ask a trunk to call a number in our place


class InboundCall(Leg):
    """`refusal` is the status for a caller whom the flow does not answer; `offer` the body of the INVITE,
    which may be empty.  `record` is the call's first, which the maker has written."""

    def __init__(
        self,
        reception: Reception,
        sip: SipCall,
        record: Call,
        *,
        offer: bytes,
        trunk: Trunk,
        refusal: int,
    ) -> None:
        super().__init__(record.id, reception.prompts, self._end_it, self._refer_it)
        self._shared = reception
        self._sip = sip
        self._record = record
        self._offer = offer
        self._trunk = trunk
        self.refusal = refusal
        self._told = b""  # our answer to the caller's offer
        self._accepted = False  # 200 was sent
        self._offering: asyncio.Task[None] | None = None  # our offer before the answer, and theirs to it
        self._pracked: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._session: sdp.OfferAnswer | None = None
        self._stream: Media | None = None
        self._acknowledged: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._timer = asyncio.get_running_loop().call_later(_LONGEST_RING_SECONDS, self.hang_up)

    def event(self, event: SipEvent) -> None:
        """What SIP says of this call."""
        match event:
            case CallAnswered():
                self._timer.cancel()
                if not self._acknowledged.done():
                    self._acknowledged.set_result(event.sdp)
                    answered_at = self._shared.clock.now()
                    self._note(
                        "call.answered",
                        state="answered",
                        cause="answered",
                        status=200,
                        answered_at=answered_at,
                    )
            case CallCancelled():
                self._over("caller-cancelled", 487, ended_by="caller", told=event.reason)
            case CallEnded():
                cause = "no-ack" if event.by is EndedBy.NO_ACK else "caller-cancelled"
                by = "caller" if event.by is EndedBy.REMOTE else "gateway"
                self._over(cause, 200, ended_by=by, told=event.reason)
            case ReferProgress():
                if event.final:
                    self.referred(event.status)
            case AnswerReceived() if self._offering is not None and not self._pracked.done():
                self._pracked.set_result(event.sdp)
            case _:
                if self._session is not None and self._stream is not None:
                    follow(event, self._shared.phone, self._session, self._stream)

    def ring(self) -> None:
        """180; for a caller who wants our offer with that, as soon as there is something to offer."""
        if not self._sip.wants_offer:
            self._shared.phone.ring(self._sip)
            return
        self._offering = asyncio.create_task(self._offer_early())
        self._offering.add_done_callback(
            lambda task: task.cancelled() or task.exception()
        )  # `answer` raises it

    async def early(self) -> None:
        """183, from which on the caller hears us.  Raises HungUp, NoPortFree, NoSound."""
        await super().answer()
        if self._offering is not None:
            await self.unless_gone(asyncio.shield(self._offering))
        elif self._session is None:
            if not self._offer:
                raise NoSound("the caller leaves the offer to us: nothing can be heard before the answer")
            await self._agree()
            self._shared.phone.ring(self._sip, self._told, 183)

    async def answer(self) -> None:
        """200, unless it is up.  Raises HungUp, NoPortFree, NoSound."""
        await super().answer()
        if self._accepted:
            return
        if self._offering is not None:
            await self.unless_gone(asyncio.shield(self._offering))
        elif self._session is None and self._offer:
            await self._agree()
        elif self._session is None:
            await self._offer_late()
            return
        await self._accept(self._told)

    async def _accept(self, sdp: bytes) -> bytes:
        """200; what the caller's ACK brings."""
        self._accepted = True
        self._shared.phone.answer(self._sip, sdp)
        return await self.unless_gone(self._acknowledged)

    async def _open(self) -> sdp.OfferAnswer:
        media = await self._shared.open_media()
        if self.over:
            media.close()
            await super().answer()  # which says so
        self._stream = media
        address, id = self._shared.media_address, self._shared.session_id()
        self._session = session_of(self._trunk, address, media.local_port, id)
        return self._session

    async def _agree(self) -> None:
        """Take the caller's offer."""
        answer = (await self._open()).answer(self._offer)
        if isinstance(answer, sdp.Refused):
            self._refuse(488, answer.reason)
        self._connect(answer.media)
        self._told = answer.sdp

    async def _offer_late(self) -> None:
        """Our offer goes in the 200, the caller's answer comes in the ACK."""
        session = await self._open()
        agreed = session.accept(await self._accept(session.offer()))
        if isinstance(agreed, sdp.Refused):
            self._shared.phone.hang_up(self._sip, INCOMPATIBLE)
            raise NoSound(agreed.reason)
        self._connect(agreed)

    async def _offer_early(self) -> None:
        """Our offer goes in the 180, the caller's answer comes in the PRACK (RFC 3262 section 5)."""
        session = await self._open()
        self._shared.phone.ring(self._sip, session.offer())
        agreed = session.accept(await self.unless_gone(self._pracked))
        if isinstance(agreed, sdp.Refused):
            self._refuse(488, agreed.reason)
        self._connect(agreed)

    def _connect(self, agreed: sdp.Negotiated) -> None:
        assert self._stream is not None
        try:
            self._stream.connect(agreed)
        except GatewayError as error:  # an address that our socket cannot reach
            self._refuse(488, str(error))
        self.connected(self._stream)

    def _refuse(self, status: int, reason: str) -> NoReturn:
        self.refusal = status
        self.hang_up()
        raise NoSound(reason)

    def _end_it(self) -> None:
        if not self._accepted:
            self._shared.phone.reject(self._sip, self.refusal)
            self._over("rejected-by-flow", self.refusal, ended_by="gateway")
        else:
            self._shared.phone.hang_up(self._sip)  # CallEnded follows

    def _refer_it(self, to: str) -> None:
        self._shared.refer(self._sip, self._record.trunk, to)

    def _over(self, cause: str, status: int, *, ended_by: str, told: str = "") -> None:
        """`told` is the Reason header of the other side."""
        if self.over:
            return
        self._timer.cancel()
        answered, why = bool(self._record.answered_at), parse_reason(told)
        if self._stream is not None:
            self._record = with_media(self._record, self._stream.stats())
        self._note(
            "call.ended" if answered else "call.missed",
            state="ended",
            cause="answered" if answered else cause,
            status=status,
            q850=why.q850 or cause_of(status),
            reason=why.words,
            ended_by=ended_by,
            ended_at=self._shared.clock.now(),
        )
        if self._stream is not None:
            self._stream.close()
        self.ended("the caller hung up" if ended_by == "caller" else WE_HUNG_UP)

    def _note(self, event: str, **fields: object) -> None:
        self._record = replace(self._record, **fields)
        self._shared.note(self._record, event)
