"""Smart links: tokens that nobody guesses and no two links share; who opens one, and where it leads.

A token is a number encrypted: a Feistel network of four rounds (Luby and Rackoff) over 46 bits, keyed by
HMAC, written in 8 characters.  Numbers are counted up, so that no two tokens are ever the same; without the
key the next one is any of 70,000,000,000,000.  It says nothing of the customer.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from gateway.values.link import Link

PATH = "/l/"
LENGTH = 8

_HALF = 23  # bits
_LOW = (1 << _HALF) - 1
_ROUNDS = 4
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(f"[0-9A-Za-z]{{{LENGTH}}}", re.ASCII)
_REFERENCE = re.compile(r"\$\(link\.([A-Za-z_][A-Za-z0-9_]*)\)")

# What reads a link to show a picture of its page, to look for viruses, or to search
_BOT = re.compile(
    r"bot\b|bot/|crawl|spider|preview|facebookexternalhit|facebot|whatsapp|telegram|slack|discord|skype|viber"
    r"|linkedin|embedly|pinterest|vkshare|urlscan|safelinks|proofpoint|barracuda|mimecast|scanner|headless"
    r"|curl/|wget/|python-|aiohttp|okhttp|go-http-client|java/|libwww|httpclient|axios|node-fetch|postman",
    re.IGNORECASE,
)
_IOS = re.compile(r"\b(?:iPhone|iPad|iPod)\b")
_ANDROID = re.compile(r"\bAndroid\b")
_PREFETCH = ("purpose", "sec-purpose", "x-purpose", "x-moz")


class Tokens:
    """`key` is the gateway's secret."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, number: int) -> str:
        """Of that link, 0 to 2**46 - 1."""
        left, right = number >> _HALF & _LOW, number & _LOW
        for round in range(_ROUNDS):
            digest = hmac.digest(self._key, f"link\0{round}\0{right}".encode(), "sha256")
            left, right = right, left ^ int.from_bytes(digest[:4], "big") & _LOW
        rest, written = left << _HALF | right, ""
        for _ in range(LENGTH):
            rest, digit = divmod(rest, len(_ALPHABET))
            written = _ALPHABET[digit] + written
        return written


def is_token(text: str) -> bool:
    return bool(_TOKEN.fullmatch(text))


def device(user_agent: str) -> str:
    """android, ios or other."""
    if _IOS.search(user_agent):
        return "ios"
    return "android" if _ANDROID.search(user_agent) else "other"


def by_program(method: str, headers: Mapping[str, str]) -> bool:
    """Whether nobody has tapped it: a preview, a scanner, a browser that reads ahead."""
    agent = headers.get("user-agent", "")
    ahead = any(
        word in headers.get(name, "").lower() for name in _PREFETCH for word in ("prefetch", "preview")
    )
    return method != "GET" or not agent or ahead or bool(_BOT.search(agent))


def target(link: Link, device: str, now: float) -> str:
    """Where it leads; "" once it has expired and nothing else is said."""
    if now >= link.expires_at:
        return link.after
    return {"android": link.android, "ios": link.ios}.get(device, "") or link.other


def named(text: str) -> list[str]:
    """The links that a text wants, each once."""
    return list(dict.fromkeys(_REFERENCE.findall(text))) if "$(link." in text else []


def put_in(text: str, urls: Mapping[str, str]) -> str:
    """The text with URLs for the links that are known."""
    return _REFERENCE.sub(lambda found: urls.get(found[1], found[0]), text)
