from __future__ import annotations

import asyncio
from unittest import mock

import pytest
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.head import LIMITS, MAX_OCTETS, Head, may_become_plain, plain

LINES = {
    "Host": "gw.example.org:8080",
    "User-Agent": "curl/8",
    "key": "alerts-key",
    "Content-Type": "application/json",
    "Content-Length": "52",
}


def head(path: str = "/v2/messages", **changed: str | None) -> bytes:
    """A plain head; `changed` lines have another value, None: are left out."""
    lines = LINES | {name.replace("_", "-"): value for name, value in changed.items()}
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n".encode("latin-1")


PLAIN = {
    "one": (head(), Head("/v2/messages", "alerts-key", 52)),
    "many": (head("/v2/messages/batch"), Head("/v2/messages/batch", "alerts-key", 52)),
    "keep-alive": (head(Connection="Keep-Alive"), Head("/v2/messages", "alerts-key", 52)),
    "other case": (head().replace(b"key:", b"KEY:"), Head("/v2/messages", "alerts-key", 52)),
    "no blanks": (head().replace(b": ", b":"), Head("/v2/messages", "alerts-key", 52)),
    "blanks": (head(key="  alerts-key  "), Head("/v2/messages", "alerts-key", 52)),
    "utf-8": (
        head(Content_Type="Application/JSON; charset=UTF-8"),
        Head("/v2/messages", "alerts-key", 52),
    ),
    "requests": (
        head(Accept_Encoding="gzip, deflate, br", Accept="*/*", Connection="keep-alive"),
        Head("/v2/messages", "alerts-key", 52),
    ),
    "a proxy": (
        head(X_Forwarded_For="192.0.2.7", Via="1.1 edge", traceparent="00-4bf92f-00f067-01"),
        Head("/v2/messages", "alerts-key", 52),
    ),
    "ipv6": (head(Host="[::1]:8080"), Head("/v2/messages", "alerts-key", 52)),
    "largest": (head(Content_Length="262144"), Head("/v2/messages", "alerts-key", 262_144)),
    "largest batch": (
        head("/v2/messages/batch", Content_Length="5242880"),
        Head("/v2/messages/batch", "alerts-key", 5_242_880),
    ),
}

NOT_PLAIN = {
    "another path": head("/v2/messages/preview"),
    "a query": head("/v2/messages?a=b"),
    "an absolute URI": head("http://gw.example.org/v2/messages"),
    "an encoded path": head("/v2/mess%61ges"),
    "a path that begins twice": head("//v2/messages"),
    "another method": head().replace(b"POST", b"PUT"),
    "a method in small letters": head().replace(b"POST", b"post"),
    "HTTP/1.0": head().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/2": head().replace(b"HTTP/1.1", b"HTTP/2.0"),
    "no version": head().replace(b" HTTP/1.1", b""),
    "two blanks": head().replace(b"POST ", b"POST  "),
    "an empty line before": b"\r\n" + head(),
    "no lines": b"POST /v2/messages HTTP/1.1\r\n\r\n",
    "bare LF": head().replace(b"\r\n", b"\n"),
    "one bare LF": head().replace(b"curl/8\r\n", b"curl/8\n"),
    "bare CR": head().replace(b"curl/8\r\n", b"curl/8\r"),
    "LF in a value": head(User_Agent="curl\n8"),
    "NUL": head(User_Agent="cu\0rl"),
    "a control character": head(User_Agent="cu\x7frl"),
    "a tab": head(User_Agent="cu\trl"),
    "Latin-1": head(key="kéy"),
    "a folded line": head(User_Agent="curl\r\n 8"),
    "a blank before the colon": head().replace(b"Content-Length:", b"Content-Length :"),
    "a blank before the name": head().replace(b"Content-Length:", b" Content-Length:"),
    "an underscore": head(X_Length="5").replace(b"X-Length", b"Content_Length"),
    "no colon": head().replace(b"User-Agent: curl/8", b"User-Agent"),
    "no name": head().replace(b"User-Agent: curl/8", b": curl/8"),
    "two lengths": head(content_length="52"),
    "two lengths that differ": head(content_length="4"),
    "two hosts": head(host="other.example.org"),
    "two keys": head(KEY="other"),
    "two of anything": head(user_agent="x"),
    "no host": head(Host=None),
    "an empty host": head(Host=""),
    "an odd host": head(Host="a@b"),
    "no length": head(Content_Length=None),
    "length 0": head(Content_Length="0"),
    "a signed length": head(Content_Length="+52"),
    "a negative length": head(Content_Length="-52"),
    "a padded length": head(Content_Length="052"),
    "a length in hex": head(Content_Length="0x34"),
    "a length with a blank": head(Content_Length="5 2"),
    "a list of lengths": head(Content_Length="52, 52"),
    "digits that are not ASCII": head(Content_Length="5²"),
    "too much": head(Content_Length="262145"),
    "too much of a batch": head("/v2/messages/batch", Content_Length="5242881"),
    "a very long length": head(Content_Length="9" * 5000),
    "no key": head(key=None),
    "an empty key": head(key=" "),
    "no type": head(Content_Type=None),
    "another type": head(Content_Type="text/plain"),
    "a type that begins like it": head(Content_Type="application/jsonp"),
    "another charset": head(Content_Type="application/json; charset=latin-1"),
    "chunked": head(Transfer_Encoding="chunked"),
    "chunked in other words": head(Transfer_Encoding="xchunked"),
    "chunked instead of a length": head(Transfer_Encoding="chunked", Content_Length=None),
    "compressed": head(Content_Encoding="gzip"),
    "expects 100": head(Expect="100-continue"),
    "an upgrade": head(Connection="Upgrade", Upgrade="websocket"),
    "h2c": head(Upgrade="h2c"),
    "the last request": head(Connection="close"),
    "an unknown connection option": head(Connection="keep-alive, Content-Length"),
    "trailers": head(TE="trailers"),
    "very many lines": head(**{f"X-{n}": "1" for n in range(100)}),
    "more than its end": head() + b"x",
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_heads_are_read(name: str) -> None:
    octets, expected = PLAIN[name]
    assert plain(octets) == expected


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_whatever_else_it_is_it_is_not_plain(name: str) -> None:
    assert NOT_PLAIN[name] != head()
    assert plain(NOT_PLAIN[name]) is None


@pytest.mark.parametrize("name", PLAIN)
def test_every_beginning_of_a_plain_head_may_become_one(name: str) -> None:
    octets, _ = PLAIN[name]
    assert all(may_become_plain(octets[:end]) for end in range(len(octets)))


@pytest.mark.parametrize(
    "octets",
    [
        b"G",
        b"POST /v2/messages HTTP/1.1\n",
        b"POST /v2/messages HTTP/1.1\r\nHost: x\r\n\0",
        b"POST /v2/messages HTTP/1.1\r\nHost: x\rkey",
        b"POST /v2/messages HTTP/1.1\r\nHost: \xe9",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v2/messages?" + b"a" * MAX_OCTETS,
    ],
)
def test_beginnings_that_never_become_plain_are_known_at_once(octets: bytes) -> None:
    assert not may_become_plain(octets)


PIECES = st.sampled_from(
    [
        *(
            b"\r",
            b"\n",
            b"\0",
            b" ",
            b"\t",
            b":",
            b",",
            b"0",
            b"9",
            b"\r\n",
            b"\r\n ",
            b"\xe9",
            b"x",
            b"-",
            b"_",
        ),
        *(b"\r\nContent-Length: 9", b"\r\nTransfer-Encoding: chunked", b"\r\nConnection: close", b"close"),
        *(b"\r\nUpgrade: x", b"\r\nHost: y", b"\r\nContent-Encoding: gzip", b"\r\nExpect: 100-continue"),
    ]
)


@given(
    st.sampled_from([octets for octets, _ in PLAIN.values()]),
    st.lists(st.tuples(st.integers(0, 250), st.integers(0, 3), PIECES), min_size=1, max_size=3),
)
def test_what_is_plain_reads_the_same_to_aiohttp(octets: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, length, piece in edits:
        octets = octets[:at] + piece + octets[at + length :]
    found = plain(octets)
    if found is None:
        return
    loop = mock.Mock(spec=asyncio.AbstractEventLoop)
    parser = HttpRequestParser(mock.Mock(), loop, 2**16, max_line_size=8190, max_field_size=8190)
    try:
        [(message, _)], upgraded, tail = parser.feed_data(octets)
    except HttpProcessingError as error:
        raise AssertionError(f"{octets!r} is plain, but aiohttp says: {error}") from error
    assert (message.method, message.path, message.version) == ("POST", found.path, (1, 1))
    assert message.headers.getall("Content-Length") == [str(found.length)]
    assert message.headers.getall("key") == [found.key]
    assert (message.chunked, message.upgrade, message.compression, message.should_close) == (
        False,
        False,
        None,
        False,
    )
    assert not upgraded and tail == b""
    assert found.length <= LIMITS[found.path]
