"""What the peer says, as an unbroken row of frames: for recordings, detectors, another call."""

from typing import Final, NamedTuple

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.jitter import JitterBuffer
from gateway.protocol.rtp.transcode import Transcoder

PATIENT_MILLISECONDS: Final = 120  # nobody waits for these frames, so late packets get their time
CONVERSATION_MILLISECONDS: Final = 60  # two people talk: each millisecond counts


class Heard(NamedTuple):
    """20 ms: as they came, and in the law of G.711 that those get who listen."""

    octets: bytes
    codec: Codec
    frame: bytes


class Ear:
    """Gives frames in one law, `law`, whatever the peer speaks or changes to."""

    def __init__(self, law: Codec, *, depth_milliseconds: int) -> None:
        self.law = law
        self.depth_milliseconds = depth_milliseconds
        self._to_law = Transcoder(law, law)
        self._buffer = JitterBuffer(law, depth_milliseconds=depth_milliseconds)

    def put(self, codec: Codec, ssrc: int, timestamp: int, payload: bytes) -> None:
        """Take a packet of the peer's."""
        if codec is not self._to_law.source:
            self._to_law = Transcoder(codec, self.law)
            self._buffer = JitterBuffer(codec, depth_milliseconds=self.depth_milliseconds)
        self._buffer.put(ssrc, timestamp, payload)

    def next_frame(self) -> Heard:
        """The next 20 ms."""
        octets = self._buffer.pull()
        return Heard(octets, self._to_law.source, self._to_law.convert(octets))
