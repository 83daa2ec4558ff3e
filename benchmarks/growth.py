"""How cost grows with what is in the store already: the same load on 0, 100,000, 1,000,000, ... messages.

    python benchmarks/growth.py [--sizes 0,100000,1000000] [--scenarios A] [--n 10000] [--json]

Needs the measuring kit (benchmarks/kit.py).  The history is made of finished messages with receipts, about
2 KB each; 10,000,000 of them take some 20 GB under $GWBENCH and a while to make.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import history
import kit as kits

PRIMING = 20  # messages that go through first, to have one to copy

Json = dict[str, Any]


def measure(options: argparse.Namespace) -> Iterator[Json]:
    """The kit is held while something runs, not while the store is filled."""
    gateway = kits.Gateway(f"{kits.NAME}-growth")
    with kits.alone():
        kit = kits.Kit()
        with running(kit, gateway, fresh=True):
            kit.bench(kits.NAME, "priming", "B", n=PRIMING)
    template, filled = history.finished(gateway.store), 0
    for size in sorted(map(int, options.sizes.split(","))):
        began = time.monotonic()
        if size > filled:
            history.fill(gateway.store, template, filled, size)
            filled = size
        fill_seconds = time.monotonic() - began
        with kits.alone(), running(kit, gateway) as start_seconds:
            for scenario in options.scenarios.split(","):
                kit.bench(kits.NAME, "warming up", scenario, n=1_000)
                result = kits.run_scenario(kit, gateway, scenario, options)
                yield {
                    "messages_before": size,
                    "scenario": scenario,
                    "per_second": result[kits.HEADLINES[scenario][0]],
                    "cpu_ms_per_msg": result["cpu_ms_per_msg"],
                    **result["by_thread"],
                    "rss_mib": result["rss_mib"]["gateway"],
                    "start_seconds": round(start_seconds, 2),
                    "store_mib": round(gateway.store.stat().st_size / 2**20),
                    "fill_seconds": round(fill_seconds),
                }
    shutil.rmtree(gateway.folder)


@contextlib.contextmanager
def running(kit: kits.Kit, gateway: kits.Gateway, *, fresh: bool = False) -> Iterator[float]:
    """The kit's sinks and the gateway; seconds that its start took."""
    try:
        kit.up()
        if fresh:
            gateway.prepare()
        yield gateway.start()
    finally:
        gateway.stop()
        kit.down()


def _line(row: Json) -> str:
    threads = row["threads_ms"][0] if row["threads_ms"] else 0
    return (
        f"| {row['messages_before']:,} | {row['scenario']} | {row['per_second']:,.0f} "
        f"| {row['cpu_ms_per_msg']:.3f} | {row['loop_ms']:.3f} | {threads:.3f} | {row['rss_mib']:.0f} "
        f"| {row['start_seconds']:.1f} | {row['store_mib']:,} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="0,100000,1000000", help="default: 0,100000,1000000")
    parser.add_argument("--scenarios", default="A", help="default: A")
    parser.add_argument("--n", type=int, default=10_000, help="messages of a scenario (default: 10,000)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    options.label, options.conns, options.rate = "growth", 32, 200
    if not options.json:
        columns = "messages before,scenario,/s,CPU ms/msg,loop,writer,RSS MiB,start s,store MiB"
        print(f"| {columns.replace(',', ' | ')} |")
        print("|---:|---|" + "---:|" * 7, flush=True)
    rows = []
    for row in measure(options):
        rows.append(row)
        if not options.json:
            print(_line(row), flush=True)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
