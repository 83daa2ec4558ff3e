"""How often customers have used words that offend, by service."""

from __future__ import annotations

from gateway.store.base import Delete, Store, Unit
from gateway.values.message import Offence


class Offences:
    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}  # by service and address

    async def load(self, store: Store, service: str) -> None:
        for offence in await store.offences(service):
            key = service, offence.address
            self._counts[key] = max(offence.count, self._counts.get(key, 0))

    def count(self, service: str, address: str) -> int:
        return self._counts.get((service, address), 0)

    def note(self, unit: Unit, service: str, address: str, count: int, now: float) -> None:
        """That many, with the latest."""
        self._counts[service, address] = count
        unit.writes.append(Offence(service=service, address=address, count=count, at=now))
        unit.undo.append(lambda: self._counts.update({(service, address): count - 1}))

    def erase(self, unit: Unit, service: str, address: str) -> bool:
        """Forget them.  False: there are none."""
        count = self._counts.pop((service, address), 0)
        if not count:
            return False
        unit.writes.append(Delete(Offence, (service, address)))
        unit.undo.append(lambda: self._counts.update({(service, address): count}))
        return True
