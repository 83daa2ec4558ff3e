"""Offer and answer for one G.711 audio stream (RFC 3264), with telephone events (RFC 4733 section 2.4)."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sdp.description import (
    Direction,
    Format,
    Media,
    Origin,
    SessionDescription,
    serialise,
)

DTMF_PAYLOAD_TYPE: Final = 101
_EVENTS: Final = "0-16"
_PTIME: Final = 20
_PROFILES: Final = ("RTP/AVP", "RTP/AVPF")
BOTH: Final = (Codec.PCMU, Codec.PCMA)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What two descriptions agree on, seen from our side.

    The payload types are the peer's: what we send carries them.  After our own offer the peer sends with our
    numbers (the codec's static one, `DTMF_PAYLOAD_TYPE`); after our answer with its own, which we repeated.
    `direction` is what we may do, `remote_address` an IP literal, `media_index` the m= line that was taken.
    """

    codec: Codec
    payload_type: int
    dtmf_payload_type: int | None
    remote_address: str
    remote_port: int
    direction: Direction
    media_index: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No stream can come of this description: answer 488 to an offer, end the call after an answer."""

    reason: str


def build_offer(
    address: str,
    port: int,
    codecs: Sequence[Codec] = BOTH,
    *,
    session_id: int,
    session_version: int = 1,
    direction: Direction = Direction.SENDRECV,
) -> bytes:
    """Offer `codecs`, the first preferred, and telephone events, in packets of 20 ms.

    `session_version` grows by one with each offer or answer of a dialog that differs from the last.
    """
    formats = (
        *(Format(codec.static_payload_type, codec.value, 8000) for codec in codecs),
        Format(DTMF_PAYLOAD_TYPE, "telephone-event", 8000, _EVENTS),
    )
    media = _audio(address, port, "RTP/AVP", formats, direction)
    return serialise(SessionDescription(Origin(str(session_id), str(session_version), address), (media,)))


def negotiate(peer: SessionDescription, codecs: Sequence[Codec] = BOTH) -> Negotiated | Refused:
    """Judge the peer's offer, or its answer to ours: the first codec of its list that is among `codecs`.

    Of several audio lines the first usable one counts.
    """
    reason = "no audio is offered"
    for index, media in enumerate(peer.media):
        if media.kind != "audio":
            continue
        outcome = _negotiate_media(media, index, codecs)
        if isinstance(outcome, Negotiated):
            return outcome
        reason = outcome.reason
    return Refused(reason)


def build_answer(
    offer: SessionDescription,
    media: Negotiated,
    address: str,
    port: int,
    *,
    session_id: int,
    session_version: int = 1,
) -> bytes:
    """Answer with what `negotiate(offer)` gave: the peer's numbers, every other m= line refused by port 0."""
    formats = [Format(media.payload_type, media.codec.value, 8000)]
    if media.dtmf_payload_type is not None:
        formats.append(Format(media.dtmf_payload_type, "telephone-event", 8000, _EVENTS))
    lines = [
        _audio(address, port, offered.protocol, tuple(formats), media.direction)
        if index == media.media_index
        else Media(offered.kind, 0, offered.protocol, offered.format_words)
        for index, offered in enumerate(offer.media)
    ]
    origin = Origin(str(session_id), str(session_version), address)
    return serialise(
        SessionDescription(origin, tuple(lines), offer.timing)
    )  # t= is the offer's: RFC 3264 section 6


def _audio(
    address: str, port: int, protocol: str, formats: tuple[Format, ...], direction: Direction
) -> Media:
    words = tuple(str(one.payload_type) for one in formats)
    return Media("audio", port, protocol, words, formats, address, direction, _PTIME)


def _negotiate_media(media: Media, index: int, codecs: Sequence[Codec]) -> Negotiated | Refused:
    if media.port == 0:
        return Refused("the audio stream is refused (port 0)")
    if media.protocol not in _PROFILES:
        return Refused(f"the transport is {media.protocol}, not RTP/AVP")
    if media.address is None:
        return Refused("no c= line applies to the audio stream")
    try:
        remote = ipaddress.ip_address(media.address)
    except ValueError:
        return Refused("the connection address is not an IP address")
    chosen = _first_common(media, codecs)
    if chosen is None:
        return Refused("no common codec")
    codec, payload_type = chosen
    dtmf = next((f for f in media.formats if f.is_encoding("telephone-event") and f.clock_rate == 8000), None)
    direction = media.direction.reversed
    if remote.is_unspecified:  # hold as RFC 2543 wrote it: the peer wants no media
        direction = Direction.RECVONLY if direction.receives else Direction.INACTIVE
    return Negotiated(
        codec, payload_type, dtmf.payload_type if dtmf else None, str(remote), media.port, direction, index
    )


def _first_common(media: Media, codecs: Sequence[Codec]) -> tuple[Codec, int] | None:
    for one in media.formats:
        for codec in codecs:
            if one.is_encoding(codec.value) and one.clock_rate == 8000:
                return codec, one.payload_type
    return None
