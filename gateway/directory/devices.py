"""The installations of a client's app that customers have: who may connect as whom, and who can be reached.

The client's backend asks for a token when a customer has signed in to the app, and the app connects with it.
All are in memory, since each step by an app asks whether its customer has one: some 300 octets each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from gateway.store.base import Delete, Store, Unit
from gateway.values.customer import Device

MAX_DEVICES = 10  # of one customer in one app: a new one takes the place of the oldest
Key = tuple[str, str, str]  # service, app, customer


class Devices:
    """`token` makes a new unguessable word."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._by_digest: dict[str, Device] = {}
        self._of: dict[Key, tuple[Device, ...]] = {}  # oldest first

    async def load(self, store: Store) -> None:
        for device in await store.devices():
            self._put(device)

    def issue(self, unit: Unit, key: Key, now: float, valid_seconds: float) -> tuple[str, Device]:
        """A token for one more installation: only its holder ever knows it again."""
        token = self._token()
        service, app, address = key
        device = Device(
            digest=_digest(token),
            service=service,
            app=app,
            address=address,
            created_at=now,
            expires_at=now + valid_seconds,
        )
        held = self._of.get(key, ())
        gone = [old for old in held if old.expires_at <= now]
        kept = [old for old in held if old.expires_at > now]
        for old in (*gone, *kept[: max(0, len(kept) - MAX_DEVICES + 1)]):
            self._remove(unit, old)
        self._put(device)
        unit.writes.append(device)
        unit.undo.append(lambda: self._drop(device))
        return token, device

    def revoke(self, unit: Unit, key: Key) -> int:
        """No installation of the customer's may connect any more.  How many there were."""
        held = self._of.get(key, ())
        for device in held:
            self._remove(unit, device)
        return len(held)

    def holder(self, token: str, now: float) -> Device | None:
        """Whose token it is; None for one that is unknown, or too old."""
        device = self._by_digest.get(_digest(token))
        return device if device is not None and device.expires_at > now else None

    def known(self, device: Device) -> bool:
        return device.digest in self._by_digest

    def has(self, key: Key, now: float) -> bool:
        """Whether the customer has an installation that may connect."""
        return any(device.expires_at > now for device in self._of.get(key, ()))

    def _remove(self, unit: Unit, device: Device) -> None:
        self._drop(device)
        unit.writes.append(Delete(Device, (device.digest,)))
        unit.undo.append(lambda: self._put(device))

    def _put(self, device: Device) -> None:
        key = (device.service, device.app, device.address)
        self._by_digest[device.digest] = device
        self._of[key] = tuple(sorted((*self._of.get(key, ()), device), key=lambda d: d.created_at))

    def _drop(self, device: Device) -> None:
        key = (device.service, device.app, device.address)
        self._by_digest.pop(device.digest, None)
        left = tuple(other for other in self._of.get(key, ()) if other.digest != device.digest)
        if left:
            self._of[key] = left
        else:
            self._of.pop(key, None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
