"""The hosts of one trunk: which of them answer, how fast, and which is to be asked next.

With a keep-alive each host is asked by OPTIONS that often (RFC 3261 section 11.1); one that does not answer
is down until it does.  Without, a host counts as up, and one that a request failed at comes after the others
for a while.  A Retry-After is obeyed either way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gateway.protocol.sip.address import Address

ANSWER_SECONDS = 6.0  # for an OPTIONS: by then it has been sent five times
_DOWN_SECONDS = 10.0  # between OPTIONS to a host that is down
_SHY_SECONDS = 30.0  # after a request failed at a host that is not probed
_LONGEST_RETRY_AFTER = 3600.0


@dataclass(slots=True)
class Host:
    """`rtt` is the seconds that the latest OPTIONS took; `reason` why the host is down."""

    address: Address
    reason: str = ""
    rtt: float | None = None
    sent_at: float | None = None  # of an OPTIONS without answer
    due: float = 0.0
    shy_until: float = 0.0
    busy_until: float = 0.0

    def why_not(self, now: float) -> str:
        """Why nothing should be sent there now; empty when it may."""
        if now < self.busy_until:
            return f"asked for {self.busy_until - now:.0f} s without calls (Retry-After)"
        return self.reason


class Hosts:
    """Times are monotonic seconds; a keep-alive of 0 is none."""

    def __init__(self, keepalive: float) -> None:
        self._keepalive = keepalive
        self._hosts: list[Host] = []

    def __iter__(self) -> Iterator[Host]:
        return iter(self._hosts)

    def replace(self, addresses: Sequence[Address], now: float) -> None:
        """Take these, in order of preference; what is known of those that stay is kept."""
        known = {host.address: host for host in self._hosts}
        self._hosts = [known.get(address) or Host(address, due=now) for address in dict.fromkeys(addresses)]

    def choose(self, now: float, avoid: Collection[Address] = ()) -> Address | None:
        """Where the next request goes; None when no host may be asked."""
        usable = [host for host in self._hosts if host.address not in avoid and not host.why_not(now)]
        usable.sort(key=lambda host: now < host.shy_until)
        return usable[0].address if usable else None

    def why_not(self, now: float) -> str:
        """Why none of them may be asked; empty when one may."""
        if not self._hosts:
            return "its address is not known"
        reasons = [host.why_not(now) for host in self._hosts]
        return "" if "" in reasons else "; ".join(dict.fromkeys(reasons))

    # --- OPTIONS

    def due(self, now: float) -> list[Address]:
        """The hosts to send OPTIONS to now; those that have not answered the last one are down from here."""
        ask = []
        for host in self._hosts if self._keepalive else ():
            if host.sent_at is not None and now >= host.sent_at + ANSWER_SECONDS:
                host.sent_at = host.rtt = None
                host.reason = "no answer to OPTIONS"
                host.due = now + min(self._keepalive, _DOWN_SECONDS)
            elif host.sent_at is None and now >= host.due:
                host.sent_at = now
                ask.append(host.address)
        return ask

    def deadline(self) -> float | None:
        if not self._keepalive or not self._hosts:
            return None
        return min(
            host.due if host.sent_at is None else host.sent_at + ANSWER_SECONDS for host in self._hosts
        )

    def answered(self, address: Address, status: int | None, now: float) -> None:
        """The outcome of an OPTIONS: a final status, None for none.  Any comes from a host that is there."""
        host = self._find(address)
        if host is None:
            return
        if status is None:
            if host.sent_at is not None:
                host.sent_at = host.rtt = None
                host.reason = "cannot be reached"
                host.due = now + min(self._keepalive, _DOWN_SECONDS)
            return
        if host.sent_at is not None:
            host.rtt = now - host.sent_at
        host.sent_at = None
        host.reason = "answers 503 to OPTIONS" if status == 503 else ""
        host.due = now + self._keepalive

    # --- other requests

    def failed(self, address: Address, retry_after: int | None, now: float) -> None:
        """A call failed for want of the host: prefer others, and leave it alone for as long as it says."""
        host = self._find(address)
        if host is None:
            return
        host.shy_until = now + _SHY_SECONDS
        if retry_after:
            host.busy_until = now + min(float(retry_after), _LONGEST_RETRY_AFTER)

    def _find(self, address: Address) -> Host | None:
        return next((host for host in self._hosts if host.address == address), None)
