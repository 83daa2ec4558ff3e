"""Who calls: the header `key` holds the key of one service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from aiohttp import web

from gateway.config.model import Service
from gateway.http.problem import Problem
from gateway.values.service_key import digest, digest_of

HEADER = "key"


class Keys:
    """Service names by the SHA-256 digest of their key: how long a look-up takes tells nothing of the keys.

    A key that was right is remembered itself; a dict compares it with what has the same hash, which is salted
    anew in each process, so that this tells no more.  `services` may change in place, its values not; `now`
    is the time in Unix seconds, at which a key that was replaced may hold no more.
    """

    def __init__(self, services: Mapping[str, Service], now: Callable[[], float] = time.time) -> None:
        self._services = services
        self._now = now
        self._read: list[Service] = []
        self._names: dict[bytes, tuple[str, float]] = {}  # until when; 0 = for good
        # keys that were right, so that most need no digest
        self._seen: dict[str, tuple[str, Service, float]] = {}

    def service(self, key: str) -> str | None:
        """The name of the service that holds the key."""
        if (seen := self._seen.get(key)) and self._services.get(seen[0]) is seen[1]:
            return seen[0] if not seen[2] or self._now() < seen[2] else None
        if len(self._read) != len(self._services) or any(
            old is not new for old, new in zip(self._read, self._services.values(), strict=True)
        ):
            self._read = list(self._services.values())
            self._seen.clear()
            self._names = {
                digest(s.previous_key): (name, float(s.previous_key_until))
                for name, s in self._services.items()
                if s.previous_key
            } | {digest(s.key): (name, 0.0) for name, s in self._services.items() if s.key}
        name, until = self._names.get(digest_of(key), ("", 0.0))
        if not name or (until and self._now() >= until):
            return None
        self._seen[key] = name, self._services[name], until
        return name


KEYS = web.AppKey("keys", Keys)


def authenticate(request: web.Request) -> str:
    """The name of the calling service.  Raises Problem 401."""
    key = request.headers.get(HEADER, "")
    if not key:
        raise Problem(401, "no_key", 'the header "key" is missing; it holds the key of the service')
    service = request.app[KEYS].service(key)
    if service is None:
        raise Problem(401, "unknown_key", 'no service has the key that the header "key" holds')
    return service
