"""Customers: what a million profiles, and a million who have said STOP, cost in memory.

    python benchmarks/customers.py [--count 1000000]

Profiles have three attributes and the client's own id; nothing is stored.
"""

from __future__ import annotations

import argparse
import gc
import os
from collections.abc import Callable
from pathlib import Path

from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.store.base import Unit
from gateway.values.message import Consent

ATTRIBUTES = {"name": "Ann", "tier": "gold", "language": "en"}


def resident() -> float:
    """MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def profiles(customers: Customers, n: int) -> None:
    customers.set(Unit(), "shop", f"+4477{n:08}", ATTRIBUTES, 1.8e9, customerid=f"c-{n}")


def stops(consents: Consents, n: int) -> None:
    said = Consent(
        service="shop",
        address=f"+4477{n:08}",
        opted_out=True,
        reason="texted STOP to 12345",
        by="keyword",
        ref="",
        at=1.8e9,
    )
    consents.record(Unit(), said)


def measure(what: str, count: int, make: Callable[[int], None]) -> None:
    gc.collect()
    before = resident()
    for n in range(count):
        make(n)
    gc.collect()
    print(f"{count:,} {what}: {resident() - before:.0f} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    count = parser.parse_args().count
    customers, consents = Customers(), Consents()
    measure("profiles", count, lambda n: profiles(customers, n))
    measure("customers who have opted out", count, lambda n: stops(consents, n))
