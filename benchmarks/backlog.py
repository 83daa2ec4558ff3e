"""What a carrier that is down costs: many messages wait for it in the store while others go their way.

    python benchmarks/backlog.py [--queued 1000000] [--n 10000] [--drain-seconds 10] [--json]

Measured: scenario A to another carrier without and with the backlog, the start with it, memory all along, and
what goes out to the carrier, and beside it to the other, once it is up again.  Needs the measuring kit
(benchmarks/kit.py), whose SMSC is started a second time in the place of the carrier.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import threading
import time
import urllib.request
from contextlib import closing
from typing import Any

import history
import kit as kits
import processes

DOWN_PORT, DOWN_CONTROL = 18076, 18077
DOWN = "+4620007"
CONFIG = f"""
[smpp.binds.down]
host = "127.0.0.1"
port = {DOWN_PORT}
system_id = "down"
password = "secret"
window = 100
throughput = 0
receipts = false
reconnect_limit = 2
addresses = ["{DOWN}"]
"""

Json = dict[str, Any]


class Peak:
    """The largest RSS of a process until it is asked for."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._rss_mib = 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self._rss_mib = max(self._rss_mib, processes.memory(self._pid).rss_mib)

    def mib(self) -> float:
        self._over.set()
        self._thread.join()
        return round(self._rss_mib, 1)


def configure(gateway: kits.Gateway) -> None:
    gateway.prepare()
    with (gateway.folder / "gateway.toml").open("a") as file:
        file.write(CONFIG)
    service = gateway.folder / "services" / "bench.toml"
    service.write_text(service.read_text().replace("assets = [", f'assets = ["{DOWN}", '))


def send_one() -> str:
    """Accept one message for the carrier that is down; its id."""
    body = json.dumps({"to": "+46701234567", "from": DOWN, "text": "benchmark " * 9}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{kits.HTTP_PORT}/v2/messages",
        data=body,
        headers={"key": "bench-key", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["id"])


def queued(gateway: kits.Gateway) -> int:
    with closing(sqlite3.connect(f"file:{gateway.store}?mode=ro", uri=True)) as connection:
        [count] = connection.execute("SELECT count(*) FROM messages WHERE waits = 'down'").fetchone()
    return int(count)


def a_run(kit: kits.Kit, gateway: kits.Gateway, options: argparse.Namespace) -> Json:
    kit.bench(kits.NAME, "warming up", "A", n=1_000)
    found = kits.run_scenario(kit, gateway, "A", options)
    kept = {key: found[key] for key in ("delivered_per_s", "cpu_ms_per_msg", "acked")}
    return kept | found["by_thread"]


def measure(options: argparse.Namespace) -> Json:
    gateway, kit = kits.Gateway(), kits.Kit()
    down: subprocess.Popen[bytes] | None = None
    figures: Json = {"queued": options.queued}
    try:
        kit.up()
        configure(gateway)
        gateway.start()
        figures["without"] = a_run(kit, gateway, options)
        template = send_one()
        gateway.stop()
        history.fill(gateway.store, template, 1, options.queued)
        figures["store_mib"] = round(gateway.store.stat().st_size / 2**20)
        figures["start_seconds"] = round(gateway.start(), 2)
        peak = Peak(gateway.pid)
        figures["memory_filled_seconds"] = _rested(gateway)
        figures["rss_mib_started"] = round(processes.memory(gateway.pid).rss_mib, 1)
        figures["with"] = a_run(kit, gateway, options)
        figures["rss_mib_with_traffic"] = peak.mib()
        peak, before = Peak(gateway.pid), queued(gateway)
        down = kit.second_smsc(DOWN_PORT, DOWN_CONTROL)
        _wait_for_bind(gateway, before)
        at, left = time.monotonic(), queued(gateway)
        time.sleep(options.drain_seconds)
        figures["drained_per_s"] = round((left - queued(gateway)) / (time.monotonic() - at), 1)
        figures["while_draining"] = a_run(kit, gateway, options)
        figures["rss_mib_draining"] = peak.mib()
    finally:
        gateway.stop()
        if down is not None:
            down.terminate()
            down.wait()
        kit.down()
    return figures


def _rested(gateway: kits.Gateway) -> float:
    """Wait until a gateway that has started has nothing left to do: some messages are brought into memory."""
    began, used = time.monotonic(), -1.0
    while time.monotonic() - began < 30:
        time.sleep(0.5)
        before, used = used, sum(processes.cpu(gateway.pid).values())
        if used - before < 0.05:
            break
    return round(time.monotonic() - began - 0.5, 1)


def _wait_for_bind(gateway: kits.Gateway, before: int) -> None:
    until = time.monotonic() + 30
    while queued(gateway) == before:
        if time.monotonic() > until:
            raise SystemExit("nothing went out to the carrier within 30 s after it had come up")
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queued", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--n", type=int, default=10_000, help="messages of each A (default: 10,000)")
    parser.add_argument("--drain-seconds", type=float, default=10, help="default: 10")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args()
    options.label, options.conns, options.rate = "backlog", 32, 200
    with kits.alone():
        figures = measure(options)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        told = str(value)
        if isinstance(value, dict):
            told = f"{value['delivered_per_s']:,.0f} msg/s, CPU {value['cpu_ms_per_msg']:.3f} ms/msg"
            told += f" (loop {value['loop_ms']:.3f}, threads {value['threads_ms']})"
        print(f"{name.replace('_', ' '):>22}  {told}")


if __name__ == "__main__":
    main()
