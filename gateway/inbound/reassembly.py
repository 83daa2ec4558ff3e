"""Long MO: their parts are durable as they come, and put together when all are there or time is up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from msgspec import Struct

from gateway.config.model import Bind
from gateway.inbound import sms
from gateway.protocol.sms.coding import ALPHABETS, Coding
from gateway.protocol.sms.reassembly import Assembler, Complete, Incomplete, Key, Payload
from gateway.protocol.sms.udh import Concat
from gateway.store.base import Delete, Store, Unit
from gateway.values.errors import Throttled
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
    return Source(float(bind.reassembly), ALPHABETS[bind.default_alphabet])


class Reassembly:
    """One assembler for each peer, by name: references are a peer's own.

    Memory runs ahead of the store; a unit that is not stored takes its parts, and what it closed, back.
    """

    def __init__(self, sources: Mapping[str, Source], new_id: NewId) -> None:
        self._new_id = new_id
        self._undurable: set[str] = set()  # ids of parts that are being written
        self._lost: set[str] = set()  # and of those that could not be, in a message that is being written
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
                payload = Payload(part.octets, part.data_coding, part.id, part.header)
                assembler.add(key, part.part, payload, part.received_at)

    def add(self, unit: Unit, bind: str, inbound: sms.Inbound, now: float) -> list[Whole]:
        """Keep a part.  Gives the message that it completes, first, and any that had to be given up for it.

        A copy of a part that is durable gives nothing; one of a part that is not yet raises Throttled.
        """
        concat = inbound.data.concat
        assert concat is not None
        assembler = self._assemblers[bind]
        id = self._new_id()
        key = Key.of(inbound.sender, inbound.recipient, concat)
        payload = Payload(inbound.data.octets, inbound.data_coding, id, inbound.data.header)
        there = assembler.held(key, concat.part, payload)
        if there is not None:
            if there.token in self._undurable:
                raise Throttled("the same part is being written")
            return []
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
                header=inbound.data.header,
                received_at=now,
            )
        )
        self._undurable.add(id)
        complete = assembler.add(key, concat.part, payload, now)
        due = assembler.deadline()
        given_up = assembler.expire(now) if due is not None and due <= now else []
        closed: list[Complete | Incomplete] = [*given_up] if complete is None else [complete, *given_up]

        def stored() -> None:
            self._undurable.discard(id)
            self._close(closed)

        def take_back() -> None:
            self._undurable.discard(id)
            if not assembler.take_back(key, concat.part, id):
                self._lost.add(id)
            self._reopen(assembler, closed, now)

        unit.acts.append(stored)
        unit.undo.append(take_back)
        wholes = [self._whole(unit, bind, complete)] if complete is not None else []
        return wholes + self._given_up(unit, bind, given_up)

    def expire(self, unit: Unit, now: float) -> list[Whole]:
        """What came of messages whose time is up."""
        wholes: list[Whole] = []
        for bind, assembler in self._assemblers.items():
            given_up = assembler.expire(now)
            if given_up:
                unit.acts.append(partial(self._close, given_up))
                unit.undo.append(partial(self._reopen, assembler, given_up, now))
            wholes += self._given_up(unit, bind, given_up)
        return wholes

    def deadline(self) -> float | None:
        """When the next message's time is up, Unix seconds."""
        due = [at for assembler in self._assemblers.values() if (at := assembler.deadline()) is not None]
        return min(due) if due else None

    def _close(self, closed: Iterable[Complete | Incomplete]) -> None:
        """The messages are durable as wholes: their parts are nobody's business any more."""
        for message in closed:
            self._lost.difference_update(str(token) for token in message.tokens)

    def _reopen(self, assembler: Assembler, closed: Iterable[Complete | Incomplete], now: float) -> None:
        for message in closed:
            assembler.reopen(message, self._lost, now)
        self._close(closed)

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
