"""What the services of a number read out of a text (their [nlp]), and who uses words that offend."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.config.model import Service
from gateway.directory.offences import Offences
from gateway.store.base import Store, Unit
from gateway.text.pipeline import Reader, reads
from gateway.values.clock import Clock
from gateway.values.event import Event

log = logging.getLogger(__name__)

# What of it goes into the transaction log: what was read, not what was said
_TOLD = ("language", "intent", "confidence", "answer", "sentiment", "score", "profane", "late")


class Said(Struct, frozen=True):
    """`variables` of the group nlp; `masked` is the text to be seen instead, "" = as it is; `rejected`: the
    service does not answer such."""

    variables: Mapping[str, Any]
    masked: str = ""
    rejected: bool = False


class Listening:
    """Reads for the services that have [nlp]; costs the others nothing."""

    def __init__(
        self,
        clock: Clock,
        late: Callable[[str, str], None] = lambda service, stage: None,
        offences: Offences | None = None,
    ) -> None:
        """`late(service, stage)` is told of each stage that was left out."""
        self._clock = clock
        self._late = late
        self._services: dict[str, Service] = {}
        self._readers: dict[str, Reader] = {}
        self._offences = offences or Offences()

    def readers(self, services: Mapping[str, Service]) -> dict[str, Reader]:
        """For `configure`: reads what the services need, which may take a second; safe beside the loop."""
        return {
            name: self._readers[name]
            if self._services.get(name) == service and name in self._readers
            else Reader(service, self._clock.monotonic)
            for name, service in services.items()
            if reads(service)
        }

    def configure(self, services: Mapping[str, Service], readers: Mapping[str, Reader]) -> None:
        self._services, self._readers = dict(services), dict(readers)

    async def load(self, store: Store) -> None:
        for name in self._readers:
            await self._offences.load(store, name)

    def reader(self, service: str) -> Reader | None:
        return self._readers.get(service)

    def hear(self, services: Sequence[str], sender: str, text: str, now: float) -> dict[str, Said]:
        """What each of the services reads out of it; those without [nlp] are left out."""
        if not self._readers:
            return {}
        return {
            name: self._read(name, reader, sender, text, now)
            for name in services
            if (reader := self._readers.get(name)) is not None and self._services[name].nlp is not None
        }

    def _read(self, service: str, reader: Reader, sender: str, text: str, now: float) -> Said:
        analysis = reader.read(text, now)
        for stage, reason in analysis.failed.items():
            self._late(service, stage)
            log.warning("nlp.left_out", extra={"service": service, "stage": stage, "reason": reason})
        profane = bool(analysis.profane)
        offences = self._offences.count(service, sender) + profane
        settings = self._services[service].nlp
        action = settings.profanity.action if settings is not None and profane else "flag"
        return Said(
            {**analysis.variables, "offences": offences},
            masked=analysis.masked if action == "mask" else "",
            rejected=action == "reject",
        )

    def note(self, unit: Unit, transid: str, service: str, sender: str, said: Said) -> None:
        """Write down what the service to which the text has gone read out of it."""
        now = self._clock.now()
        data = {name: said.variables[name] for name in _TOLD}
        unit.writes.append(Event(ref=transid, type="nlp", service=service, at=now, data=data))
        if not said.variables["profane"]:
            return
        self._offences.note(unit, service, sender, said.variables["offences"], now)

    def reply(self, service: str) -> str:
        """What a text that is rejected is answered with; "" = nothing."""
        settings = self._services[service].nlp
        return settings.profanity.reply if settings is not None else ""
