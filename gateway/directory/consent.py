"""Who has said no, to which service and by which channel.  In memory as a whole: every send asks."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import asdict

from gateway.store.base import Store, Unit
from gateway.values.message import Consent, ConsentChange

EVERY = ""  # the channel of what is said about all of them
CHANNELS = ("sms", "voice", "app")


class Consents:
    def __init__(self) -> None:
        self._opted_out: dict[tuple[str, str], tuple[Consent, ...]] = {}  # one for each channel, EVERY first
        self._opted_in: dict[str, set[str]] = {}  # of the services that ask for it

    async def load(self, store: Store, explicit: Iterable[str] = ()) -> None:
        for consent in await store.opted_out():
            self._put(consent)
        await self.require(store, explicit)

    async def require(self, store: Store, explicit: Iterable[str]) -> None:
        """From now on know who has said yes to these services, and to no others."""
        wanted = set(explicit)
        for service in wanted - set(self._opted_in):
            self._opted_in[service] = set(await store.opted_in(service))
        for service in set(self._opted_in) - wanted:
            del self._opted_in[service]

    def opted_in(self, service: str, address: str) -> bool:
        """Whether the customer has said yes to a service that was named to `require`, and not no since."""
        return address in self._opted_in.get(service, ())

    def refusal(self, service: str, address: str, channel: str = "sms") -> str:
        """Why nothing may be sent to this address, as a sentence; "" if it may."""
        for consent in self._opted_out.get((service, address), ()):
            if consent.channel in (EVERY, channel):
                by = f" of {channel}" if consent.channel else ""
                return f"the customer has opted out{by} ({consent.reason})"
        return ""

    def record(self, unit: Unit, consent: Consent) -> None:
        """Note what a customer said; it holds at once, and for ever once the unit is durable.

        What is said of every channel counts for those, too, of which something else was said before.
        """
        key = (consent.service, consent.address)
        before = self._opted_out.get(key, ())
        said = [consent]
        if consent.channel == EVERY:
            said += [
                Consent(**{**asdict(consent), "channel": other.channel}) for other in before if other.channel
            ]
        for each in said:
            self._put(each)
            unit.writes.append(each)
        self._note_yes(unit, consent)
        after = self._opted_out.get(key, ())
        unit.writes.append(ConsentChange(**asdict(consent)))
        unit.undo.append(lambda: self._take_back(key, after, before))

    def _note_yes(self, unit: Unit, consent: Consent) -> None:
        known = self._opted_in.get(consent.service)
        if known is None or consent.channel not in (EVERY, "sms"):
            return
        before = consent.address in known
        (known.discard if consent.opted_out else known.add)(consent.address)
        unit.undo.append(lambda: (known.add if before else known.discard)(consent.address))

    def _take_back(
        self, key: tuple[str, str], after: tuple[Consent, ...], before: tuple[Consent, ...]
    ) -> None:
        if self._opted_out.get(key, ()) is after:  # else the customer has said more since
            self._set(key, before)

    def _put(self, consent: Consent) -> None:
        key = (consent.service, consent.address)
        others = [other for other in self._opted_out.get(key, ()) if other.channel != consent.channel]
        if consent.opted_out:
            others.append(consent)
        self._set(key, tuple(sorted(others, key=lambda each: each.channel)))

    def _set(self, key: tuple[str, str], consents: tuple[Consent, ...]) -> None:
        if consents:
            self._opted_out[key] = consents
        else:
            self._opted_out.pop(key, None)
