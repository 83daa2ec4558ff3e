from __future__ import annotations

import re

import pytest

from gateway.content.smart_link import Tokens, by_program, device, is_token, named, put_in, target
from gateway.values.link import Link

TOKENS = Tokens(b"key")
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
LINK = Link(
    token="abcdefgh",
    number=1,
    service="s",
    name="offer",
    address="+447700900123",
    ref="m1",
    android="https://play.example/app",
    ios="https://apps.example/app",
    other="https://example.org/app",
    after="https://example.org/over",
    created_at=0.0,
    expires_at=100.0,
)


def test_no_two_links_share_a_token() -> None:
    made = {TOKENS.token(n) for n in range(20_000)}
    assert len(made) == 20_000 and all(re.fullmatch("[0-9A-Za-z]{8}", token) for token in made)


def test_the_next_token_is_not_guessed_from_the_last_or_without_the_key() -> None:
    first, second = TOKENS.token(1), TOKENS.token(2)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 5
    assert Tokens(b"other").token(1) != first


def test_what_is_a_token() -> None:
    assert is_token(TOKENS.token(2**46 - 1))
    assert not any(map(is_token, ["", "abc", "abcdefghi", "abcdefg/", "../../..", "abcdefg\n"]))


@pytest.mark.parametrize(
    ("agent", "kind"), [(IPHONE, "ios"), (PIXEL, "android"), (DESKTOP, "other"), ("", "other")]
)
def test_devices(agent: str, kind: str) -> None:
    assert device(agent) == kind


@pytest.mark.parametrize("agent", [IPHONE, PIXEL, DESKTOP])
def test_people(agent: str) -> None:
    assert not by_program("GET", {"user-agent": agent})


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {"user-agent": IPHONE}),
        ("GET", {}),
        ("GET", {"user-agent": "WhatsApp/2.23.20.0 A"}),
        ("GET", {"user-agent": "facebookexternalhit/1.1 Facebot Twitterbot/1.0"}),
        ("GET", {"user-agent": "TelegramBot (like TwitterBot)"}),
        ("GET", {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}),
        ("GET", {"user-agent": "Slackbot-LinkExpanding 1.0"}),
        ("GET", {"user-agent": "curl/8.5.0"}),
        ("GET", {"user-agent": "python-requests/2.32"}),
        ("GET", {"user-agent": PIXEL, "sec-purpose": "prefetch;prerender"}),
        ("GET", {"user-agent": PIXEL, "purpose": "preview"}),
    ],
)
def test_programs_that_look_before_a_person_does(method: str, headers: dict[str, str]) -> None:
    assert by_program(method, headers)


def test_where_a_link_leads() -> None:
    assert target(LINK, "ios", 99.0) == "https://apps.example/app"
    assert target(LINK, "android", 99.0) == "https://play.example/app"
    assert target(LINK, "other", 99.0) == "https://example.org/app"
    assert target(LINK, "ios", 100.0) == "https://example.org/over"


def test_links_in_texts() -> None:
    text = "See $(link.offer) or $(link.terms), $(link.offer)"
    assert named(text) == ["offer", "terms"]
    assert put_in(text, {"offer": "https://s/l/a"}) == "See https://s/l/a or $(link.terms), https://s/l/a"
    assert named("nothing $(name)") == []
