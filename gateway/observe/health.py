"""What /healthz and /readyz say: from what is wrong and how the carriers are, to a status and a body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

OK, UNAVAILABLE = 200, 503  # RFC 9110 section 15


class HostState(Struct, frozen=True, kw_only=True):
    """One host of a trunk."""

    address: str  # transport:address:port
    up: bool
    reason: str = ""
    rtt_ms: float | None = None  # of the latest OPTIONS; None: none was answered, or none is sent


class CarrierState(Struct, frozen=True, kw_only=True):
    """A bind or a trunk at this moment."""

    name: str
    kind: str  # bind | trunk
    up: bool
    reason: str = ""  # why it is down
    queued: int = 0  # messages in memory that wait for it
    outstanding: int = 0  # segments, or calls, that wait for its answer
    hosts: list[HostState] = field(default_factory=list)  # of a trunk


def health(faults: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """Whether the process does its work.  `faults` are sentences; carriers that are down are none."""
    if faults:
        return UNAVAILABLE, {"status": "failing", "reasons": list(faults)}
    return OK, {"status": "ok"}


def readiness(
    faults: Sequence[str], *, stopping: bool, carriers: Sequence[CarrierState]
) -> tuple[int, dict[str, Any]]:
    """Whether messages are taken.  A carrier that is down does not change that: the store keeps what is
    accepted, and carries it out when the carrier is back."""
    reasons = [*faults, *(["the gateway is stopping"] if stopping else [])]
    status = "stopping" if stopping else "failing" if reasons else "ready"
    body = {
        "status": status,
        "reasons": reasons,
        "binds": [_line(carrier) for carrier in carriers if carrier.kind == "bind"],
        "trunks": [_line(carrier) for carrier in carriers if carrier.kind == "trunk"],
    }
    return (UNAVAILABLE if reasons else OK), body


def _line(carrier: CarrierState) -> dict[str, Any]:
    line: dict[str, Any] = msgspec.to_builtins(carrier)
    del line["kind"]
    if not carrier.hosts:
        del line["hosts"]
    return line
