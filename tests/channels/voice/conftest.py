"""The voice channel with a phone and media that do as a test says, without a socket."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import pytest

from gateway.channels.voice.call import Line
from gateway.channels.voice.channel import VoiceChannel
from gateway.channels.voice.leg import Leg
from gateway.channels.voice.prompts import Prompt, PromptError
from gateway.config.model import Seconds, Trunk
from gateway.content.otp import Codes
from gateway.protocol import sdp
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.stream import MediaStats
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import (
    Call,
    CallAnswered,
    CallCause,
    CallEnded,
    CallFailed,
    CallProgress,
    CallState,
    Direction,
    EndedBy,
    SipEvent,
)
from gateway.transport.rtp_path import PeerUnreachable
from gateway.transport.rtp_ports import NoPortFree
from gateway.values.call import Call as CallRecord
from gateway.values.message import Message, StepPlan
from gateway.values.outcome import Outcome, Result

OURS, CUSTOMER = "+442079460000", "+447700900123"


class FakeClock:
    at = 0.0

    def now(self) -> float:
        return 1_800_000_000.0 + self.at

    def monotonic(self) -> float:
        return self.at


HOST = Address("127.0.0.1", 5060)


class FakePhone:
    """SIP by the real table of states.  `on_event` gets what the far end does; BYE and CANCEL are answered at
    once, a call that has not got a provisional response stays silent."""

    def __init__(self) -> None:
        self.on_event: Callable[[SipEvent], object] = lambda event: None
        self.calls: list[Call] = []
        self.offers: list[bytes] = []
        self.referred: list[tuple[str, str]] = []
        self.cannot_send = False
        self.answers_inside: list[bytes | int] = []  # to re-INVITE and UPDATE
        self.hosts: dict[str, list[Address]] = {}
        self.down: dict[str, str] = {}

    def why_not(self, trunk: str, avoid: Collection[Address] = ()) -> str:
        left = [host for host in self.hosts.get(trunk, [HOST]) if host not in avoid]
        return self.down.get(trunk, "" if left else "no further host")

    def invite(
        self, *, trunk: str, to_number: str, from_number: str, sdp: bytes, avoid: Collection[Address] = ()
    ) -> Call:
        if reason := self.why_not(trunk, avoid):
            raise PeerUnreachable(f"{trunk}: {reason}")
        call = Call(
            f"sip-{len(self.calls)}",
            Direction.OUTBOUND,
            CallState.CALLING,
            from_number,
            to_number,
            next(host for host in self.hosts.get(trunk, [HOST]) if host not in avoid),
            trunk,
        )
        self.calls.append(call)
        self.offers.append(sdp)
        if self.cannot_send:
            self.fails(call, 503, unreachable=True)
        return call

    def accept_offer(self, call: Call, sdp: bytes) -> None:
        self.answers_inside.append(sdp)

    def refuse_offer(self, call: Call, status: int = 488) -> None:
        self.answers_inside.append(status)

    def refer(self, call: Call, trunk: str, to_number: str) -> None:
        self.referred.append((trunk, to_number))

    def hang_up(self, call: Call, why: int = 16) -> None:
        self.why = why
        if not call.allows(CallCause.HANG_UP):
            return
        call.step(CallCause.HANG_UP)
        if call.state is CallState.ENDING:
            self.on_event(CallEnded(call, EndedBy.LOCAL, ""))
        elif call.state is CallState.CANCELLING:
            self.fails(call, 487)

    def rings(self, call: Call) -> None:
        call.step(CallCause.PROVISIONAL)
        self.on_event(CallProgress(call, 180, b""))

    def answers(self, call: Call, sdp: bytes) -> None:
        call.step(CallCause.SUCCESS)
        self.on_event(CallAnswered(call, sdp))

    def fails(self, call: Call, status: int, *, unreachable: bool = False, cause: str = "") -> None:
        call.step(CallCause.FAILURE)
        self.on_event(CallFailed(call, status, "Sorry", None, unreachable, cause))

    def hangs_up(self, call: Call) -> None:
        call.step(CallCause.REMOTE_BYE)
        self.on_event(CallEnded(call, EndedBy.REMOTE, ""))


class FakeMedia:
    def __init__(self) -> None:
        self.local_port = 20_000
        self.target: sdp.Negotiated | None = None
        self.codec = Codec.PCMU
        self.digits: asyncio.Queue[str] = asyncio.Queue()
        self.played: list[bytes] = []
        self.playing: asyncio.Future[bool] | None = None
        self.unreachable = self.plays_at_once = False
        self.closed = False

    def connect(self, media: sdp.Negotiated) -> None:
        if self.unreachable:
            raise PeerUnreachable("the peer's media address is not of our socket's IP version")
        self.target, self.codec = media, media.codec

    def play(self, *prompts: bytes, barge_in: bool = False) -> asyncio.Future[bool]:
        self.played += prompts
        self.playing = asyncio.get_running_loop().create_future()
        if self.plays_at_once:
            self.playing.set_result(True)
        return self.playing

    def stop(self) -> None:
        if self.playing is not None and not self.playing.done():
            self.playing.set_result(False)

    def stats(self) -> MediaStats:
        return MediaStats(
            codec=str(self.target.codec) if self.target is not None else "",
            packets=250,
            lost=2,
            jitter_seconds=0.00125,
            dtmf=4,
            sent=270,
            duplicates=0,
            out_of_order=0,
            foreign=0,
            malformed=0,
            errors=0,
            recording="c1.wav",
        )

    def close(self) -> None:
        self.closed = True


class FakePrompts:
    """Speaks a text as its own octets; refuses "" and the voice "xx"."""

    async def from_text(self, text: str, voice: str = "en") -> Prompt:
        if not text or voice == "xx":
            raise PromptError(f"no voice {voice!r}")
        return Prompt(b"u" + text.encode(), b"a" + text.encode(), b"")

    async def from_file(self, path: object) -> Prompt:
        return Prompt(f"u{path}".encode(), f"a{path}".encode(), b"")


class Exchange:
    """A VoiceChannel over trunk "east", and everything that it told."""

    def __init__(self, **trunk: Any) -> None:
        self.clock, self.phone = FakeClock(), FakePhone()
        self.media: list[FakeMedia] = []
        self.no_port = self.unreachable = self.plays_at_once = False
        self.reports: list[tuple[str, int, Outcome | None]] = []
        self.notes: list[tuple[str, CallRecord]] = []
        self.begun: list[tuple[str, str]] = []
        self.hand_over_error: Exception | None = None
        self.room: list[str] = []
        self.kept: list[tuple[str, Leg, str]] = []
        self.opted_out: set[str] = set()
        ids = map(str, itertools.count(1))
        settings: dict[str, Any] = {"host": "127.0.0.1", "numbers": [OURS], "calls_per_second": 0.0} | trunk
        self.trunks = {"east": Trunk(**settings)}
        self.channel = VoiceChannel(
            trunks=self.trunks,
            line=Line(
                phone=self.phone,
                clock=self.clock,
                note=lambda record, event: self.notes.append((event, record)),
                media_address="127.0.0.1",
            ),
            open_media=self._open_media,
            prompts=FakePrompts(),  # type: ignore[arg-type]
            new_id=lambda: next(ids),
            refusal=lambda service, address: "has opted out" if address in self.opted_out else "",
            codes=Codes(b"key"),
            hand_over=self._hand_over,
            report=lambda id, index, outcome, segments: self.reports.append((id, index, outcome)),
            session_id=lambda: 7,
            room=self.room.append,
            keep=lambda run, leg, keep: self.kept.append((run, leg, keep)),
        )
        self.phone.on_event = self.channel.event

    async def _open_media(self) -> FakeMedia:
        if self.no_port:
            raise NoPortFree("no RTP port is free on 127.0.0.1")
        media = FakeMedia()
        media.unreachable, media.plays_at_once = self.unreachable, self.plays_at_once
        self.media.append(media)
        return media

    async def _hand_over(self, key: str, carrier: str) -> None:
        if self.hand_over_error is not None:
            raise self.hand_over_error
        self.begun.append((key, carrier))

    def message(self, id: str = "m", **step: Any) -> Message:
        plan = StepPlan(**{"channel": "voice", "sender": OURS, "text": "Hello"} | step)
        return Message(
            id=id,
            direction="mt",
            service="shop",
            sender=OURS,
            recipient=CUSTOMER,
            plan=(plan,),
            step=0,
            created_at=0.0,
            updated_at=0.0,
        )

    async def dial(self, id: str = "m", **step: Any) -> Call:
        """Send a message's only step, until its INVITE is out."""
        before = len(self.phone.calls)
        assert self.channel.send(self.message(id, **step), 0, "east")
        await self.until(lambda: len(self.phone.calls) > before)
        return self.phone.calls[-1]

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not happened():  # noqa: ASYNC110 - the far end is this very test
                await asyncio.sleep(0.001)

    async def over(self) -> None:
        await self.until(lambda: not len(self.channel))

    @property
    def results(self) -> list[Result]:
        return [outcome.result for _, _, outcome in self.reports if outcome is not None]

    @property
    def events(self) -> list[str]:
        """call.answered, call.ended as they were noted."""
        return [event for event, _ in self.notes if event]

    @property
    def record(self) -> CallRecord:
        return self.notes[-1][1]

    def answer_sdp(self, codec: Codec = Codec.PCMU) -> bytes:
        return sdp.build_offer("127.0.0.9", 30_000, (codec,), session_id=1)


@pytest.fixture
async def exchange() -> AsyncIterator[Callable[..., Exchange]]:
    opened: list[Exchange] = []

    def open_one(**trunk: Any) -> Exchange:
        opened.append(Exchange(**{"ring_timeout": Seconds(30)} | trunk))
        return opened[-1]

    yield open_one
    for one in opened:
        await one.channel.stop()
        assert all(media.closed for media in one.media), "every media stream is closed in the end"
