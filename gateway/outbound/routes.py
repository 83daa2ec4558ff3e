"""Which binds could carry an SMS, in the order in which they are to be tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.config.model import Bind
from gateway.values.address import canonical


class Routes:
    """The binds' addresses, read once."""

    def __init__(self, binds: Mapping[str, Bind]) -> None:
        self._sending = [name for name, bind in binds.items() if bind.mode != "receiver"]
        self._by_address: dict[str, list[str]] = {}
        for name in self._sending:
            for address in binds[name].addresses:
                self._by_address.setdefault(canonical(address), []).append(name)

    def candidates(self, sender: str, *, via: str, preferred: Sequence[str]) -> list[str]:
        """Names of binds.  `via` names the only one; else those that carry `sender`, those that the
        service prefers first; else, for a sender that no bind claims, the preferred ones themselves."""
        if via:
            return [via] if via in self._sending else []
        carrying = self._by_address.get(sender, [])
        if len(carrying) == 1:
            return carrying
        if carrying:
            return sorted(
                carrying, key=lambda name: preferred.index(name) if name in preferred else len(preferred)
            )
        return [name for name in preferred if name in self._sending]
