"""Who has said no.  In memory as a whole: every send asks."""

from __future__ import annotations

from gateway.store.base import Store, Unit
from gateway.values.message import Consent


class Consents:
    def __init__(self) -> None:
        self._opted_out: dict[tuple[str, str], Consent] = {}

    async def load(self, store: Store) -> None:
        self._opted_out = {(c.service, c.address): c for c in await store.opted_out()}

    def refusal(self, service: str, address: str) -> str:
        """Why nothing may be sent to this address, as a sentence; "" if it may."""
        consent = self._opted_out.get((service, address))
        return f"the customer has opted out ({consent.reason})" if consent else ""

    def record(self, unit: Unit, consent: Consent) -> None:
        """Note what a customer said; it holds at once, and for ever once the unit is durable."""
        key = (consent.service, consent.address)
        before = self._opted_out.get(key)
        after = consent if consent.opted_out else None
        self._put(key, after)
        unit.writes.append(consent)
        unit.undo.append(lambda: self._take_back(key, after, before))

    def _take_back(self, key: tuple[str, str], after: Consent | None, before: Consent | None) -> None:
        if self._opted_out.get(key) is after:  # else the customer has said more since
            self._put(key, before)

    def _put(self, key: tuple[str, str], consent: Consent | None) -> None:
        if consent is None:
            self._opted_out.pop(key, None)
        else:
            self._opted_out[key] = consent
