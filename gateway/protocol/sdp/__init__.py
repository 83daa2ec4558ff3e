"""SDP for audio calls: descriptions (RFC 8866) and the offer/answer model (RFC 3264).

session = sdp.OfferAnswer("192.0.2.1", 30000, session_id=7)
offer = session.offer()
match session.accept(answer):
    case sdp.Negotiated() as media: ...
    case sdp.Refused(reason): ...            # BYE; after `session.answer(offer)` 488
"""

from gateway.protocol.sdp.description import (
    Direction,
    Format,
    Media,
    Origin,
    SdpError,
    SessionDescription,
    parse,
    serialise,
)
from gateway.protocol.sdp.negotiation import (
    DTMF_PAYLOAD_TYPE,
    Encryption,
    Negotiated,
    Refused,
    Srtp,
    Wishes,
    build_answer,
    build_offer,
    negotiate,
)
from gateway.protocol.sdp.session import Answer, OfferAnswer

__all__ = [
    "DTMF_PAYLOAD_TYPE",
    "Answer",
    "Direction",
    "Encryption",
    "Format",
    "Media",
    "Negotiated",
    "OfferAnswer",
    "Origin",
    "Refused",
    "SdpError",
    "SessionDescription",
    "Srtp",
    "Wishes",
    "build_answer",
    "build_offer",
    "negotiate",
    "parse",
    "serialise",
]
