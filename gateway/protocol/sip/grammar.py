"""Lexical parts that many header fields share (RFC 3261 section 25.1).

Text comes from octets decoded as UTF-8 with `surrogateescape`, so that what is not UTF-8 passes through
unharmed.  Every pattern here is linear in the input, whatever a peer sends: quantifiers that could back off
are possessive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Parameters = dict[str, str | None]  # lower-case name -> value, None for a bare name

BLANK = " \t"
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
QUOTED = r'"(?:[^"\\]+|\\.)*+"'

_is_token = re.compile(TOKEN).fullmatch
# an unclosed quote or bracket swallows the rest: it fails once, not once per character
_COMMA = re.compile(r'"(?:[^"\\]+|\\.)*+"?|<[^>]*+>?|(,)', re.DOTALL)
_SEMICOLON = re.compile(r'"(?:[^"\\]+|\\.)*+"?|(;)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def is_token(text: str) -> bool:
    return _is_token(text) is not None


def _split(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for match in pattern.finditer(text):
        if match[1]:
            yield text[start : match.start()].strip(BLANK)
            start = match.end()
    yield text[start:].strip(BLANK)


def split_list(text: str) -> list[str]:
    """The values of a comma-separated field: commas inside quotes and angle brackets do not count."""
    if "," not in text:
        return [text]
    return [value for value in _split(text, _COMMA) if value]


def parse_parameters(text: str) -> Parameters:
    """`;name=value;name` to a dictionary; names are case-insensitive, the first of two alike counts."""
    if not text:
        return {}
    parameters: Parameters = {}
    for part in _split(text, _SEMICOLON) if '"' in text else text.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip(BLANK).lower()
        if name and name not in parameters:
            parameters[name] = unquote(value.strip(BLANK)) if equals else None
    return parameters


def format_parameters(parameters: Mapping[str, str | None]) -> str:
    return "".join(
        f";{name}" if value is None else f";{name}={value if _fits(value) else quote(value)}"
        for name, value in parameters.items()
    )


def _fits(value: str) -> bool:
    # a parameter's value is a token or a host, and a host may be an IPv6 reference or address
    return is_token(value) or (value != "" and not value.strip("0123456789abcdefABCDEF:.[]"))


def unquote(text: str) -> str:
    """A quoted string's content; anything else as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def readable(text: str) -> str:
    """Wire text as text that any encoder accepts: octets that were not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
