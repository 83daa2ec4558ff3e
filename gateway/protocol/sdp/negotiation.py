"""Offer and answer for one audio stream (RFC 3264).

With telephone events (RFC 4733 section 2.4), and where that is wished with keys of SRTP (RFC 4568).
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gateway.protocol.rtp.codec import LAWS, Codec
from gateway.protocol.sdp.crypto import OFFERED, Crypto
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
_PLAIN: Final = ("RTP/AVP", "RTP/AVPF")
_SECURE: Final = ("RTP/SAVP", "RTP/SAVPF")


class Encryption(StrEnum):
    """Whether a stream is SRTP.  OPTIONAL: keys are offered and taken under plain RTP/AVP too (RFC 8643)."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What we would agree to.  `key` gives our master key and salt for a suite out of `crypto.SUITES`; it is
    not called when OFF."""

    codecs: Sequence[Codec] = LAWS
    encryption: Encryption = Encryption.OFF
    in_band_keys: bool = False  # listen for keys as tones where the peer takes telephone events, too
    key: Callable[[str], bytes] = lambda suite: b""


@dataclass(frozen=True, slots=True)
class Srtp:
    """The keys of both directions, master key and salt each."""

    suite: str
    local_key: bytes = field(repr=False)
    remote_key: bytes = field(repr=False)


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
    remote_rtcp_port: int = 0  # `remote_port` when RTCP shares it; 0: unknown
    srtp: Srtp | None = None
    crypto_tag: int = 0  # of the peer's line that `srtp` rests on
    in_band_keys: bool = False  # keys are to be listened for as tones


@dataclass(frozen=True, slots=True)
class Refused:
    """No stream can come of this description: answer 488 to an offer, end the call after an answer."""

    reason: str


def build_offer(
    address: str,
    port: int,
    codecs: Sequence[Codec] = LAWS,
    *,
    session_id: int,
    session_version: int = 1,
    direction: Direction = Direction.SENDRECV,
    crypto: tuple[Crypto, ...] = (),
    encryption: Encryption = Encryption.OFF,
) -> bytes:
    """Offer `codecs`, the first preferred, and telephone events, in packets of 20 ms.

    `session_version` grows by one with each offer or answer of a dialog that differs from the last.
    """
    formats = (
        *(Format(codec.static_payload_type, codec.value, 8000) for codec in codecs),
        Format(DTMF_PAYLOAD_TYPE, "telephone-event", 8000, _EVENTS),
    )
    protocol = "RTP/SAVP" if encryption is Encryption.REQUIRED else "RTP/AVP"
    media = _audio(address, port, protocol, formats, direction, crypto=crypto)
    return serialise(SessionDescription(Origin(str(session_id), str(session_version), address), (media,)))


def offered_crypto(wishes: Wishes) -> tuple[Crypto, ...]:
    """The lines of an offer, each with a key of its own."""
    if wishes.encryption is Encryption.OFF:
        return ()
    return tuple(Crypto(tag, suite, wishes.key(suite)) for tag, suite in enumerate(OFFERED, start=1))


def negotiate(
    peer: SessionDescription, wishes: Wishes, offered: tuple[Crypto, ...] | None = None
) -> Negotiated | Refused:
    """Judge the peer's offer, or with `offered`, the crypto lines of our offer, its answer.

    The first codec of the peer's list that is among ours is taken; of several audio lines the first usable.
    """
    reason = "no audio is offered"
    for index, media in enumerate(peer.media):
        if media.kind != "audio":
            continue
        outcome = _negotiate_media(media, index, wishes, offered)
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
    crypto: tuple[Crypto, ...] = ()
    if media.srtp is not None:
        crypto = (Crypto(media.crypto_tag, media.srtp.suite, media.srtp.local_key),)
    lines = [
        _audio(
            address,
            port,
            offered.protocol,
            tuple(formats),
            media.direction,
            crypto=crypto,
            rtcp_mux=offered.rtcp_mux,
        )
        if index == media.media_index
        else Media(offered.kind, 0, offered.protocol, offered.format_words)
        for index, offered in enumerate(offer.media)
    ]
    origin = Origin(str(session_id), str(session_version), address)
    return serialise(
        SessionDescription(origin, tuple(lines), offer.timing)
    )  # t= is the offer's: RFC 3264 section 6


def _audio(
    address: str,
    port: int,
    protocol: str,
    formats: tuple[Format, ...],
    direction: Direction,
    *,
    crypto: tuple[Crypto, ...],
    rtcp_mux: bool = False,
) -> Media:
    words = tuple(str(one.payload_type) for one in formats)
    return Media(
        "audio", port, protocol, words, formats, address, direction, _PTIME, rtcp_mux=rtcp_mux, crypto=crypto
    )


def _negotiate_media(
    media: Media, index: int, wishes: Wishes, offered: tuple[Crypto, ...] | None
) -> Negotiated | Refused:
    if media.port == 0:
        return Refused("the audio stream is refused (port 0)")
    if media.protocol not in (*_PLAIN, *_SECURE):
        return Refused(f"the transport is {media.protocol}, not RTP/AVP or RTP/SAVP")
    if media.address is None:
        return Refused("no c= line applies to the audio stream")
    try:
        remote = ipaddress.ip_address(media.address)
    except ValueError:
        return Refused("the connection address is not an IP address")
    chosen = _first_common(media, wishes.codecs)
    if chosen is None:
        return Refused("no common codec")
    keys = _keys(media, wishes, offered)
    if isinstance(keys, Refused):
        return keys
    codec, payload_type = chosen
    dtmf = next((f for f in media.formats if f.is_encoding("telephone-event") and f.clock_rate == 8000), None)
    direction = media.direction.reversed
    if remote.is_unspecified:  # hold as RFC 2543 wrote it: the peer wants no media
        direction = Direction.RECVONLY if direction.receives else Direction.INACTIVE
    return Negotiated(
        codec,
        payload_type,
        dtmf.payload_type if dtmf else None,
        str(remote),
        media.port,
        direction,
        index,
        # our offers do not share the port, so an answer cannot either
        media.port if media.rtcp_mux and offered is None else media.rtcp_port or min(media.port + 1, 65535),
        keys[0] if keys else None,
        keys[1] if keys else 0,
        dtmf is None or wishes.in_band_keys,
    )


def _keys(
    media: Media, wishes: Wishes, offered: tuple[Crypto, ...] | None
) -> tuple[Srtp, int] | Refused | None:
    """The keys to use and the tag of the peer's line; None for a plain stream."""
    secure = media.protocol in _SECURE
    if wishes.encryption is Encryption.OFF:
        return (
            Refused(f"the transport is {media.protocol}, and this trunk has srtp = off") if secure else None
        )
    if offered is not None:  # an answer names one of our lines
        for theirs in media.crypto:
            for ours in offered:
                if (theirs.tag, theirs.suite) == (ours.tag, ours.suite):
                    return Srtp(ours.suite, ours.key, theirs.key), theirs.tag
    else:
        for theirs in media.crypto:
            return Srtp(theirs.suite, wishes.key(theirs.suite), theirs.key), theirs.tag
    if secure:
        return Refused("no a=crypto line can be used (RFC 4568)")
    if wishes.encryption is Encryption.REQUIRED:
        return Refused("the audio is not encrypted, and this trunk has srtp = required")
    return None


def _first_common(media: Media, codecs: Sequence[Codec]) -> tuple[Codec, int] | None:
    for one in media.formats:
        for codec in codecs:
            if one.is_encoding(codec.value) and one.clock_rate == 8000:
                return codec, one.payload_type
    return None
