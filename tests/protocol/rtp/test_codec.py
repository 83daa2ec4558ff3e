"""gateway.protocol.rtp.codec."""

import pytest

from gateway.protocol.rtp.codec import Codec


@pytest.mark.parametrize(
    ("codec", "payload_type", "silence"), [("PCMU", 0, b"\xff"), ("PCMA", 8, b"\xd5"), ("G722", 9, b"\xfc")]
)
def test_numbers_and_silence_are_those_of_the_standards(
    codec: str, payload_type: int, silence: bytes
) -> None:
    assert (Codec(codec).static_payload_type, Codec(codec).silence) == (payload_type, silence)
