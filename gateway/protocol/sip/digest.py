"""Digest authentication as a client: what a carrier demands by 401 or 407, and the credentials for it.

RFC 7616 with the algorithms of RFC 8760 section 2.1, RFC 3261 section 22.  Challenges may come in several
header fields and several to a field, and a realm with several algorithms: the strongest known counts.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.protocol.sip.grammar import BLANK, TOKEN, is_token, quote, split_list, unquote
from gateway.protocol.sip.message import CREDENTIALS, Request, Response

_ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}  # weakest first
# sha512_256 comes with OpenSSL, and not every Python is built with that
_HASHES = {name: hashed for name, hashed in _ALGORITHMS.items() if hashed in hashlib.algorithms_available}
_STRENGTH = {name: strength for strength, name in enumerate(_HASHES, 1)}
_SESSION = "-SESS"
_REALMS = 8  # whose nonces are remembered
LONGEST_NONCE = 4096  # characters; a nonce is echoed in every request

# "Digest realm=..." begins a challenge, "name=value" goes on with it
_PART = re.compile(rf"(?:({TOKEN})[ \t]+)?({TOKEN})[ \t]*=[ \t]*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """`algorithm` as the peer wrote it, empty when it did not; `qop` the one to use, empty for RFC 2069's."""

    realm: str
    nonce: str
    algorithm: str = ""
    qop: str = ""
    opaque: str | None = None
    stale: bool = False

    @property
    def strength(self) -> int:
        """0 for an algorithm that is not known; -sess changes nothing."""
        return _STRENGTH.get(_base(self.algorithm), 0)


def read_challenges(lines: Iterable[str]) -> list[Challenge]:
    """The Digest challenges that can be met, in their order, from the values of WWW- or Proxy-Authenticate.

    Other schemes, unknown algorithms and qops, and what breaks the grammar are left out.
    """
    found = []
    for parameters in _read(lines):
        offered = [word.strip(BLANK).lower() for word in parameters.get("qop", "").split(",")]
        qop = next((word for word in ("auth", "auth-int") if word in offered), "")
        if "realm" not in parameters or not parameters.get("nonce") or (parameters.get("qop") and not qop):
            continue
        challenge = Challenge(
            parameters["realm"],
            parameters["nonce"],
            parameters.get("algorithm", ""),
            qop,
            parameters.get("opaque"),
            parameters.get("stale", "").lower() == "true",
        )
        if challenge.strength and len(challenge.nonce) <= LONGEST_NONCE and not _has_control(parameters):
            found.append(challenge)
    return found


def strongest(challenges: Iterable[Challenge]) -> list[Challenge]:
    """One for each realm; of two equally strong the first."""
    best: dict[str, Challenge] = {}
    for challenge in challenges:
        known = best.get(challenge.realm)
        if known is None or challenge.strength > known.strength:
            best[challenge.realm] = challenge
    return list(best.values())


def response_of(
    challenge: Challenge,
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    body: bytes = b"",
    cnonce: str = "",
    nc: int = 1,
) -> str:
    """The `response` parameter: lower-case hex (RFC 7616 section 3.4.1)."""

    def hashed(*parts: str) -> str:
        return _hash(challenge.algorithm, ":".join(parts).encode("utf-8", "surrogateescape"))

    secret = hashed(username, challenge.realm, password)
    if challenge.algorithm.upper().endswith(_SESSION):
        secret = hashed(secret, challenge.nonce, cnonce)
    if challenge.qop == "auth-int":
        what = hashed(method, uri, _hash(challenge.algorithm, body))
    else:
        what = hashed(method, uri)
    if not challenge.qop:
        return hashed(secret, challenge.nonce, what)
    return hashed(secret, challenge.nonce, f"{nc:08x}", cnonce, challenge.qop, what)


_Key = tuple[str, str, bool]  # header name, realm, whether it is for REGISTER


@dataclass(slots=True)
class _Session:
    """A nonce in use.  The cnonce stays with it, since the -sess algorithms hash both but once."""

    challenge: Challenge
    cnonce: str
    nc: int = 0


class Digest:
    """One account's credentials and the nonces in use.  `cnonce` makes a new unguessable word.

    A nonce is used again, with its counter, until the peer replaces it.  That a peer asks again is answered
    once for each nonce, and only if the one before had been in use for a while or is called stale: otherwise
    it is the password that it does not like.
    """

    def __init__(self, username: str, password: str, cnonce: Callable[[], str]) -> None:
        self._username = username
        self._password = password
        self._cnonce = cnonce
        self._sessions: OrderedDict[_Key, _Session] = OrderedDict()

    def authorize(self, request: Request) -> None:
        """Add what the peer is known to ask for anyway, which spares a refusal and a repetition.

        A registrar's credentials go to nobody whom a call may reach.
        """
        registers = _registers(request)
        known = self._sessions.items()
        self._write(request, {key for key, session in known if session.challenge.qop and key[2] == registers})

    def answer(self, request: Request, response: Response, again: Request) -> bool:
        """Put credentials that meet a 401 or 407 into `again`, which takes the place of `request`.

        False: there is nothing that could be answered, or it was answered before.
        """
        proxy = response.status == 407
        field = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        name = CREDENTIALS[proxy]
        wanted = strongest(read_challenges(response.headers.lines(field)))
        registers = _registers(request)
        sent = {(header, realm, registers) for header in CREDENTIALS for realm in _sent(request, header)}
        fresh = set()
        for challenge in wanted:
            before = _sent(request, name).get(challenge.realm)
            if before is not None and not _worth_another(challenge, before):
                return False
            key = name, challenge.realm, registers
            self._sessions[key] = _Session(challenge, self._cnonce())
            self._sessions.move_to_end(key)
            fresh.add(key)
        while len(self._sessions) > _REALMS:
            self._sessions.popitem(last=False)
        if not fresh:
            return False
        self._write(again, sent | fresh)
        return True

    def _write(self, request: Request, keys: set[_Key]) -> None:
        lines: dict[str, list[str]] = {}
        for key in [key for key in self._sessions if key in keys]:
            session = self._sessions[key]
            session.nc += 1
            lines.setdefault(key[0], []).append(self._credentials(session, request))
        for name in CREDENTIALS:
            if name in lines:
                request.headers.set(name, *lines[name])

    def _credentials(self, session: _Session, request: Request) -> str:
        challenge = session.challenge
        response = response_of(
            challenge,
            username=self._username,
            password=self._password,
            method=request.method,
            uri=request.uri,
            body=request.body,
            cnonce=session.cnonce,
            nc=session.nc,
        )
        fields = [
            f"username={quote(self._username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(request.uri)}",
            f"response={quote(response)}",
        ]
        if challenge.algorithm:
            fields.append(f"algorithm={challenge.algorithm}")
        if challenge.opaque is not None:
            fields.append(f"opaque={quote(challenge.opaque)}")
        if challenge.qop or challenge.algorithm.upper().endswith(_SESSION):
            fields.append(f"cnonce={quote(session.cnonce)}")
        if challenge.qop:
            fields += [f"qop={challenge.qop}", f"nc={session.nc:08x}"]  # tokens, not strings (RFC 7616 3.4)
        return "Digest " + ", ".join(fields)


def _registers(request: Request) -> bool:
    return request.method == "REGISTER"


def _worth_another(challenge: Challenge, before: dict[str, str]) -> bool:
    if challenge.nonce == before.get("nonce"):
        return False
    return challenge.stale or before.get("nc", "00000001") != "00000001"


def _sent(request: Request, name: str) -> dict[str, dict[str, str]]:
    """The credentials of a request of ours by their realm."""
    return {parameters["realm"]: parameters for parameters in _read(request.headers.lines(name))}


def _read(lines: Iterable[str]) -> list[dict[str, str]]:
    """The parameters of each Digest challenge or credentials; of two alike the first counts."""
    found: list[dict[str, str]] = []
    for line in lines:
        current: dict[str, str] | None = None
        for part in split_list(line):
            match = _PART.fullmatch(part)
            if match is None:  # another scheme with something of its own behind it
                current = None
                continue
            scheme, name, written = match.groups()
            if scheme is not None:
                current = {} if scheme.lower() == "digest" else None
                if current is not None:
                    found.append(current)
            if current is not None:
                current.setdefault(name.lower(), unquote(written.strip(BLANK)))
    return found


def _has_control(parameters: dict[str, str]) -> bool:
    """Whether something is no part of a header line; an algorithm is echoed as a token besides."""
    algorithm = parameters.get("algorithm", "MD5")
    return not is_token(algorithm) or any(
        ord(letter) < 32 or letter == "\x7f" for text in parameters.values() for letter in text
    )


def _base(algorithm: str) -> str:
    return (algorithm or "MD5").upper().removesuffix(_SESSION)


def _hash(algorithm: str, data: bytes) -> str:
    return hashlib.new(_HASHES[_base(algorithm)], data, usedforsecurity=False).hexdigest()
