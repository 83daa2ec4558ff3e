"""Long MO: their parts are durable as they come, and put together when all are there or time is up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

from msgspec import Struct

from gateway.config.model import Bind
from gateway.inbound import sms
from gateway.protocol.sms.coding import ALPHABETS, Coding
from gateway.protocol.sms.reassembly import Assembler, Complete, Incomplete, Key, Payload
from gateway.protocol.sms.udh import Concat
from gateway.store.base import Delete, Store, Unit
from gateway.values.errors import Throttled
from gateway.values.ids import NewId, part_id
from gateway.values.message import Part


class Whole(Struct, frozen=True, kw_only=True):
    """`id` is the base of its parts' ids; `part_receipts` their registered_delivery, 0 if one is missing;
    `parts` how many segments it takes on air, with those that are missing."""

    bind: str
    sender: str
    recipient: str
    text: str
    incomplete: bool = False
    as_is: sms.AsIs | None = None
    data_coding: int = 0
    parts: int = 1
    id: str = ""
    part_receipts: bytes = b""


class Token(NamedTuple):
    """What a part is called between here and the assembler."""

    id: str
    registered_delivery: int

    @property
    def base(self) -> str:
        return self.id.rpartition("-")[0]


class Source(Struct, frozen=True):
    """How a peer's parts are read."""

    timeout_seconds: float
    alphabet: Coding


def source_of(bind: Bind) -> Source:
    return Source(float(bind.reassembly), ALPHABETS[bind.default_alphabet])


class Reassembly:
    """One assembler for each peer, by name: references are a peer's own.

    Memory runs ahead of the store; a unit that is not stored takes its parts, and what it closed, back.
    `now` is Unix seconds, `steady` gives the monotonic seconds of such a moment: parts are waited for as long
    wherever the wall clock is set to.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        new_id: NewId,
        steady: Callable[[float], float] = lambda at: at,
    ) -> None:
        self._new_id = new_id
        self._steady = steady
        self._waiting: dict[str, str] = {}  # parts by their ids: whose they are
        self._undurable: set[str] = set()  # ids of parts that are being written
        self._lost: set[Token] = set()  # and those that could not be, in a message that is being written
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
                token = Token(part.id, part.registered_delivery)
                payload = Payload(part.octets, part.data_coding, token, part.header)
                assembler.add(key, part.part, payload, self._steady(part.received_at))
                self._waiting[part.id] = part.bind

    def waits(self, bind: str, id: str) -> bool:
        """Whether a part of that peer waits for others."""
        return self._waiting.get(id) == bind

    def add(
        self, unit: Unit, bind: str, inbound: sms.Inbound, now: float, registered_delivery: int = 0
    ) -> tuple[str, list[Whole]]:
        """Keep a part.  Gives its id, the message that it completes, and then any that was given up for it.

        A copy of a part that is durable has that one's id; one of a part that is not yet raises Throttled.
        """
        concat = inbound.data.concat
        assert concat is not None
        assembler = self._assemblers[bind]
        key = Key.of(inbound.sender, inbound.recipient, concat)
        payload = Payload(inbound.data.octets, inbound.data_coding, None, inbound.data.header)
        there = assembler.held(key, concat.part, payload)
        if there is not None:
            known = cast(Token, there.token).id
            if known in self._undurable:
                raise Throttled("the same part is being written")
            return known, []
        companion = cast(Token | None, assembler.companion(key, concat.part))
        id = part_id(companion.base if companion else self._new_id(), concat.part)
        token = Token(id, registered_delivery)
        payload = replace(payload, token=token)
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
                registered_delivery=registered_delivery,
                received_at=now,
            )
        )
        self._undurable.add(id)
        self._waiting[id] = bind
        at = self._steady(now)
        complete = assembler.add(key, concat.part, payload, at)
        due = assembler.deadline()
        given_up = assembler.expire(at) if due is not None and due <= at else []
        closed: list[Complete | Incomplete] = [*given_up] if complete is None else [complete, *given_up]

        def stored() -> None:
            self._undurable.discard(id)
            self._close(closed)

        def take_back() -> None:
            self._undurable.discard(id)
            self._waiting.pop(id, None)
            if not assembler.take_back(key, concat.part, token):
                self._lost.add(token)
            self._reopen(assembler, closed, at)

        unit.acts.append(stored)
        unit.undo.append(take_back)
        wholes = [self._whole(unit, bind, complete)] if complete is not None else []
        return id, wholes + self._given_up(unit, bind, given_up)

    def expire(self, unit: Unit, now: float) -> list[Whole]:
        """What came of messages whose time is up."""
        wholes: list[Whole] = []
        at = self._steady(now)
        for bind, assembler in self._assemblers.items():
            given_up = assembler.expire(at)
            if given_up:
                unit.acts.append(partial(self._close, given_up))
                unit.undo.append(partial(self._reopen, assembler, given_up, at))
            wholes += self._given_up(unit, bind, given_up)
        return wholes

    def deadline(self) -> float | None:
        """When the next message's time is up, as `steady` gives it."""
        due = [at for assembler in self._assemblers.values() if (at := assembler.deadline()) is not None]
        return min(due) if due else None

    def _close(self, closed: Iterable[Complete | Incomplete]) -> None:
        """The messages are durable as wholes: their parts are nobody's business any more."""
        for message in closed:
            for token in _tokens(message):
                self._lost.discard(token)
                self._waiting.pop(token.id, None)

    def _reopen(self, assembler: Assembler, closed: Iterable[Complete | Incomplete], at: float) -> None:
        for message in closed:
            assembler.reopen(message, self._lost, at)
            self._lost.difference_update(_tokens(message))

    def _given_up(self, unit: Unit, bind: str, given_up: Iterable[Incomplete]) -> list[Whole]:
        wholes = []
        for incomplete in given_up:
            whole = self._whole(unit, bind, incomplete)
            if not incomplete.repeat:
                wholes.append(whole)
        return wholes

    def _whole(self, unit: Unit, bind: str, message: Complete | Incomplete) -> Whole:
        tokens = _tokens(message)
        unit.writes.extend(Delete(Part, (token.id,)) for token in tokens)
        decoded = message.decode(self._sources[bind].alphabet)
        unreadable = False  # half a character beside a gap is no reason to hand on octets
        if isinstance(message, Complete):
            unreadable = sms.unreadable(decoded)
            numbers: Sequence[int] = range(1, message.key.total + 1)
            payloads = message.payloads
        else:
            numbers, payloads = zip(*message.parts, strict=True)
        wanted = bytearray(message.key.total)
        for number, token in zip(numbers, tokens, strict=True):
            wanted[number - 1] = token.registered_delivery
        return Whole(
            bind=bind,
            sender=message.key.source,
            recipient=message.key.destination,
            text=sms.text_of(decoded),
            incomplete=isinstance(message, Incomplete),
            as_is=sms.as_is(payloads, unreadable=unreadable),
            data_coding=payloads[0].data_coding,
            parts=message.key.total,
            id=tokens[0].base,
            part_receipts=bytes(wanted),
        )


def _tokens(message: Complete | Incomplete) -> tuple[Token, ...]:
    return cast(tuple[Token, ...], message.tokens)
