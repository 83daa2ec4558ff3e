"""What a call's media follow while it is up: hold and resume, another codec or address, keys told by INFO."""

from __future__ import annotations

import logging
from typing import Protocol

from gateway.protocol import sdp
from gateway.protocol.sip.call import AnswerReceived, InfoReceived, OfferReceived, SipEvent
from gateway.protocol.sip.call import Call as SipCall
from gateway.values.errors import GatewayError

log = logging.getLogger(__name__)


class Changing(Protocol):
    """What following a change needs of SIP (transport.sip_endpoint.SipEndpoint)."""

    def accept_offer(self, call: SipCall, sdp: bytes) -> None: ...
    def refuse_offer(self, call: SipCall, status: int = 488) -> None: ...


class Stream(Protocol):
    """What it needs of the media (transport.rtp_udp.MediaStream)."""

    def connect(self, media: sdp.Negotiated) -> None: ...
    def press(self, digit: str) -> None: ...


def follow(event: SipEvent, phone: Changing, session: sdp.OfferAnswer, stream: Stream) -> None:
    """Answer a change that the peer asks for, and let the stream follow; other events mean nothing here.

    What cannot be agreed on is refused by 488: the call goes on as it was.
    """
    match event:
        case OfferReceived(call, b""):  # it wants ours, and AnswerReceived brings the answer
            phone.accept_offer(call, session.offer())
        case OfferReceived(call, offer):
            answer = session.answer(offer)
            if isinstance(answer, sdp.Answer) and _connected(stream, answer.media, call):
                phone.accept_offer(call, answer.sdp)
                return
            if isinstance(answer, sdp.Refused):
                log.info("call.offer_refused", extra={"sip_call": call.id, "reason": answer.reason})
            phone.refuse_offer(call)
        case AnswerReceived(call, answered):
            agreed = session.accept(answered)
            if isinstance(agreed, sdp.Refused):
                log.warning("call.bad_answer", extra={"sip_call": call.id, "reason": agreed.reason})
            else:
                _connected(stream, agreed, call)
        case InfoReceived(call, status, content_type, digit):
            if digit:
                stream.press(digit)
            else:
                fields = {"sip_call": call.id, "status": status, "content_type": content_type}
                log.info("call.info_refused", extra=fields)
        case _:
            pass


def _connected(stream: Stream, media: sdp.Negotiated, call: SipCall) -> bool:
    try:
        stream.connect(media)
    except GatewayError as error:  # an address that our socket cannot reach
        log.warning("call.no_media", extra={"sip_call": call.id, "reason": str(error)})
        return False
    return True
