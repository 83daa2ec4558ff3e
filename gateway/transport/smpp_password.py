"""Passwords of accounts, in the open or as a hash, and the patience with those who guess them.

    pbkdf2-sha256$ITERATIONS$SALT$HEX       PBKDF2-HMAC-SHA256 (RFC 8018) of the password; SALT is text

One is made by:  python -c 'from gateway.transport.smpp_password import hashed; print(hashed(input()))'
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from weakref import WeakValueDictionary

_FORM = "pbkdf2-sha256"
_ITERATIONS = 200_000
FREE = 3  # failures of an address that cost it nothing
FIRST_SECONDS = 0.5
LONGEST_SECONDS = 4.0  # shorter than what clients wait for a bind_resp
FORGOTTEN_SECONDS = 600.0
REMEMBERED = 10_000  # addresses
HASHING = 2  # passwords that are compared with a hash at the same time


def hashed(password: str) -> str:
    """What to write into the configuration instead of the password."""
    salt = secrets.token_hex(8)
    return f"{_FORM}${_ITERATIONS}${salt}${_digest(password.encode(), salt, _ITERATIONS)}"


def is_hash(kept: str) -> bool:
    parts = kept.split("$")
    return len(parts) == 4 and parts[0] == _FORM and parts[1].isascii() and parts[1].isdigit()


def matches(kept: str, offered: bytes) -> bool:
    """Whether a password is the one that is kept.  A hash takes a tenth of a second."""
    if not is_hash(kept):
        return hmac.compare_digest(kept.encode(), offered)
    _, iterations, salt, digest = kept.split("$")
    return hmac.compare_digest(digest.encode(), _digest(offered, salt, int(iterations)).encode())


def _digest(password: bytes, salt: str, iterations: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", password, salt.encode(), max(iterations, 1)).hex()


class Patience:
    """How long an address that keeps failing has to wait for its next answer.  Told the time in seconds."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, last; oldest first

    def wait(self, address: str, now: float) -> float:
        count, last = self._failures.get(address, (0, now))
        if count < FREE or now - last > FORGOTTEN_SECONDS:
            return 0.0
        return float(min(FIRST_SECONDS * 2 ** min(count - FREE, 10), LONGEST_SECONDS))

    def failed(self, address: str, now: float) -> None:
        count, last = self._failures.pop(address, (0, now))
        self._failures[address] = (1 if now - last > FORGOTTEN_SECONDS else count + 1, now)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        self._failures.pop(address, None)

    def __len__(self) -> int:
        return len(self._failures)


class Doorman:
    """Looks at passwords without haste: those of an address that keeps failing late, and few hashes at once,
    one of an address, so that no address keeps the others waiting."""

    def __init__(self) -> None:
        self._patience = Patience()
        self._hashing = asyncio.Semaphore(HASHING)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def takes_time(self, address: str, kept: str) -> bool:
        """Whether the answer needs `look`; else `matches` will do."""
        return is_hash(kept) or self.slows(address)

    def slows(self, address: str) -> bool:
        """Whether an address has failed so often that its answers come late."""
        return self._wait(address) > 0

    async def look(self, address: str, kept: str, offered: bytes) -> bool:
        await asyncio.sleep(self._wait(address))
        turn = self._turns.setdefault(address, asyncio.Lock())
        async with turn, self._hashing:
            return await asyncio.to_thread(matches, kept, offered)

    def failed(self, address: str) -> None:
        self._patience.failed(address, asyncio.get_running_loop().time())

    def succeeded(self, address: str) -> None:
        self._patience.succeeded(address)

    def _wait(self, address: str) -> float:
        return self._patience.wait(address, asyncio.get_running_loop().time())
