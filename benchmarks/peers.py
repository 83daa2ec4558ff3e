"""This gateway and Kannel under the same load in one run, in turns, and how they compare.

    python benchmarks/peers.py [--runs 3] [--n 10000] [--scenarios A,B,L,C] [--json]

Each round starts every gateway afresh, one after the other: Kannel with nothing durable (what it holds in
memory ends with the process), Kannel with messages and receipts in its spool (what compares with this
gateway, which has everything on disk before it answers), and this gateway.  The measuring kit's scripts
install Kannel from the distribution's packages and start it.  Figures are medians over the rounds; CPU is
per message, of all the processes of a gateway together; the SMSC's own 100 ms are taken off the time to the
callback.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from kit import HEADLINES, Gateway, Kit, alone, line, run_scenario, sink

Json = dict[str, Any]


class Peer(NamedTuple):
    label: str
    title: str
    settings: dict[str, str]  # of kannel_up.sh


VOLATILE = Peer(
    "window 10, no store, DLR in memory", "Kannel, nothing durable", {"WINDOW": "10", "STORE": "none"}
)
DURABLE = Peer(
    "window 100, store spool, DLR spool",
    "Kannel, durable (spool)",
    {"WINDOW": "100", "STORE": "spool", "DLRSTORE": "spool"},
)
OURS = "this gateway, durable"
ORDER = (VOLATILE.title, DURABLE.title, OURS)
# Of L: what, its key, and the milliseconds of it that are the SMSC's
_LATENCIES = (("answer", "http_latency", 0), ("to callback", "request_to_callback_incl_100ms", 100))


def kannel(kit: Kit, peer: Peer, scenarios: Sequence[str], options: argparse.Namespace) -> list[Json]:
    kit.script("kannel_up.sh", "up", **peer.settings)
    try:
        _settled()
        found = []
        for scenario in scenarios:
            size = {"rate": options.rate} if scenario == "L" else {"n": options.n}
            found.append(kit.bench("kannel", peer.label, scenario, **size))
        return found
    finally:
        kit.script("kannel_up.sh", "down")


def ours(kit: Kit, scenarios: Sequence[str], options: argparse.Namespace) -> list[Json]:
    gateway = Gateway()
    gateway.prepare()
    gateway.start()
    try:
        _settled()
        return [run_scenario(kit, gateway, scenario, options) for scenario in scenarios]
    finally:
        gateway.stop()


def _settled() -> None:
    """Until the gateway is bound to the SMSC."""
    for _ in range(100):
        if sink("n")["binds"]:
            return
        time.sleep(0.1)
    raise SystemExit("the gateway did not bind to the kit's SMSC within 10 s")


class Row(NamedTuple):
    scenario: str
    figure: str
    values: dict[str, float]  # by title

    @property
    def ratio(self) -> dict[str, float]:
        """Ours by each peer's."""
        mine = self.values.get(OURS)
        return {
            title: mine / value for title, value in self.values.items() if mine and value and title != OURS
        }


def rows(results: dict[str, dict[str, list[Json]]]) -> list[Row]:
    """A rate and the CPU of each scenario, and the latencies of L."""
    found = []
    for scenario in {s: None for by in results.values() for s in by}:
        figures = {"CPU ms/msg": lambda r: r["cpu_ms_per_msg"]}
        if scenario == "L":
            figures |= {
                f"{name} {p} ms": lambda r, key=key, p=p, off=off: r[key][f"{p}_ms"] - off
                for name, key, off in _LATENCIES
                for p in ("p50", "p99")
            }
        else:
            rate, unit = HEADLINES[scenario]
            figures = {unit: lambda r, rate=rate: r[rate], **figures}
        for name, read in figures.items():
            values = {
                title: statistics.median(read(run) for run in by[scenario])
                for title, by in results.items()
                if scenario in by
            }
            found.append(Row(scenario, name, values))
    return found


def table(found: Sequence[Row]) -> str:
    lines = ["| | " + " | ".join(ORDER) + " | ours / volatile | ours / durable |", "|---|" + "---:|" * 5]
    for row in found:
        cells = [_number(row.values.get(title)) for title in ORDER]
        ratios = [_ratio(row.ratio.get(peer.title)) for peer in (VOLATILE, DURABLE)]
        lines.append(f"| {row.scenario} {row.figure} | " + " | ".join(cells + ratios) + " |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--n", type=int, default=10_000, help="messages of a scenario (default: 10,000)")
    parser.add_argument("--scenarios", default="A,B,L,C", help="default: A,B,L,C")
    parser.add_argument("--rate", type=float, default=200, help="L: messages a second (default: 200)")
    parser.add_argument("--quickack", type=int, choices=(0, 1), default=1, help="0: the SMSC delays its ACKs")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    options.label, options.conns = "window 100, durable", 32
    scenarios = options.scenarios.split(",")
    results: dict[str, dict[str, list[Json]]] = {title: {} for title in ORDER}
    with alone():
        kit = Kit()
        try:
            kit.up(quickack=bool(options.quickack))
            for _ in range(options.runs):
                for peer in (VOLATILE, DURABLE):
                    _keep(results[peer.title], peer.title, kannel(kit, peer, scenarios, options), options)
                _keep(results[OURS], OURS, ours(kit, scenarios, options), options)
        finally:
            kit.down()
    found = rows(results)
    if options.json:
        print(json.dumps([{**row._asdict(), "ratio": row.ratio} for row in found]))
        return
    print("\n" + table(found))


def _keep(into: dict[str, list[Json]], title: str, runs: Sequence[Json], options: argparse.Namespace) -> None:
    for run in runs:
        into.setdefault(run["scenario"], []).append(run)
        if not options.json:
            print(f"{title:<26}{line(run)}", flush=True)


if __name__ == "__main__":
    main()
