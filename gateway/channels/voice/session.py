"""What a trunk's settings mean for the media of its calls."""

import secrets

from gateway.config.model import Trunk
from gateway.protocol import sdp
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sdp.crypto import SUITES


def session_of(trunk: Trunk, address: str, port: int, session_id: int) -> sdp.OfferAnswer:
    """The offers and answers of one call over `trunk`, whose media we have at `address` and `port`."""
    wishes = sdp.Wishes(
        codecs=tuple(Codec(name) for name in trunk.codecs),
        in_band_keys=trunk.dtmf == "in-band",
        encryption=sdp.Encryption(trunk.srtp),
        key=lambda suite: secrets.token_bytes(SUITES[suite]),
    )
    return sdp.OfferAnswer(address, port, wishes, session_id=session_id)
