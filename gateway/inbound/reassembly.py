"""Long MO: their parts are durable as they come, and put together when all are there or time is up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from gateway.config.model import Bind
from gateway.inbound import sms
from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.reassembly import Assembler, Complete, Incomplete, Key, Payload
from gateway.protocol.sms.udh import Concat
from gateway.store.base import Delete, Store, Unit
from gateway.values.ids import NewId
from gateway.values.message import Part


class Whole(Struct, frozen=True):
    bind: str
    sender: str
    recipient: str
    text: str
    incomplete: bool


class Source(Struct, frozen=True):
    """How a peer's parts are read."""

    timeout_seconds: float
    alphabet: Coding


def source_of(bind: Bind) -> Source:
    return Source(float(bind.reassembly), sms.ALPHABETS[bind.default_alphabet])


class Reassembly:
    """One assembler for each peer, by name: references are a peer's own."""

    def __init__(self, sources: Mapping[str, Source], new_id: NewId) -> None:
        self._new_id = new_id
        self._sources: dict[str, Source] = {}
        self._assemblers: dict[str, Assembler] = {}
        self.configure(sources)

    def configure(self, sources: Mapping[str, Source]) -> None:
        """Know these peers too; what is under way from others goes on."""
        for name, source in sources.items():
            if self._sources.get(name) != source:
                self._sources[name] = source
                self._assemblers[name] = Assembler(source.timeout_seconds)

    async def start(self, store: Store) -> None:
        """Take up the parts that came before a restart."""
        for part in await store.parts():
            assembler = self._assemblers.get(part.bind)
            if assembler is not None:
                concat = Concat(part.reference, part.total, part.part, part.wide, part.sar)
                key = Key.of(part.sender, part.recipient, concat)
                payload = Payload(part.octets, part.data_coding, part.id)
                assembler.add(key, part.part, payload, part.received_at)

    def add(self, unit: Unit, bind: str, inbound: sms.Inbound, now: float) -> list[Whole]:
        """Keep a part.  Gives the message that it completes, and any that had to be given up for it."""
        concat = inbound.data.concat
        assert concat is not None
        assembler = self._assemblers[bind]
        id = self._new_id()
        key = Key.of(inbound.sender, inbound.recipient, concat)
        payload = Payload(inbound.data.octets, inbound.data_coding, id)
        if assembler.holds(key, concat.part, payload):
            return []  # the carrier sent it again: it is durable already
        unit.writes.append(
            Part(
                id=id,
                bind=bind,
                sender=inbound.sender,
                recipient=inbound.recipient,
                reference=concat.reference,
                total=concat.total,
                part=concat.part,
                wide=concat.wide,
                sar=concat.sar,
                octets=inbound.data.octets,
                data_coding=inbound.data_coding,
                received_at=now,
            )
        )
        complete = assembler.add(key, concat.part, payload, now)
        wholes = [self._whole(unit, bind, complete)] if complete is not None else []
        due = assembler.deadline()
        if due is not None and due <= now:
            wholes += self._given_up(unit, bind, assembler.expire(now))
        return wholes

    def expire(self, unit: Unit, now: float) -> list[Whole]:
        """What came of messages whose time is up."""
        wholes: list[Whole] = []
        for bind, assembler in self._assemblers.items():
            wholes += self._given_up(unit, bind, assembler.expire(now))
        return wholes

    def deadline(self) -> float | None:
        """When the next message's time is up, Unix seconds."""
        due = [at for assembler in self._assemblers.values() if (at := assembler.deadline()) is not None]
        return min(due) if due else None

    def _given_up(self, unit: Unit, bind: str, given_up: Iterable[Incomplete]) -> list[Whole]:
        wholes = []
        for incomplete in given_up:
            whole = self._whole(unit, bind, incomplete)
            if not incomplete.repeat:
                wholes.append(whole)
        return wholes

    def _whole(self, unit: Unit, bind: str, message: Complete | Incomplete) -> Whole:
        unit.writes.extend(Delete(Part, (str(token),)) for token in message.tokens)
        text = sms.text_of(message.decode(self._sources[bind].alphabet))
        incomplete = isinstance(message, Incomplete)
        return Whole(bind, message.key.source, message.key.destination, text, incomplete)
