"""Session descriptions with one audio stream: RFC 4566 and the offer/answer rules of RFC 3264."""

import re
from dataclasses import dataclass
from typing import Self

from simulators.rtp import CODECS, PCMA, PCMU, Codec

TELEPHONE_EVENT = "telephone-event/8000"
EVENT_PAYLOAD_TYPE = 101
MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_MEDIA = re.compile(r"(\w+) ([0-9]{1,5})(?:/[0-9]+)? (\S+) (.+)")
_RTPMAP = re.compile(r"rtpmap:([0-9]{1,3}) ([^/ ]+/[0-9]+)(?:/1)?")
_CONNECTION = re.compile(r"IN IP4 ([0-9.]+)")


class BadSdp(ValueError):
    """The description cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a peer said. `direction` is as the peer sees it; `media` all its m= lines, `audio` our index."""

    host: str
    port: int
    codecs: tuple[Codec, ...]
    event_type: int | None
    direction: str
    media: tuple[str, ...]
    audio: int

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises BadSdp, also when no codec of ours is in it."""
        lines = body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        if lines[0] != "v=0":
            raise BadSdp("it does not begin with v=0")
        session, sections = _sections(lines)
        for index, section in enumerate(sections):
            media = _MEDIA.fullmatch(section[0][2:])
            if media is None:
                raise BadSdp(f"m= line {section[0][:60]!r}")
            if media[1] != "audio" or media[3] != "RTP/AVP" or not 0 < int(media[2]) < 65536:
                continue
            host = _connection(section) or _connection(session)
            if host is None:
                raise BadSdp("no c=IN IP4 line")
            names = _names(section)
            listed = [int(pt) for pt in media[4].split() if pt.isdecimal()]
            known = tuple(CODECS[pt] for pt in listed if pt in CODECS)
            if not known:
                raise BadSdp(f"neither PCMU nor PCMA in {media[4]!r}")
            events = [pt for pt in listed if names.get(pt) == TELEPHONE_EVENT]
            direction = _direction(section) or _direction(session) or "sendrecv"
            lines_m = tuple(part[0] for part in sections)
            return cls(host, int(media[2]), known, events[0] if events else None, direction, lines_m, index)
        raise BadSdp("no audio stream over RTP/AVP")


def offer(host: str, port: int, *, session: int) -> bytes:
    """PCMU, PCMA and telephone events, both ways."""
    audio = _audio(port, [PCMU, PCMA], EVENT_PAYLOAD_TYPE, "sendrecv")
    return _render(host, session, audio)


def answer(offered: Description, host: str, port: int, *, session: int) -> bytes:
    """The peer's first codec that we know, its number for telephone events, every other stream refused."""
    lines: list[str] = []
    for index, media in enumerate(offered.media):
        if index == offered.audio:
            lines += _audio(port, [offered.codecs[0]], offered.event_type, MIRRORED[offered.direction])
        else:
            kind, _, rest = media[2:].partition(" ")
            lines.append(f"m={kind} 0 {rest.partition(' ')[2]}")
    return _render(host, session, lines)


def _render(host: str, session: int, media: list[str]) -> bytes:
    lines = ["v=0", f"o=- {session} 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", *media]
    return ("\r\n".join(lines) + "\r\n").encode()


def _audio(port: int, codecs: list[Codec], event_type: int | None, direction: str) -> list[str]:
    types = [str(codec.payload_type) for codec in codecs]
    maps = [f"a=rtpmap:{codec.payload_type} {codec.name}/8000" for codec in codecs]
    if event_type is not None:
        types.append(str(event_type))
        maps += [f"a=rtpmap:{event_type} {TELEPHONE_EVENT}", f"a=fmtp:{event_type} 0-15"]
    return [f"m=audio {port} RTP/AVP {' '.join(types)}", *maps, "a=ptime:20", f"a={direction}"]


def _sections(lines: list[str]) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    sections: list[list[str]] = []
    for line in lines:
        if line.startswith("m="):
            sections.append([line])
        else:
            (sections[-1] if sections else session).append(line)
    return session, sections


def _connection(lines: list[str]) -> str | None:
    for line in lines:
        if line.startswith("c="):
            match = _CONNECTION.match(line[2:])
            return match[1] if match else None
    return None


def _direction(lines: list[str]) -> str | None:
    return next((line[2:] for line in lines if line.startswith("a=") and line[2:] in MIRRORED), None)


def _names(lines: list[str]) -> dict[int, str]:
    matches = (_RTPMAP.match(line[2:]) for line in lines if line.startswith("a="))
    return {int(match[1]): match[2].lower() for match in matches if match}
