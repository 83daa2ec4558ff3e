"""The offers and answers of one call, from its first to its last (RFC 3264 section 8).

media = OfferAnswer("192.0.2.1", 30000, wishes, session_id=7)
match media.answer(invite.body):             # or a re-INVITE's, an UPDATE's
    case Answer(sdp, agreed): ...            # 200 with sdp; the stream follows `agreed`
    case Refused(reason): ...                # 488; what was agreed before stays
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from gateway.protocol.sdp.crypto import Crypto
from gateway.protocol.sdp.description import Direction, SdpError, parse
from gateway.protocol.sdp.negotiation import (
    Negotiated,
    Refused,
    Wishes,
    build_answer,
    build_offer,
    negotiate,
    offered_crypto,
)

_FIRST_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back, and what both sides do from then on."""

    sdp: bytes
    media: Negotiated


class OfferAnswer:
    """Our end of one call's stream, at `address` and `port`.  Nothing here raises for what a peer wrote."""

    def __init__(self, address: str, port: int, wishes: Wishes = Wishes(), *, session_id: int) -> None:  # noqa: B008  frozen
        self._address = address
        self._port = port
        # by suite; ours stays the same as long as the call lasts
        self._wishes = replace(wishes, key=cache(wishes.key))
        self._session_id = session_id
        self._version = _FIRST_VERSION
        self._last = b""
        self._offered: tuple[Crypto, ...] | None = None

    def offer(self, direction: Direction = Direction.SENDRECV) -> bytes:
        """An offer of ours: in an INVITE, in the 200 to an INVITE without one, or to put the peer on hold."""
        if self._offered is None:
            self._offered = offered_crypto(self._wishes)
        offered = self._offered

        def build(version: int) -> bytes:
            return build_offer(
                self._address,
                self._port,
                self._wishes.codecs,
                session_id=self._session_id,
                session_version=version,
                direction=direction,
                crypto=offered,
                encryption=self._wishes.encryption,
            )

        return self._told(build(self._version), build(self._version + 1))

    def accept(self, answer: bytes) -> Negotiated | Refused:
        """What the peer's answer to our offer agrees to."""
        try:
            return negotiate(parse(answer), self._wishes, self._offered or ())
        except SdpError as error:
            return Refused(str(error))

    def answer(self, offer: bytes) -> Answer | Refused:
        """Answer an offer of the peer's, the first one or a further one."""
        try:
            description = parse(offer)
        except SdpError as error:
            return Refused(str(error))
        media = negotiate(description, self._wishes)
        if isinstance(media, Refused):
            return media

        def build(version: int) -> bytes:
            return build_answer(
                description,
                media,
                self._address,
                self._port,
                session_id=self._session_id,
                session_version=version,
            )

        return Answer(self._told(build(self._version), build(self._version + 1)), media)

    def _told(self, as_before: bytes, one_later: bytes) -> bytes:
        """The version grows by one with each description that differs from the last, and only then."""
        if self._last and as_before != self._last:
            self._version += 1
            as_before = one_later
        self._last = as_before
        return as_before
