"""What the peer says, as an unbroken row of frames: for recordings, detectors, another call."""

from typing import Final

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.g711 import pcma_to_pcmu, pcmu_to_pcma
from gateway.protocol.rtp.jitter import JitterBuffer

PATIENT_MILLISECONDS: Final = 120  # nobody waits for these frames, so late packets get their time
CONVERSATION_MILLISECONDS: Final = 60  # two people talk: each millisecond counts


class Ear:
    """Gives frames in one law, `law`, whatever the peer speaks or changes to."""

    def __init__(self, codec: Codec, *, depth_milliseconds: int) -> None:
        self.law = codec
        self.depth_milliseconds = depth_milliseconds
        self._codec = codec
        self._buffer = JitterBuffer(codec, depth_milliseconds=depth_milliseconds)

    def put(self, codec: Codec, ssrc: int, timestamp: int, payload: bytes) -> None:
        """Take a packet of the peer's."""
        if codec is not self._codec:
            self._codec = codec
            self._buffer = JitterBuffer(codec, depth_milliseconds=self.depth_milliseconds)
        self._buffer.put(ssrc, timestamp, payload)

    def next_frame(self) -> bytes:
        """The next 20 ms: 160 octets of `law`."""
        frame = self._buffer.pull()
        return in_law(frame, self._codec, self.law)


def in_law(frame: bytes, codec: Codec, law: Codec) -> bytes:
    """A frame of `codec` as one of `law`."""
    if codec is law:
        return frame
    return pcmu_to_pcma(frame) if law is Codec.PCMA else pcma_to_pcmu(frame)
