"""SDP for G.711 calls: descriptions (RFC 8866) and the offer/answer model (RFC 3264).

offer = sdp.build_offer("192.0.2.1", 30000, session_id=7)
match sdp.negotiate(sdp.parse(answer)):
    case sdp.Negotiated() as media: ...
    case sdp.Refused(reason): ...            # 488, or BYE when it was an answer
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
    Negotiated,
    Refused,
    build_answer,
    build_offer,
    negotiate,
)

__all__ = [
    "DTMF_PAYLOAD_TYPE",
    "Direction",
    "Format",
    "Media",
    "Negotiated",
    "Origin",
    "Refused",
    "SdpError",
    "SessionDescription",
    "build_answer",
    "build_offer",
    "negotiate",
    "parse",
    "serialise",
]
