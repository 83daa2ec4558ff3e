"""Runs as octets, made again when something happens to them: what many have in common is kept once.

    key       16 octets of a UUID; any other id after 17 zeros
    octets    moment in big-endian order of octets (8), due (8, little-endian double), then as MessagePack
              [shape, customer, created_at, updated_at, values, others]

A *shape* is what runs that wait at the same node share: flow, version, number, node, the names of their
variables.  Values that the run itself has elsewhere (its id, its customer) and other ids are written short.
"""

from __future__ import annotations

import struct

import msgspec

from gateway.values.work import Run

_LIMIT_SHAPES = 4_096  # a shape beyond these is written out in each run
_HEAD = struct.Struct(">d")
_DUE = struct.Struct("<d")
_HEAD_OCTETS = 16
_OTHERS = ("inbox", "effects", "logged", "parent", "parent_key", "depth", "key", "result", "reason", "seal")
_USUAL = tuple((each.name, each.default) for each in msgspec.structs.fields(Run) if each.name in _OTHERS)
_AWAITED = "effect"  # in the place of the key of the effect that was decided on last
_UUID = 16  # extension type: an id; below it, one of the run's own fields
_OWN = ("id", "customer", "number", "service", "flow")
_ZEROS = bytes(17)

Shape = tuple[str, str, str, str, str, str, str, tuple[str, ...]]


def key_of(id: str) -> bytes:
    if len(id) == 36:
        try:
            octets = bytes.fromhex(id.replace("-", ""))
        except ValueError:
            octets = b""
        if len(octets) == 16 and id_of(octets) == id:
            return octets
    return _ZEROS + id.encode()


def id_of(key: bytes) -> str:
    if len(key) != 16:
        return key[17:].decode()
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def moment(at: float) -> bytes:
    """Seconds of the monotonic clock as octets that sort as they do; what is before its beginning is 0."""
    return _HEAD.pack(max(at, 0.0))


def seconds(head: bytes) -> float:
    value: float = _HEAD.unpack_from(head)[0]
    return value


def due_of(octets: bytes) -> float:
    value: float = _DUE.unpack_from(octets, 8)[0]
    return value


class Packer:
    def __init__(self) -> None:
        self._shapes: list[Shape] = []
        self._numbers: dict[Shape, int] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(ext_hook=_Short).decode

    def packed(self, run: Run, head: bytes) -> bytes:
        waiting = _AWAITED if run.waiting and run.waiting == _effect(run.id, run.effects) else run.waiting
        names = tuple(run.data)
        shape = (run.service, run.flow, run.version, run.number, run.state, run.node, waiting, names)
        own = {getattr(run, name): n for n, name in enumerate(_OWN)}
        values = [_shortened(value, own) if type(value) is str else value for value in run.data.values()]
        others = {
            n: value for n, (name, usual) in enumerate(_USUAL) if (value := getattr(run, name)) != usual
        }
        fields = [self._shape(shape), run.customer, run.created_at, run.updated_at, values]
        # joined: what the encoder gives has a third of its room to spare
        return b"".join((head, _DUE.pack(run.due), self._encode([*fields, others] if others else fields)))

    def unpacked(self, key: bytes, octets: bytes) -> Run:
        number, customer, created_at, updated_at, values, *others = self._decode(
            memoryview(octets)[_HEAD_OCTETS:]
        )
        shape = self._shapes[number] if isinstance(number, int) else number
        service, flow, version, ours, state, node, waiting, names = shape
        id = id_of(key)
        own = (id, customer, ours, service, flow)
        fields = {_USUAL[n][0]: value for n, value in (others[0].items() if others else ())}
        if "inbox" in fields:
            fields["inbox"] = tuple(fields["inbox"])
        return Run(
            id=id,
            service=service,
            flow=flow,
            version=version,
            customer=customer,
            number=ours,
            state=state,
            node=node,
            waiting=_effect(id, fields.get("effects", 0)) if waiting == _AWAITED else waiting,
            data={
                name: value.read(own) if type(value) is _Short else value
                for name, value in zip(names, values, strict=True)
            },
            due=due_of(octets),
            created_at=created_at,
            updated_at=updated_at,
            **fields,
        )

    def _shape(self, shape: Shape) -> int | Shape:
        number = self._numbers.get(shape)
        if number is None:
            if len(self._shapes) == _LIMIT_SHAPES:
                return shape
            number = self._numbers[shape] = len(self._shapes)
            self._shapes.append(shape)
        return number


class _Short:
    """A text that was written short, as it comes out of the decoder."""

    __slots__ = ("_code", "_octets")

    def __init__(self, code: int, octets: memoryview) -> None:
        self._code, self._octets = code, bytes(octets)

    def read(self, own: tuple[str, ...]) -> str:
        return id_of(self._octets) if self._code == _UUID else own[self._code]


def _shortened(value: str, own: dict[str, int]) -> str | msgspec.msgpack.Ext:
    if value in own and value:
        return msgspec.msgpack.Ext(own[value], b"")
    if len(value) == 36 and len(key := key_of(value)) == 16:
        return msgspec.msgpack.Ext(_UUID, key)
    return value


def _effect(id: str, effects: int) -> str:
    """What a run waits for after its latest effect."""
    return f"effect:{id}/{effects}"
