"""What the peer says, as an unbroken row of frames for whoever listens: recordings, detectors."""

from typing import Final

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.g711 import pcma_to_pcmu, pcmu_to_pcma
from gateway.protocol.rtp.jitter import JitterBuffer

_DEPTH_MILLISECONDS: Final = 120  # nobody waits for these frames, so late packets get their time


class Ear:
    """Gives frames in one law, `law`, whatever the peer speaks or changes to."""

    def __init__(self, codec: Codec) -> None:
        self.law = codec
        self._codec = codec
        self._buffer = JitterBuffer(codec, depth_milliseconds=_DEPTH_MILLISECONDS)

    def put(self, codec: Codec, ssrc: int, timestamp: int, payload: bytes) -> None:
        """Take a packet of the peer's."""
        if codec is not self._codec:
            self._codec = codec
            self._buffer = JitterBuffer(codec, depth_milliseconds=_DEPTH_MILLISECONDS)
        self._buffer.put(ssrc, timestamp, payload)

    def next_frame(self) -> bytes:
        """The next 20 ms: 160 octets of `law`."""
        frame = self._buffer.pull()
        if self._codec is self.law:
            return frame
        return pcmu_to_pcma(frame) if self.law is Codec.PCMA else pcma_to_pcmu(frame)
