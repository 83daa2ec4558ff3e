"""A session description as a value: what SDP (RFC 8866, RFC 4566) says that a telephone call needs to know.

Read leniently, written strictly: lines may end in LF alone, s= and t= may be missing, unknown lines and
attributes are passed over.  What is not audio over RTP is kept as far as an answer must mention it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gateway.protocol.sdp.crypto import Crypto, crypto_line, parse_crypto

_LIMIT_OCTETS: Final = 16_384
_LIMIT_MEDIA: Final = 32
_LIMIT_FORMATS: Final = 128
_LIMIT_CRYPTO: Final = 16


class SdpError(ValueError):
    """The octets are not a session description; the peer broke the rules."""


class Direction(StrEnum):
    """Who may send media, seen from whoever wrote the description (RFC 3264 section 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> "Direction":
        """The same, seen from the other side."""
        return {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}.get(
            self, self
        )


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type with its a=rtpmap and a=fmtp; a static number has RFC 3551's meaning without them."""

    payload_type: int
    encoding_name: str
    clock_rate: int
    parameters: str = ""

    def is_encoding(self, name: str) -> bool:
        return self.encoding_name.upper() == name.upper()


@dataclass(frozen=True, slots=True)
class Media:
    """An m= line with what belongs to it.  `port` 0 = refused or switched off.

    `formats` holds the payload types of an RTP profile; `format_words` the line's words as they stood.
    `rtcp_port` is None where RTCP goes to the port after RTP's.
    """

    kind: str
    port: int
    protocol: str
    format_words: tuple[str, ...]
    formats: tuple[Format, ...] = ()
    address: str | None = None
    direction: Direction = Direction.SENDRECV
    ptime_milliseconds: int | None = None
    rtcp_mux: bool = False  # RFC 5761
    rtcp_port: int | None = None  # RFC 3605
    crypto: tuple[Crypto, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line; its numbers stay text, for what peers write there is not always a number.

    `session_version` grows with every change within one dialog (RFC 3264 section 8).
    """

    session_id: str
    session_version: str
    address: str
    username: str = "-"


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """All of it; the session's c= and direction are already given to the media without their own."""

    origin: Origin
    media: tuple[Media, ...]
    timing: str = "0 0"


# RFC 3551 table 4; only what a peer may list without a=rtpmap and we can name
_STATIC: Final[Mapping[int, tuple[str, int]]] = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    13: ("CN", 8000),
    15: ("G728", 8000),
    18: ("G729", 8000),
}


@dataclass(slots=True)
class _Section:
    """Lines of the session, or of one m=, while they are gathered."""

    media_line: str = ""
    address: str | None = None
    direction: Direction | None = None
    ptime: int | None = None
    rtcp_mux: bool = False
    rtcp_port: int | None = None
    crypto: list[Crypto] = field(default_factory=list)
    rtpmap: dict[int, tuple[str, int]] = field(default_factory=dict)
    fmtp: dict[int, str] = field(default_factory=dict)


def parse(data: bytes) -> SessionDescription:
    """Read a message body.  Raises SdpError, and nothing else, with the line at fault."""
    if len(data) > _LIMIT_OCTETS:
        raise SdpError(f"{len(data)} octets are more than {_LIMIT_OCTETS}")
    lines = _lines(data)
    if next(lines, None) != ("v", "0"):
        raise SdpError("the first line is not v=0")
    origin: Origin | None = None
    timing = "0 0"
    session = section = _Section()
    media: list[_Section] = []
    for letter, value in lines:
        match letter:
            case "m":
                if len(media) == _LIMIT_MEDIA:
                    raise SdpError(f"more than {_LIMIT_MEDIA} media lines")
                section = _Section(value)
                media.append(section)
            case "o" if origin is None:
                origin = _parse_origin(value)
            case "t" if not media:
                timing = " ".join(value.split())  # an answer repeats it: no stray CR may pass
            case "c":
                section.address = _parse_connection(value)
            case "a":
                _parse_attribute(section, value)
    if origin is None:
        raise SdpError("there is no o= line")
    return SessionDescription(origin, tuple(_parse_media(one, session) for one in media), timing)


def serialise(description: SessionDescription) -> bytes:
    """Write it with CRLF line ends; the connection address stands at the session and at media that differ."""
    origin = description.origin
    shared = next((media.address for media in description.media if media.address), origin.address)
    lines = [
        "v=0",
        f"o={origin.username} {origin.session_id} {origin.session_version} {_connection(origin.address)}",
        "s=-",
        f"c={_connection(shared)}",
        f"t={description.timing}",
    ]
    for media in description.media:
        lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.format_words)}")
        if media.port == 0:
            continue
        if media.address not in (None, shared):
            lines.append(f"c={_connection(media.address)}")
        for one in media.formats:
            lines.append(f"a=rtpmap:{one.payload_type} {one.encoding_name}/{one.clock_rate}")
            if one.parameters:
                lines.append(f"a=fmtp:{one.payload_type} {one.parameters}")
        if media.ptime_milliseconds is not None:
            lines.append(f"a=ptime:{media.ptime_milliseconds}")
        lines += [f"a=crypto:{crypto_line(crypto)}" for crypto in media.crypto]
        if media.rtcp_mux:
            lines.append("a=rtcp-mux")
        lines.append(f"a={media.direction}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _lines(data: bytes) -> Iterator[tuple[str, str]]:
    # attributes may hold any octets (RFC 8866 section 5); only ASCII ones matter here
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), start=1):
        text = line.rstrip("\r")
        if not text:
            continue
        if text[1:2] != "=":
            raise SdpError(f"line {number} has no type and '='")
        yield text[0], text[2:].strip()


def _number(text: str, what: str, limit: int) -> int:
    # str.isdigit alone takes digits of other scripts and int() takes signs and underscores
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise SdpError(f"{what} is not a number")
    value = int(text)
    if value > limit:
        raise SdpError(f"{what} {value} is over {limit}")
    return value


def _parse_origin(value: str) -> Origin:
    words = value.split()
    if len(words) != 6:
        raise SdpError(f"o= has {len(words)} fields instead of 6")
    return Origin(words[1], words[2], words[5], words[0])


def _parse_connection(value: str) -> str:
    words = value.split()
    if len(words) != 3 or words[0] != "IN" or words[1] not in ("IP4", "IP6"):
        raise SdpError("c= is not of the form IN IP4 address or IN IP6 address")
    return words[2].partition("/")[0]  # a multicast address carries /ttl


def _connection(address: str | None) -> str:
    return f"IN {'IP6' if ':' in (address or '') else 'IP4'} {address}"


def _parse_attribute(section: _Section, value: str) -> None:
    name, _, rest = value.partition(":")
    name = name.strip()
    match name:
        case "sendrecv" | "sendonly" | "recvonly" | "inactive":
            section.direction = Direction(name)
        case "rtpmap":
            key, _, encoding = rest.strip().partition(" ")
            parts = encoding.strip().split("/")
            if len(parts) < 2:
                raise SdpError("a=rtpmap is not of the form payload-type encoding/rate")
            rate = _number(parts[1], "the clock rate of a=rtpmap", 2**32)
            section.rtpmap[_number(key, "the payload type of a=rtpmap", 127)] = (parts[0], rate)
        case "fmtp":
            key, _, parameters = rest.strip().partition(" ")
            # formats of other media (text, T.38) are words, not payload types
            if key.isascii() and key.isdigit() and len(key) <= 3:
                section.fmtp[int(key)] = parameters.strip()
        case "ptime":
            # some gateways write "20.0"; the packets say what they hold, so a wrong value costs nothing
            head = rest.strip().partition(".")[0]
            section.ptime = int(head) if head.isascii() and head.isdigit() and len(head) <= 5 else None
        case "rtcp-mux":
            section.rtcp_mux = True
        case "rtcp":
            port = rest.strip().partition(" ")[0]
            section.rtcp_port = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None
        case "crypto":
            crypto = parse_crypto(rest)
            if crypto is not None and len(section.crypto) < _LIMIT_CRYPTO:
                section.crypto.append(crypto)


def _parse_media(section: _Section, session: _Section) -> Media:
    words = section.media_line.split()
    if len(words) < 4:
        raise SdpError(f"m= has {len(words)} fields; at least 4 are needed")
    if len(words) > _LIMIT_FORMATS + 3:
        raise SdpError(f"m= lists more than {_LIMIT_FORMATS} formats")
    kind, port_text, protocol, *format_words = words
    port = _number(port_text.partition("/")[0], "the port in m=", 65535)
    formats: tuple[Format, ...] = ()
    if protocol.startswith("RTP/"):
        formats = tuple(_formats(format_words, section))
    return Media(
        kind,
        port,
        protocol,
        tuple(format_words),
        formats,
        section.address or session.address,
        section.direction or session.direction or Direction.SENDRECV,
        section.ptime,
        section.rtcp_mux,
        section.rtcp_port,
        tuple(section.crypto),
    )


def _formats(words: list[str], section: _Section) -> Iterator[Format]:
    for word in words:
        payload_type = _number(word, "a payload type in m=", 127)
        named = section.rtpmap.get(payload_type) or _STATIC.get(payload_type)
        if named:  # a dynamic number without rtpmap means nothing
            yield Format(payload_type, *named, section.fmtp.get(payload_type, ""))
