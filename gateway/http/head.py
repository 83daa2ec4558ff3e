"""The heads of plain requests: what nearly every client sends, and nothing that two readers could take in two
ways.

This is no HTTP parser: it knows one form of two requests, line for line (RFC 9112 section 3, with neither
blanks nor choices).  Whatever else a head may be, right or wrong, is for aiohttp to judge.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.http.auth import HEADER
from gateway.http.submission import BATCH_LIMIT_OCTETS, LIMIT_OCTETS

MAX_OCTETS = 8_190  # as aiohttp's limit for one line
END = b"\r\n\r\n"

# path: how many octets its body may have
LIMITS = {"/v2/messages": LIMIT_OCTETS, "/v2/messages/batch": BATCH_LIMIT_OCTETS}

_START = b"POST /v2/messages"
_FIELD = rb"\r\n[A-Za-z][A-Za-z0-9-]{0,63}:[\x20-\x7e]*"
_PLAIN = re.compile(rb"POST (/v2/messages(?:/batch)?) HTTP/1\.1((?:%b){1,64})\r\n\r\n" % _FIELD)
_BEGUN = re.compile(rb"(?:[\x20-\x7e]+\r\n)*[\x20-\x7e]*\r?")
_TYPE = re.compile(r'application/json(?:; ?charset="?utf-8"?)?', re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_LENGTH = re.compile(r"[1-9][0-9]{0,6}")
# How the body is framed or coded, or what becomes of the connection: read by who knows all of HTTP
_OTHER_FORMS = {
    "content-encoding",
    "expect",
    "http2-settings",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class Head(NamedTuple):
    path: str
    key: str
    length: int  # octets of the body, from 1


def plain(octets: bytes) -> Head | None:
    """The head of a plain request, its empty line included; None for any other.

    One Host, Content-Type (JSON), Content-Length (canonical digits, within the path's limit) and key; no
    name twice, only printable ASCII, no Transfer-Encoding and nothing of its kind.
    """
    match = _PLAIN.fullmatch(octets)
    if match is None:
        return None
    path, lines = match[1].decode(), match[2].decode().split("\r\n")[1:]
    fields = {name.lower(): value.strip(" ") for name, _, value in (line.partition(":") for line in lines)}
    if len(fields) != len(lines) or not fields.keys().isdisjoint(_OTHER_FORMS):
        return None
    if fields.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    if not _HOST.fullmatch(fields.get("host", "")) or not _TYPE.fullmatch(fields.get("content-type", "")):
        return None
    key, length = fields.get(HEADER, ""), fields.get("content-length", "")
    if not key or not _LENGTH.fullmatch(length) or int(length) > LIMITS[path]:
        return None
    return Head(path, key, int(length))


def may_become_plain(octets: bytes | bytearray) -> bool:
    """Whether octets without an END may be the beginning of a plain head."""
    return (
        len(octets) < MAX_OCTETS
        and _START.startswith(octets[: len(_START)])
        and _BEGUN.fullmatch(octets) is not None
    )
