"""gateway.channels.voice.session."""

from gateway.channels.voice.session import session_of
from gateway.config.model import Trunk
from gateway.protocol import sdp


def test_a_trunks_codecs_and_encryption_are_offered_with_keys_of_their_own() -> None:
    trunk = Trunk(host="192.0.2.9", codecs=["G722", "PCMA"], srtp="required")
    one, other = (sdp.parse(session_of(trunk, "192.0.2.1", 30_000, 7).offer()).media[0] for _ in range(2))
    assert (one.protocol, one.format_words) == ("RTP/SAVP", ("9", "8", "101"))
    keys = [line.key for media in (one, other) for line in media.crypto]
    assert len(set(keys)) == len(keys) == 4


def test_a_plain_trunk_has_no_keys() -> None:
    [media] = sdp.parse(session_of(Trunk(host="192.0.2.9"), "192.0.2.1", 30_000, 7).offer()).media
    assert (media.protocol, media.crypto) == ("RTP/AVP", ())
