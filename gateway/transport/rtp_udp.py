"""The clock of all calls' media.

One timer drives every stream: deadlines are absolute, so lateness never adds up, and streams are spread over
ten phases of 2 ms, so that no tick has to send for all of them.  A task with a sleep per stream would cost
several times as much and jitter more.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from random import Random
from typing import Final

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.stream import FRAME_SECONDS, RtpSender
from gateway.transport.recordings import Recordings
from gateway.transport.rtp_ports import NoPortFree, RtpPorts
from gateway.transport.rtp_stream import MediaStream

log = logging.getLogger(__name__)

_PHASES: Final = 10  # whole milliseconds: uvloop's timers know no less
_PHASE_SECONDS: Final = FRAME_SECONDS / _PHASES
# A rest that is less than a timer can tell is no wait: uvloop would spin until the millisecond is over
_EARLY_SECONDS: Final = 0.0005
_LATEST_SECONDS: Final = 0.1  # what is later is dropped: a burst would only overrun the peer's jitter buffer

_CONTROL_ROUNDS: Final = 10  # RTCP is for the books: its ports are read five times a second
_TELL_SECONDS: Final = 10.0


class MediaPump:
    """Opens streams and gives each its tick every 20 ms, as long as there are any."""

    def __init__(
        self,
        ports: RtpPorts,
        *,
        chance: Random,
        recordings: Recordings,
        in_use: Callable[[bool], None] = lambda whether: None,
    ) -> None:
        """`in_use` is told when the first stream is opened, and when the last one has gone."""
        self._in_use = in_use
        self._ports = ports
        self._recordings = recordings
        # numpy is for those who have calls: 17 MiB
        from gateway.protocol.rtp.inband import find_tones

        self._find_tones = find_tones
        self._cname = f"{chance.getrandbits(96):024x}"  # RFC 7022: no address, and new at each start
        self._chance = chance
        self._slots: list[dict[MediaStream, None]] = [{} for _ in range(_PHASES)]
        self._slot = 0
        self._round = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._late = 0  # times since it was told
        self._tell_again = 0.0
        self._closed = False

    def __len__(self) -> int:
        """Streams that are open."""
        return sum(map(len, self._slots))

    def open(self) -> MediaStream:
        """A stream on its own port.  Raises NoPortFree."""
        if self._closed:
            raise NoPortFree("the media pump is closed")
        pair = self._ports.bind()
        sender = RtpSender(
            ssrc=self._chance.getrandbits(32),
            sequence=self._chance.getrandbits(15),  # the upper half stays free, as RFC 3711 wishes it
            timestamp=self._chance.getrandbits(32),
            codec=Codec.PCMU,
            payload_type=Codec.PCMU.static_payload_type,
        )
        slot = min(self._slots, key=len)

        def gone(stream: MediaStream) -> None:
            slot.pop(stream)
            self._ports.release(stream.local_port)

        stream = MediaStream(
            sender,
            self._recordings,
            pair,
            cname=self._cname,
            chance=self._chance.random,
            gone=gone,
        )
        slot[stream] = None
        if self._timer is None:
            self._in_use(True)
            loop = asyncio.get_running_loop()
            self._due = loop.time()
            self._advance()
            self._timer = loop.call_at(self._due, self._tick, loop)
        return stream

    async def close(self) -> None:
        """Close every stream, and wait until its recording is stored."""
        self._closed = True
        self._rest()
        streams = [stream for slot in self._slots for stream in slot]
        for stream in streams:
            stream.close()
        await self._recordings.close()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        if now - self._due > _LATEST_SECONDS:
            self._tell_lateness(now - self._due, now)
            self._leave_out(int((now - self._due) / FRAME_SECONDS))
        since_epoch = time.time() - time.monotonic()
        while self._due < now + _EARLY_SECONDS:
            control = (self._round + self._slot) % _CONTROL_ROUNDS == 0
            streams = list(self._slots[self._slot])
            for stream in streams:
                try:
                    stream.tick()
                except Exception:  # one broken stream must not silence the others
                    self._broken(stream)
            for stream in streams:  # who listens can wait until all have sent
                try:
                    stream.hear(now, since_epoch, control=control)
                except Exception:
                    self._broken(stream)
            self._hear_tones(streams)
            self._advance()
        if len(self):
            self._timer = loop.call_at(self._due, self._tick, loop)
        else:
            self._rest()

    def _leave_out(self, frames: int) -> None:
        """Go on at the present; each stream stays on its grid, and its timestamps tell the time as before."""
        self._due += frames * FRAME_SECONDS
        for slot in self._slots:
            for stream in slot:
                stream.leave_out(frames)

    def _advance(self) -> None:
        """To the next phase that has streams: one call alone wakes nobody in between."""
        for _ in range(_PHASES):
            self._slot = (self._slot + 1) % _PHASES
            self._round += self._slot == 0
            self._due += _PHASE_SECONDS
            if self._slots[self._slot]:
                break

    def _hear_tones(self, streams: list[MediaStream]) -> None:
        """Judge the tones of all streams that listen for them, in one product of matrices."""
        listening = [(stream, stream.tones) for stream in streams if stream.tones is not None]
        if not listening:
            return
        for (stream, tones), found in zip(
            listening, self._find_tones([tones.block for _, tones in listening]), strict=True
        ):
            digit = tones.judge(found)
            if digit is not None:
                stream.press_tone(digit)

    def _tell_lateness(self, seconds: float, now: float) -> None:
        """A machine that is too slow is so many times a second: the log has it once in ten."""
        self._late += 1
        if now < self._tell_again:
            return
        log.warning("media.late", extra={"late_seconds": round(seconds, 3), "times": self._late})
        self._late, self._tell_again = 0, now + _TELL_SECONDS

    def _broken(self, stream: MediaStream) -> None:
        log.exception("media.tick", extra={"local_port": stream.local_port})
        stream.close()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._in_use(False)
