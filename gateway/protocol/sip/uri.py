"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self
from urllib.parse import quote, unquote

from gateway.protocol.sip.grammar import Parameters, parse_parameters, readable

SIP_SCHEMES = ("sip", "sips")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)(?::([0-9]{1,5}))?")
# nearly every URI looks like this; the rest goes the long way
_USUAL = re.compile(r"(sips?):(\+?[0-9A-Za-z]+)@([A-Za-z0-9_.\-]+)(?::([1-9][0-9]{0,3}))?")
_USER = re.compile(r"[^@<>\" \t\r\n]*+")
_USER_SAFE = "-_.!~*'()&=+$,?/;"


class BadUri(ValueError):
    """Not a URI, or a sip, sips or tel URI that breaks its grammar."""


class UnknownScheme(BadUri):
    """A URI of another scheme, which is no fault of its author's: 416."""


def scheme_of(text: str) -> str:
    """The scheme, lower case.  Raises BadUri when there is none."""
    match = _SCHEME.match(text)
    if match is None:
        raise BadUri(f"{readable(text)!r} has no scheme")
    return match[1].lower()


@dataclass(frozen=True, slots=True)
class Uri:
    """A parsed sip, sips or tel URI.  `user` is as written, with escapes; see `number`."""

    scheme: str
    user: str
    host: str = ""  # IPv6 in brackets; empty for tel
    port: int | None = None
    parameters: Parameters = field(default_factory=dict)
    headers: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadUri, for any scheme but sip, sips and tel too."""
        if usual := _USUAL.fullmatch(text):
            scheme, user, host, digits = usual.groups()
            return cls(scheme, user, host.lower(), int(digits) if digits else None)
        scheme = scheme_of(text)
        rest = text[len(scheme) + 1 :]
        if scheme == "tel":
            number, _, parameters = rest.partition(";")
            if not number or not _USER.fullmatch(number):
                raise BadUri(f"{readable(text)!r} has no number")
            return cls(scheme, number, parameters=parse_parameters(parameters))
        if scheme not in SIP_SCHEMES:
            raise UnknownScheme(f"scheme {scheme!r} is not sip, sips or tel")
        user, at, rest = rest.partition("@") if "@" in rest else ("", "", rest)
        if (at and not user) or not _USER.fullmatch(user):
            raise BadUri(f"{readable(text)!r} has a bad user part")
        place, _, headers = rest.partition("?")
        place, _, parameters = place.partition(";")
        match = _HOST_PORT.fullmatch(place)
        if match is None or "@" in rest:
            raise BadUri(f"{readable(text)!r} has no proper host")
        port = int(match[2]) if match[2] else None
        if port is not None and not 0 < port < 65536:
            raise BadUri(f"{readable(text)!r} has a bad port")
        return cls(scheme, user, match[1].lower(), port, parse_parameters(parameters), headers)

    @property
    def number(self) -> str:
        """The user part as a person would dial it: no password, no user parameters, escapes resolved."""
        user = self.user.partition(";")[0].partition(":")[0]
        if "%" not in user and user.isascii():
            return user
        return readable(unquote(user, errors="replace"))

    @property
    def loose(self) -> bool:
        """Whether a Route of this URI is a loose router (section 16.12)."""
        return "lr" in self.parameters


def host_port(host: str, port: int | None) -> str:
    """`host:port` with an IPv6 address in brackets; the port is left out when None."""
    place = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return place if port is None else f"{place}:{port}"


def without_headers(uri: str) -> str:
    """A sip URI as a Request-URI: what a `?` brings may not stand there (section 19.1.1)."""
    return uri.partition("?")[0]


@lru_cache(maxsize=1024)  # our own numbers, mostly
def sip_uri(user: str, host: str, port: int | None) -> str:
    """A sip URI's text; characters that may not stand in a user part are escaped."""
    place = host_port(host, port)
    return f"sip:{quote(user, safe=_USER_SAFE, errors='replace')}@{place}" if user else f"sip:{place}"
