"""The sockets and the clock of all calls' media.

One timer drives every stream: deadlines are absolute, so lateness never adds up, and streams are spread over
four phases of 5 ms, so that no tick has to send for all of them.  A task with a sleep per stream would cost
several times as much and jitter more.  Sockets are plain datagram protocols whose receive path never awaits.
"""

import asyncio
import errno
import ipaddress
import logging
import socket
from collections import deque
from collections.abc import Iterable
from random import Random
from typing import Any, Final, cast

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.digits import Presses, Way
from gateway.protocol.rtp.packet import RtpError, parse
from gateway.protocol.rtp.stream import FRAME_SECONDS, MediaStats, RtpReceiver, RtpSender
from gateway.protocol.rtp.telephone_event import DigitReceiver
from gateway.protocol.sdp import DTMF_PAYLOAD_TYPE, Negotiated
from gateway.values.errors import GatewayError

log = logging.getLogger(__name__)

_PHASES: Final = 4
_PHASE_SECONDS: Final = FRAME_SECONDS / _PHASES
_LIMIT_DIGITS: Final = 64
_LATEST_SECONDS: Final = 0.1  # what is later is dropped: a burst would only overrun the peer's jitter buffer

Address = tuple[Any, ...]  # (host, port) or IPv6's four, as the loop hands it out


class NoPortFree(GatewayError):
    """Every RTP port of the range is taken: refuse the call with 503, a later one may find one."""

    retryable = True


class PeerUnreachable(GatewayError):
    """The peer's media address is of the other IP version than ours: refuse with 488, or end the call."""


class RtpPorts:
    """The even UDP ports of a range, given out in turn: late packets of an ended call meet no new one."""

    def __init__(self, host: str, ports: Iterable[int]) -> None:
        """`host` is the IP literal to bind; odd `ports` are passed over.  Shuffled, none can be guessed."""
        self.host = host
        self._free = deque(port for port in ports if port % 2 == 0)

    def bind(self) -> socket.socket:
        """A bound, non-blocking socket; give its port back by `release`.  Raises NoPortFree."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for _ in range(len(self._free)):
            port = self._free.popleft()
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.bind((self.host, port))
            except OSError as error:
                sock.close()
                self._free.append(port)
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    continue  # another program holds it
                raise
            sock.setblocking(False)
            return sock
        raise NoPortFree(f"no RTP port is free on {self.host}")

    def release(self, port: int) -> None:
        """Put a port at the end of the queue again."""
        self._free.append(port)


class MediaStream(asyncio.DatagramProtocol):
    """One call's media: made by `MediaPump.open`, silent until `connect`."""

    def __init__(self, sender: RtpSender) -> None:
        self._sender = sender
        self._receiver = RtpReceiver()
        self._digit_receiver = DigitReceiver()
        self._presses = Presses()
        self._pressed = 0
        self._barge_in = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._signalled: Address = ()
        self._target: Address | None = None
        self._latched = False
        self._sending = False
        self._congested = False
        self._dtmf_payload_types: frozenset[int] = frozenset()
        self._playing: asyncio.Future[bool] | None = None
        self._foreign = 0
        self._malformed = 0
        self._errors = 0
        self._local_host = ""
        self.local_port = 0
        self.codec = Codec.PCMU  # until `connect` says what was agreed
        self.digits: asyncio.Queue[str] = asyncio.Queue(_LIMIT_DIGITS)
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def stats(self) -> MediaStats:
        received = self._receiver.stats()
        return MediaStats(
            codec=str(self.codec) if self._signalled else "",
            packets=received.packets,
            lost=received.lost,
            jitter_seconds=received.jitter_seconds,
            dtmf=self._pressed,
            sent=self._sender.packets,
            duplicates=received.duplicates,
            out_of_order=received.out_of_order,
            foreign=self._foreign,
            malformed=self._malformed,
            errors=self._errors,
        )

    def connect(self, media: Negotiated) -> None:
        """Send to the peer, as agreed; again after every further offer and answer (hold, new address).

        Raises PeerUnreachable and changes nothing then.
        """
        signalled = (str(ipaddress.ip_address(media.remote_address)), media.remote_port)
        if (":" in signalled[0]) != (":" in self._local_host):
            raise PeerUnreachable(
                f"the peer's media address {signalled[0]} is not of our socket's IP version"
            )
        if signalled != self._signalled:
            self._signalled, self._target, self._latched = signalled, signalled, False
        self.codec = media.codec
        self._sender.set_format(media.codec, media.payload_type, media.dtmf_payload_type)
        # the peer's own number after its offer, ours after our offer (RFC 3264 section 5.1)
        ours_and_theirs = {DTMF_PAYLOAD_TYPE, media.dtmf_payload_type or DTMF_PAYLOAD_TYPE}
        self._dtmf_payload_types = frozenset(ours_and_theirs - {media.payload_type})
        self._sending = media.direction.sends

    def play(self, *prompts: bytes, barge_in: bool = False) -> asyncio.Future[bool]:
        """Play octets of the agreed codec one after the other, in the place of what plays now.

        The future is done 20 ms after the last frame went out: True, or False when `stop`, another `play`,
        `close`, or with `barge_in` a key cut it.  Cancelling it stops the prompts.
        """
        self.stop()
        playing: asyncio.Future[bool] = self._loop.create_future()
        if self._transport is None:
            playing.set_result(False)
            return playing
        self._sender.play(*prompts)
        self._playing = playing
        self._barge_in = barge_in
        return playing

    def stop(self) -> None:
        """Cut the prompt; silence goes on."""
        self._sender.stop()
        self._settle_prompt(False)

    def press(self, digit: str) -> None:
        """A key that the peer told of by SIP INFO."""
        self._press(digit, Way.INFO)

    def send_digits(self, digits: str) -> None:
        """Press keys as RFC 4733 events.  Raises ValueError when the peer takes none or one is no key."""
        self._sender.send_digits(digits)

    def close(self) -> None:
        """Stop and give the port back; may be called again."""
        self.stop()
        self._sending = False
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def tick(self) -> None:
        """Send the packet of this 20 ms; called by the pump alone."""
        if self._transport is None or not self._signalled:
            return
        if self._playing is not None:
            if self._playing.cancelled():
                self.stop()
            elif self._sender.finished:
                self._settle_prompt(True)
        if self._sending and not self._congested:
            self._transport.sendto(self._sender.next_packet(), self._target)
        else:
            self._sender.skip()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # the loops' own classes are not all derived from DatagramTransport, so no isinstance here
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._local_host, self.local_port = transport.get_extra_info("sockname")[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.stop()
        if not self.closed.done():
            self.closed.set_result(None)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not self._is_from_peer(addr):
            self._foreign += 1
            return
        try:
            packet = parse(data)
            is_event = packet.payload_type in self._dtmf_payload_types
            self._latch(addr)
            if not self._receiver.receive(packet, self._loop.time(), is_audio=not is_event) or not is_event:
                return
            digit = self._digit_receiver.receive(packet.timestamp, packet.payload)
        except RtpError:
            self._malformed += 1
            return
        if digit is not None:
            self._press(digit, Way.EVENT)

    def error_received(self, exc: Exception) -> None:
        self._errors += 1  # the call itself ends by SIP, not by its media

    def pause_writing(self) -> None:
        self._congested = True  # the kernel takes no more: late audio is worth nothing, so it is dropped

    def resume_writing(self) -> None:
        self._congested = False

    def _press(self, digit: str, way: Way) -> None:
        if not self._presses.is_new(digit, way, self._loop.time()):
            return
        self._pressed += 1
        if self._barge_in:
            self.stop()
        if not self.digits.full():  # nobody asks for them: what is pressed after 64 keys is not wanted either
            self.digits.put_nowait(digit)

    def _is_from_peer(self, addr: Address) -> bool:
        if not self._signalled or addr[0] != self._signalled[0]:
            return False
        return not self._latched or self._target is None or addr[1] in (self._target[1], self._signalled[1])

    def _latch(self, addr: Address) -> None:
        """Symmetric RTP: answer to the port the peer really sends from (RFC 4961), once.

        Only within the address that SDP named, else anyone could draw the audio to himself; and the port that
        SDP named wins over any other.
        """
        if not self._latched or addr[1] == self._signalled[1]:
            self._target, self._latched = addr, True

    def _settle_prompt(self, played: bool) -> None:
        playing, self._playing = self._playing, None
        if playing is not None and not playing.done():
            playing.set_result(played)


class MediaPump:
    """Opens streams and gives each its tick every 20 ms, as long as there are any."""

    def __init__(self, ports: RtpPorts, *, chance: Random) -> None:
        self._ports = ports
        self._chance = chance
        self._slots: list[dict[MediaStream, None]] = [{} for _ in range(_PHASES)]
        self._slot = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        """Streams that are open."""
        return sum(map(len, self._slots))

    async def open(self) -> MediaStream:
        """A stream on its own port.  Raises NoPortFree."""
        if self._closed:
            raise NoPortFree("the media pump is closed")
        sock = self._ports.bind()
        port = sock.getsockname()[1]
        sender = RtpSender(
            ssrc=self._chance.getrandbits(32),
            sequence=self._chance.getrandbits(15),  # the upper half stays free, as RFC 3711 wishes it
            timestamp=self._chance.getrandbits(32),
            codec=Codec.PCMU,
            payload_type=Codec.PCMU.static_payload_type,
        )
        loop = asyncio.get_running_loop()
        stream = MediaStream(sender)
        try:
            await loop.create_datagram_endpoint(lambda: stream, sock=sock)
        except BaseException:
            sock.close()
            self._ports.release(port)
            raise
        slot = min(self._slots, key=len)
        slot[stream] = None

        def gone(_: asyncio.Future[None]) -> None:
            slot.pop(stream, None)
            self._ports.release(port)

        stream.closed.add_done_callback(gone)
        if self._timer is None:
            self._due = loop.time() + _PHASE_SECONDS
            self._timer = loop.call_at(self._due, self._tick, loop)
        return stream

    async def close(self) -> None:
        """Close every stream and wait until its socket is gone."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        streams = [stream for slot in self._slots for stream in slot]
        for stream in streams:
            stream.close()
        await asyncio.gather(*(stream.closed for stream in streams))

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        if now - self._due > _LATEST_SECONDS:
            log.warning("media.late", extra={"late_seconds": round(now - self._due, 3)})
            self._due = now
        while self._due <= now:
            self._slot = (self._slot + 1) % _PHASES
            for stream in list(self._slots[self._slot]):
                self._tick_stream(stream)
            self._due += _PHASE_SECONDS
        self._timer = loop.call_at(self._due, self._tick, loop) if len(self) else None

    def _tick_stream(self, stream: MediaStream) -> None:
        try:
            stream.tick()
        except Exception:  # one broken stream must not silence the others
            log.exception("media.tick", extra={"local_port": stream.local_port})
            stream.close()
