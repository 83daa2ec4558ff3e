"""How the steps of a session are written down: one event for each input, its details sealed.

What is plain is what happened, without what anybody said: the kinds of inputs, the nodes and their events,
the end.  What was said (inputs, values that were logged, notes) is sealed with the gateway's secret, so that
a copy of the store does not tell it.  A session has a key of its own besides: once that is gone, nobody can
read what was said in it any more.

    session.step    { events = [[type, plain fields], ...], sealed = "..." }
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from gateway.content.seal import NONCE_OCTETS, seal, unseal
from gateway.values.errors import BadInput
from gateway.values.event import Event

STEP = "session.step"
KEY_OCTETS = 16
# The field of each event that tells what was said
DETAIL = {
    "session.started": "input",
    "session.input": "input",
    "session.message-dropped": "message",
    "node.left": "note",
    "log": "value",
}

_NODES = ("node.entered", "node.left")
# Of an input what nobody said: its kind, and how an act came out
_PLAIN = ("kind", "key", "event")

_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(list[Any]).decode


class Journal:
    """`secret` "" reads what is plain, and writes nothing."""

    def __init__(self, secret: str, randomness: Callable[[int], bytes] | None = None) -> None:
        self._secret = secret
        self._randomness = randomness

    def key(self) -> str:
        """A new session's."""
        assert self._randomness is not None, "made for reading"
        return self._randomness(KEY_OCTETS).hex()

    def packed(self, events: Sequence[Event], key: str = "", level: int = 3) -> Event:
        """The events of one input as they are stored, with the session's key.  What a flow logs it has asked
        for: that is there at each level."""
        assert self._randomness is not None, "made for reading"
        first = events[0]
        plain, details = [], []
        for event in events:
            if level == 1 and event.type in _NODES:
                continue
            name = DETAIL.get(event.type, "")
            data = event.data
            kept = name and (level == 3 or event.type == "log")
            details.append(data.get(name) if kept else None)
            if name in data:
                data = {key: value for key, value in data.items() if key != name}
                if name == "input":
                    data |= {key: event.data[name][key] for key in _PLAIN if key in event.data[name]}
            plain.append((event.type, data))
        nonce = self._randomness(NONCE_OCTETS)
        sealed = seal(self._secret + key, _encode(details).decode(), first.ref, nonce)
        data = {"events": plain, "sealed": sealed}
        return Event(ref=first.ref, type=STEP, service=first.service, at=first.at, data=data)

    def unpacked(self, stored: Iterable[Event], key: str = "") -> list[Event]:
        """The events that were packed, in their order; those of another secret or key without details."""
        return [
            event for each in stored for event in (self._opened(each, key) if each.type == STEP else (each,))
        ]

    def _opened(self, step: Event, key: str) -> Iterable[Event]:
        plain = step.data.get("events", [])
        try:
            if not self._secret:
                raise BadInput("no secret is known")
            details = _decode(unseal(self._secret + key, step.data.get("sealed", ""), step.ref))
        except BadInput:
            details = [None] * len(plain)
        for (type, data), detail in zip(plain, details, strict=True):
            more = {DETAIL[type]: detail} if detail is not None else {}
            yield Event(ref=step.ref, type=type, service=step.service, at=step.at, data={**data, **more})
