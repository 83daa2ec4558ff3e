"""Parts of long messages back into one, in memory and without a clock.

The parts stay octets until all are there: an escape or a surrogate pair may straddle two of them.  What a
peer can fill is bounded by messages and by octets; past a limit the oldest message is given up as if its time
were over.  A restart is the store's business: adding its parts again, oldest first, gives the same state.
"""

from collections import OrderedDict
from collections.abc import Container, Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final, NamedTuple, Self

from gateway.protocol.sms import coding, gsm, udh
from gateway.protocol.sms.coding import Binary, Coding, Text
from gateway.protocol.sms.national import Shift
from gateway.protocol.sms.udh import Concat

_FULL_OCTETS: Final = 140
_REMEMBERED: Final = 1_000  # completed messages whose late copies are still recognised


class Sar(NamedTuple):
    """sar_msg_ref_num (0..65535), sar_total_segments, sar_segment_seqnum (SMPP 3.4 section 5.3.2.22 on)."""

    reference: int
    total: int
    part: int


class UserData(NamedTuple):
    """What a PDU carries: which part it is (None: all), its octets without header, what was wrong, and the
    header itself, its length included (empty: none that can be read)."""

    concat: Concat | None
    octets: bytes
    fault: str | None
    header: bytes = b""

    def decode(self, data_coding: int, default_alphabet: Coding = Coding.GSM) -> Text | Binary:
        """A message that is all in this PDU."""
        if not self.header and default_alphabet is not Coding.PACKED:  # nearly all of them
            return coding.decode(self.octets, data_coding, default_alphabet)
        return join([Payload(self.octets, data_coding, header=self.header)], default_alphabet)


def user_data(udhi: bool, octets: bytes, sar: Sar | None = None) -> UserData:
    """Take a short_message or message_payload apart.  Never raises.

    `udhi` is bit 0x40 of esm_class.  A concatenation in the header goes before the sar parameters.  A header
    that cannot be read is skipped by its own length (TS 23.040 section 9.2.3.24: ignored as a whole); if even
    that is wrong, all octets count as text.  `fault` then says what was wrong, for the log.
    """
    concat, fault, header = None, None, b""
    if udhi:
        try:
            parsed = udh.parse(octets)
            concat, header, octets = parsed.concat, octets[: parsed.octets], octets[parsed.octets :]
        except udh.DecodeError as error:
            fault = str(error)
            if octets and octets[0] < len(octets):
                octets = octets[1 + octets[0] :]
    if concat is None and sar is not None:
        if 1 <= sar.part <= sar.total <= 255:
            concat = Concat(sar.reference, sar.total, sar.part, wide=True, sar=True)
        else:
            fault = fault or f"sar parameters say part {sar.part} of {sar.total}"
    return UserData(concat, octets, fault, header)


@dataclass(frozen=True, slots=True)
class Key:
    """What the parts of one message have in common; the addresses in whatever form the caller compares."""

    source: str
    destination: str
    reference: int
    total: int
    wide: bool
    sar: bool

    @classmethod
    def of(cls, source: str, destination: str, concat: Concat) -> Self:
        return cls(source, destination, concat.reference, concat.total, concat.wide, concat.sar)


@dataclass(frozen=True, slots=True)
class Payload:
    """A part's octets without header; `token` is the caller's own name for the part (a segment's id);
    `header` as in UserData: it says in which national language tables the octets are, and the ports."""

    octets: bytes
    data_coding: int
    token: Hashable = None
    header: bytes = b""

    @property
    def size(self) -> int:
        return len(self.octets) + len(self.header)

    @property
    def reading(self) -> tuple[int, Shift]:
        """What decides how the octets are read."""
        return self.data_coding, udh.parse(self.header).shift if self.header else Shift()


@dataclass(frozen=True, slots=True)
class Complete:
    """Every part, in order."""

    key: Key
    payloads: tuple[Payload, ...]

    @property
    def tokens(self) -> tuple[Hashable, ...]:
        return tuple(payload.token for payload in self.payloads)

    def decode(self, default_alphabet: Coding = Coding.GSM) -> Text | Binary:
        return join(self.payloads, default_alphabet)


@dataclass(frozen=True, slots=True)
class Incomplete:
    """What came before the time, or the room, was over: (part, payload) in order, and which are missing.

    `repeat` means that all of it had arrived before in a message that was completed: the peer sent some parts
    again, and nobody is to see them twice.
    """

    key: Key
    parts: tuple[tuple[int, Payload], ...]
    missing: tuple[int, ...]
    repeat: bool

    @property
    def tokens(self) -> tuple[Hashable, ...]:
        return tuple(payload.token for _, payload in self.parts)

    def decode(self, default_alphabet: Coding = Coding.GSM) -> Text | Binary:
        """The parts decoded and put together; half a character beside a gap shows as U+FFFD or a space."""
        # Neighbours share the difference between number and place: they are joined before they are decoded.
        runs = groupby(enumerate(self.parts), key=lambda at: at[1][0] - at[0])
        return _concatenate(
            [join([payload for _, (_, payload) in run], default_alphabet) for _, run in runs],
        )


def join(payloads: Sequence[Payload], default_alphabet: Coding = Coding.GSM) -> Text | Binary:
    """Decode parts that follow each other: first joined, then decoded, by runs of the same data_coding and
    national language tables.  Packed septets begin anew in each part."""
    if default_alphabet is Coding.PACKED:
        end = len(payloads) - 1
        payloads = [_unpacked(payload, last=at == end) for at, payload in enumerate(payloads)]
        default_alphabet = Coding.GSM
    whole = _concatenate(
        [
            coding.decode(b"".join(payload.octets for payload in run), data_coding, default_alphabet, shift)
            for (data_coding, shift), run in groupby(payloads, key=lambda payload: payload.reading)
        ]
    )
    if isinstance(whole, Binary) and payloads and payloads[0].header:
        return replace(whole, ports=udh.parse(payloads[0].header).ports)
    return whole


def _unpacked(payload: Payload, *, last: bool) -> Payload:
    if coding.classify(payload.data_coding)[0] is not Coding.GSM:
        return payload
    fill_bits = gsm.fill_bits(len(payload.header))
    if payload.size != _FULL_OCTETS:
        octets = gsm.unpack_filled(payload.octets, fill_bits)
    elif last:
        octets = gsm.unpack_full(payload.octets, fill_bits)
    else:  # another part follows because nothing more went into this one
        octets = gsm.unpack(payload.octets, 8 * len(payload.octets), fill_bits)
    return replace(payload, octets=octets)


def _concatenate(pieces: list[Text | Binary]) -> Text | Binary:
    """One value of several: text if any of them is, with the binary ones left out and marked as a fault."""
    if len(pieces) == 1:
        return pieces[0]
    message_class = pieces[0].message_class if pieces else None
    texts = [piece for piece in pieces if isinstance(piece, Text)]
    binaries = [piece for piece in pieces if isinstance(piece, Binary)]
    if binaries and not texts:
        octets = b"".join(piece.octets for piece in binaries)
        return Binary(octets, message_class, binaries[0].ports)
    faulty = len(texts) < len(pieces) or any(text.faulty for text in texts)
    return Text("".join(text.text for text in texts), message_class, faulty)


@dataclass(slots=True)
class _Open:
    since: float
    before: tuple[int, ...]
    """Fingerprints of the message that was completed under the same key not long ago, in the parts' order."""
    octets: int = 0
    parts: dict[int, Payload] = field(default_factory=dict)


class Assembler:
    """Collects parts in any order; `add` gives the message when its last part is there.

    Times are monotonic seconds and never go back.  The shell calls `expire` when `deadline` has come.
    """

    def __init__(
        self, timeout_seconds: float, limit_messages: int = 10_000, limit_octets: int = 16 * 1024 * 1024
    ) -> None:
        self._timeout = timeout_seconds
        self._limit_messages = limit_messages
        self._limit_octets = limit_octets
        self._octets = 0
        self._open: OrderedDict[Key, _Open] = OrderedDict()  # oldest first, which is also first to expire
        self._completed: OrderedDict[Key, tuple[float, tuple[int, ...]]] = OrderedDict()
        self._given_up: list[Incomplete] = []
        self._given_up_at = 0.0

    def __len__(self) -> int:
        """How many messages are open."""
        return len(self._open)

    def held(self, key: Key, part: int, payload: Payload) -> Payload | None:
        """What is already there of a part that `add` would ignore as a copy; None if it is no copy."""
        opened = self._open.get(key)
        there = opened.parts.get(part) if opened is not None else None
        return there if there is not None and _same(there, payload) else None

    def companion(self, key: Key, part: int) -> Hashable | None:
        """The token of a part of the message that `add` would put this one to; None: it would begin one."""
        opened = self._open.get(key)
        if opened is None or part in opened.parts:
            return None
        return next(iter(opened.parts.values())).token

    def add(self, key: Key, part: int, payload: Payload, now: float) -> Complete | None:
        """Take a part in.  None while others are missing, and for a copy of a part that is already there.

        A different part under the number of one that is there begins a new message: the reference came round
        again (some senders always use the same), so that the old one is given up to the next `expire`.
        Raises ValueError if `part` is not within the key's total.
        """
        if not 1 <= part <= key.total:
            raise ValueError(f"part {part} of {key.total}")
        if key.total == 1:
            return Complete(key, (payload,))
        if self.held(key, part, payload) is not None:
            return None
        opened = self._open.get(key)
        if opened is not None and part in opened.parts:
            self._give_up(key, now)
            opened = None
        if opened is None:
            opened = self._open[key] = _Open(now, self._completed_before(key, now))
        self._put(opened, part, payload)
        if len(opened.parts) == key.total:
            return self._complete(key, now)
        while len(self._open) > self._limit_messages or self._octets > self._limit_octets:
            self._give_up(next(iter(self._open)), now)
        return None

    def take_back(self, key: Key, part: int, token: Hashable) -> bool:
        """Forget a part that could not be recorded.  False: it is not, or no longer, among the open ones."""
        opened = self._open.get(key)
        there = opened.parts.get(part) if opened is not None else None
        if opened is None or there is None or there.token != token:
            return False
        del opened.parts[part]
        opened.octets -= there.size
        self._octets -= there.size
        if not opened.parts:
            del self._open[key]
        return True

    def reopen(self, message: Complete | Incomplete, without: Container[Hashable], now: float) -> None:
        """Wait again, from `now` on, for the rest of a message that could not be recorded as a whole.

        `without` are the tokens of parts that could not be recorded either.
        """
        if isinstance(message, Complete):
            self._completed.pop(message.key, None)
            parts = tuple(enumerate(message.payloads, 1))
        else:
            parts = message.parts
        kept = [(part, payload) for part, payload in parts if payload.token not in without]
        if not kept:
            return
        opened = self._open.get(message.key)
        if opened is None:
            opened = self._open[message.key] = _Open(now, self._completed_before(message.key, now))
        for part, payload in kept:
            if part not in opened.parts:
                self._put(opened, part, payload)

    def expire(self, now: float) -> list[Incomplete]:
        """The messages whose first part came `timeout_seconds` ago or before, and those given up for room."""
        while self._open:
            key, opened = next(iter(self._open.items()))
            if opened.since + self._timeout > now:
                break
            self._give_up(key, now)
        while self._completed:
            key, (since, _) = next(iter(self._completed.items()))
            if since + self._timeout > now:
                break
            del self._completed[key]
        given_up, self._given_up = self._given_up, []
        return given_up

    def deadline(self) -> float | None:
        """When `expire` will next have something to give; None while nothing is open."""
        if self._given_up:
            return self._given_up_at
        return next(iter(self._open.values())).since + self._timeout if self._open else None

    def _put(self, opened: _Open, part: int, payload: Payload) -> None:
        opened.parts[part] = payload
        opened.octets += payload.size
        self._octets += payload.size

    def _completed_before(self, key: Key, now: float) -> tuple[int, ...]:
        since, fingerprints = self._completed.get(key, (now, ()))
        return fingerprints if since + self._timeout > now else ()

    def _close(self, key: Key) -> _Open:
        opened = self._open.pop(key)
        self._octets -= opened.octets
        return opened

    def _complete(self, key: Key, now: float) -> Complete:
        opened = self._close(key)
        payloads = tuple(opened.parts[part] for part in range(1, key.total + 1))
        self._completed.pop(key, None)
        self._completed[key] = (now, tuple(_fingerprint(payload) for payload in payloads))
        if len(self._completed) > _REMEMBERED:
            self._completed.popitem(last=False)
        return Complete(key, payloads)

    def _give_up(self, key: Key, now: float) -> None:
        opened = self._close(key)
        parts = tuple(sorted(opened.parts.items()))
        missing = tuple(part for part in range(1, key.total + 1) if part not in opened.parts)
        repeat = bool(opened.before) and all(
            _fingerprint(payload) == opened.before[part - 1] for part, payload in parts
        )
        self._given_up_at = now
        self._given_up.append(Incomplete(key, parts, missing, repeat))


def _same(one: Payload, other: Payload) -> bool:
    return one.octets == other.octets and one.data_coding == other.data_coding


def _fingerprint(payload: Payload) -> int:
    return hash((payload.octets, payload.data_coding))
