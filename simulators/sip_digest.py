"""Digest authentication as the one who asks for it: RFC 7616 and RFC 8760, RFC 3261 section 22.

Proxy-Authenticate: Digest realm="east", nonce="5f1c...", algorithm=SHA-256, qop="auth"
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from simulators.sip_message import Malformed, Request, split_outside_quotes

ALGORITHMS: Mapping[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
NONCE_SECONDS = 300.0
NONCE_LIMIT = 1000
USES_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`user` has proved who he is; or `status` (401, 407, 403) with `headers` answers, for a `reason`."""

    user: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = ""


@dataclass(slots=True)
class _Nonce:
    born: float
    used: set[int] = field(default_factory=set)  # counters; a set, because datagrams overtake each other


@dataclass(slots=True)
class Guard:
    """Asks for one of `users` (name: password), by each of `algorithms`, in that order.

    A nonce is good for `nonce_life` seconds and every counter once; then the answer is `stale=true`.
    """

    users: Mapping[str, str]
    realm: str
    algorithms: Sequence[str] = ("SHA-256", "MD5")
    nonce_life: float = NONCE_SECONDS
    _nonces: OrderedDict[str, _Nonce] = field(default_factory=OrderedDict)

    def check(self, request: Request, now: float) -> Verdict:
        """`now` in seconds of any steady clock. Raises Malformed on credentials that cannot be read."""
        proxy = request.method != "REGISTER"
        given = [
            credentials
            for value in request.all("Proxy-Authorization" if proxy else "Authorization")
            if (credentials := read_credentials(value)) and credentials.get("realm") == self.realm
        ]
        if not given:
            return self._challenge(proxy, now, stale=False)
        credentials = given[0]
        user, reason = credentials.get("username", ""), self._mistake(credentials, request)
        if reason:
            return Verdict(user, 403, reason=reason)
        if not self._fresh(credentials, now):
            return self._challenge(proxy, now, stale=True)
        return Verdict(user)

    def _mistake(self, given: Mapping[str, str], request: Request) -> str:
        algorithm = next((a for a in self.algorithms if a == given.get("algorithm", "MD5").upper()), None)
        if algorithm is None:
            return "an algorithm that was not offered"
        if given.get("uri") != request.uri:
            return "another uri than the Request-URI"
        if given.get("qop") != "auth":
            return "another qop than auth"
        password = self.users.get(given.get("username", ""))
        if password is None:
            return "no such user"
        wanted = response_of(given, algorithm, password, request.method)
        return "" if secrets.compare_digest(wanted, given.get("response", "").lower()) else "wrong password"

    def _fresh(self, given: Mapping[str, str], now: float) -> bool:
        nonce = self._nonces.get(given.get("nonce", ""))
        try:
            count = int(given.get("nc", ""), 16)
        except ValueError:
            raise Malformed(f"nc={given.get('nc')!r}") from None
        if nonce is None or now - nonce.born > self.nonce_life or count in nonce.used:
            return False
        nonce.used.add(count)
        return len(nonce.used) <= USES_LIMIT

    def _challenge(self, proxy: bool, now: float, *, stale: bool) -> Verdict:
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = _Nonce(now)
        if len(self._nonces) > NONCE_LIMIT:
            self._nonces.popitem(last=False)
        rest = 'qop="auth"' + (", stale=true" if stale else "")
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        headers = tuple(
            (name, f'Digest realm={quoted(self.realm)}, nonce="{nonce}", algorithm={algorithm}, {rest}')
            for algorithm in self.algorithms
        )
        return Verdict("", 407 if proxy else 401, headers, "stale" if stale else "no credentials")


def read_credentials(value: str) -> dict[str, str] | None:
    """The parameters of `Digest username="1", ...`, without their quotes; None for another scheme."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    found: dict[str, str] = {}
    for part in split_outside_quotes(rest, ","):
        name, equals, text = part.partition("=")
        if not equals or name.strip().lower() in found:
            raise Malformed(f"credentials: {name.strip()[:40]!r}")
        found[name.strip().lower()] = unquoted(text.strip())
    return found


def response_of(given: Mapping[str, str], algorithm: str, password: str, method: str) -> str:
    """What `response` must be, in lower-case hex, with qop "auth". Source: RFC 7616 section 3.4.1."""
    hashed = ALGORITHMS[algorithm]

    def joined(*parts: str) -> str:
        return hashed(":".join(parts).encode("utf-8", "surrogateescape"))

    secret = joined(given.get("username", ""), given.get("realm", ""), password)
    what = joined(method, given.get("uri", ""))
    return joined(secret, *(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")), what)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(text: str) -> str:
    """The text of a quoted string, or a token as it is."""
    if len(text) < 2 or not text.startswith('"') or not text.endswith('"'):
        return text
    inner, found, escaped = text[1:-1], "", False
    for char in inner:
        escaped = char == "\\" and not escaped
        if not escaped:
            found += char
    return found
