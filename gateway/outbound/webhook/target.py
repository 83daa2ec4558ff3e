"""Where a POST goes, read from its URL: the connection that it needs, and the head that it begins with."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import NamedTuple

from yarl import URL

from gateway import __version__
from gateway.values.errors import BadInput

# What needs no quoting; such URLs, the usual ones, are only cut at the path
_PLAIN = re.compile(
    r"(https?://[a-z0-9.-]+(?::[0-9]{1,5})?)(/(?:[A-Za-z0-9/._~!$&'()*+,;=:@?-]|%[0-9A-Fa-f]{2})*)?"
)


class Origin(NamedTuple):
    """What may share a connection."""

    tls: bool
    host: str  # a name in ASCII, or an address without brackets
    port: int


class Target(NamedTuple):
    origin: Origin
    path: str  # with the query
    headers: str  # Host and those that say no more than that it is we who ask, each line ended


def target(url: str) -> Target:
    """Read an http or https URL as browsers do: what needs it is quoted, a name becomes ASCII (IDNA).

    User and password in it go into a header.  Raises BadInput.
    """
    plain = _PLAIN.fullmatch(url)
    if plain is None:
        return _any(url)
    known = _any(plain[1])  # the same for all paths: remembered
    return Target(known.origin, plain[2] or "/", known.headers)


@lru_cache(maxsize=4096)
def _any(url: str) -> Target:
    try:
        read = URL(url)
        host, port = read.raw_host, read.port
    except ValueError as error:
        raise BadInput(f"{url!r} is no URL: {error}") from None
    if read.scheme not in ("http", "https") or not host or not port:
        raise BadInput(f"{url!r} is no http:// or https:// URL with a host")
    named = f"[{host}]" if ":" in host else host
    headers = [f"Host: {named}" if read.is_default_port() else f"Host: {named}:{port}"]
    if read.user is not None:
        pair = f"{read.user}:{read.password or ''}".encode()
        headers.append(f"Authorization: Basic {base64.b64encode(pair).decode()}")
    headers += [f"User-Agent: trunkline/{__version__}", "Accept: */*"]
    lines = "".join(f"{line}\r\n" for line in headers)
    return Target(Origin(read.scheme == "https", host, port), read.raw_path_qs, lines)


def post(to: Target, headers: str, body: bytes) -> bytes:
    """The octets of a POST; `headers` are lines, each ended with CR LF."""
    head = (
        f"POST {to.path} HTTP/1.1\r\n{to.headers}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body
