from __future__ import annotations

import base64

import pytest

from gateway import __version__
from gateway.outbound.webhook.target import Origin, post, target
from gateway.values.errors import BadInput

OURS = f"User-Agent: trunkline/{__version__}\r\nAccept: */*\r\n"


@pytest.mark.parametrize(
    ("url", "origin", "path", "host"),
    [
        ("http://example.org", Origin(False, "example.org", 80), "/", "example.org"),
        ("http://example.org/", Origin(False, "example.org", 80), "/", "example.org"),
        ("http://example.org:80/", Origin(False, "example.org", 80), "/", "example.org"),
        ("http://example.org:81/a", Origin(False, "example.org", 81), "/a", "example.org:81"),
        (
            "https://example.org/a/b?c=d&e=%2F",
            Origin(True, "example.org", 443),
            "/a/b?c=d&e=%2F",
            "example.org",
        ),
        ("https://Example.ORG:8443/", Origin(True, "example.org", 8443), "/", "example.org:8443"),
        ("HTTP://example.org/", Origin(False, "example.org", 80), "/", "example.org"),
        ("http://example.org?a=b", Origin(False, "example.org", 80), "/?a=b", "example.org"),
        ("http://example.org/a#part", Origin(False, "example.org", 80), "/a", "example.org"),
        ("http://127.0.0.1:8080/x", Origin(False, "127.0.0.1", 8080), "/x", "127.0.0.1:8080"),
        ("http://[::1]:8080/x", Origin(False, "::1", 8080), "/x", "[::1]:8080"),
        ("http://[::1]/", Origin(False, "::1", 80), "/", "[::1]"),
        (
            "http://bücher.example/ä b",
            Origin(False, "xn--bcher-kva.example", 80),
            "/%C3%A4%20b",
            "xn--bcher-kva.example",
        ),
        ("http://example.org/a%zz", Origin(False, "example.org", 80), "/a%25zz", "example.org"),
    ],
)
def test_a_url_says_where_to_connect_and_what_to_ask_for(
    url: str, origin: Origin, path: str, host: str
) -> None:
    read = target(url)
    assert (read.origin, read.path, read.headers) == (origin, path, f"Host: {host}\r\n{OURS}")


def test_user_and_password_become_a_header() -> None:
    read = target("https://us%3Aer:pa%40ss@example.org/x")
    pair = base64.b64encode(b"us:er:pa@ss").decode()
    assert read.headers == f"Host: example.org\r\nAuthorization: Basic {pair}\r\n{OURS}"
    assert read.origin == Origin(True, "example.org", 443)


@pytest.mark.parametrize("authority", ["", "/x", "[bad/", "h:99999/", "h:0/", "h:port/"])
def test_a_url_without_a_host_to_connect_to_is_refused(authority: str) -> None:
    with pytest.raises(BadInput):
        target(f"http://{authority}")


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://example.org/", "smpp:acme"])
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        target(url)


@pytest.mark.parametrize("nasty", ["\r\nX: y", "\n", "\r", " HTTP/1.1\r\n\r\n", "\0"])
def test_no_url_writes_headers_of_its_own(nasty: str) -> None:
    for url in (
        f"http://example.org/{nasty}",
        f"http://example.org/?{nasty}",
        f"http://user{nasty}@example.org/",
    ):
        request = post(target(url), "", b"")
        assert request.count(b"\r\n") == 7 + request.count(b"Authorization")
        assert request.count(b"\n") == request.count(b"\r") == request.count(b"\r\n")
        assert b"\0" not in request


def test_a_post_is_head_and_body() -> None:
    request = post(target("http://example.org/x?y"), "X-Hub-Id: 1\r\n", "é".encode())
    assert request == (
        b"POST /x?y HTTP/1.1\r\nHost: example.org\r\n"
        + OURS.encode()
        + b"Content-Type: application/json\r\nContent-Length: 2\r\nX-Hub-Id: 1\r\n\r\n\xc3\xa9"
    )
