"""Session keys: while a session with one is open, or began a short time ago, no second one begins with it."""

from __future__ import annotations

from collections.abc import Callable

from gateway.store.base import Unit

_MANY = 10_000  # keys after which those that are over are looked for

Place = tuple[str, str, str]  # service, flow, key


class SessionKeys:
    """`is_open(run)`: whether a session has not ended."""

    def __init__(self, is_open: Callable[[str], bool]) -> None:
        self._open = is_open
        self._keys: dict[Place, tuple[str, float]] = {}  # run, until when
        self._most = _MANY

    def load(self, place: Place, run: str, until: float) -> None:
        self._keys[place] = run, until

    def holder(self, place: Place, now: float) -> str:
        """The session that has this key already; "" if none has."""
        run, until = self._keys.get(place, ("", 0.0))
        return run if run and (self._open(run) or now < until) else ""

    def take(self, unit: Unit, place: Place, run: str, until: float, now: float) -> None:
        """Those that are over are forgotten when there are many."""
        before = self._keys.get(place)
        self._keys[place] = run, until

        def forget() -> None:
            if before is None:
                self._keys.pop(place, None)
            else:
                self._keys[place] = before

        unit.undo.append(forget)
        if len(self._keys) > self._most:
            self._keys = {
                key: (run, until)
                for key, (run, until) in self._keys.items()
                if until > now or self._open(run)
            }
            self._most = 2 * len(self._keys) + _MANY
