"""Who calls: From, P-Asserted-Identity, Privacy (RFC 3261 section 8.1.1.3, RFC 3323, RFC 3325)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.protocol.sip.grammar import BLANK, TOKEN
from gateway.protocol.sip.headers import BadHeader, NameAddr
from gateway.protocol.sip.message import Request
from gateway.protocol.sip.uri import BadUri, Uri, sip_uri

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 section 4.1.1.3
_WITHHELD = frozenset({"id", "user", "header", "critical"})
_NOBODY = frozenset({"anonymous", "restricted", "unavailable", "unknown", "private", "withheld"})
# nearly every From and To looks like this; the rest goes the long way
_USUAL = re.compile(
    r'(?:"[^"\\]*+"[ \t]*+|[^"<]*+)<sips?:(\+?[0-9]++)@(?!(?i:anonymous\.invalid)[:>])[A-Za-z0-9.\-]++'
    rf"(?::[1-9][0-9]{{0,3}})?>(?:;tag={TOKEN})?"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """How we call ourselves to a carrier.

    `number` as that carrier wants it written, `domain` a host that stands behind it.  `asserted` names the
    header that carries the number beside From, empty for none.  `anonymous`: From says nothing, the callee is
    not to see the number, and only `asserted` tells the carrier who pays.
    """

    number: str
    domain: str
    asserted: str = ""
    anonymous: bool = False

    def from_(self, tag: str) -> str:
        """The From value."""
        return f"{ANONYMOUS if self.anonymous else f'<{self._uri}>'};tag={tag}"

    def headers(self) -> list[tuple[str, str]]:
        fields = [(self.asserted, f"<{self._uri}>")] if self.asserted else []
        return [*fields, ("Privacy", "id")] if self.anonymous else fields

    @property
    def _uri(self) -> str:
        return sip_uri(self.number, self.domain, None)


def caller_of(request: Request) -> str:
    """The caller's number as the carrier wrote it; empty when it is withheld or there is none.

    P-Asserted-Identity is the carrier's own word, and so better than the From of a customer's PBX.
    """
    wanted = {
        word.strip(BLANK).lower() for line in request.headers.lines("Privacy") for word in line.split(";")
    }
    if wanted & _WITHHELD:
        return ""
    for value in request.headers.values("P-Asserted-Identity"):
        if number := number_of(value):
            return number
    return number_of(request.headers.get("From"))


def number_of(value: str) -> str:
    """The user part of an address field; empty for an address without one, and for one that means nobody."""
    if usual := _USUAL.fullmatch(value):
        return usual[1]
    try:
        uri = Uri.parse(NameAddr.parse(value).uri)
    except (BadHeader, BadUri):
        return ""
    return "" if uri.number.lower() in _NOBODY or uri.host == "anonymous.invalid" else uri.number
