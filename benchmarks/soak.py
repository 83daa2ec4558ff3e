"""A long run at half of the maximum, with a carrier that is cut off, throttled, slow and silent in turn.

    python benchmarks/soak.py [--minutes 30] [--rate 0] [--json]

The daemon as a program, its store on disk; two SMSC simulators, of which one misbehaves for half of each
period, and a webhook that takes the status of each message.  RSS is sampled all along.  At the end the load
stops, everything gets time to arrive, and `gateway db audit` counts.  Exit 1: a message is unaccounted for,
the store has another number of messages than were answered 202, a carrier got one twice, a notification is
missing, or (in 15 minutes and more) memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import processes
from end_to_end import KEY, answer, free_port, http, ready

from gateway.cli.stage import Gateway, Program

CONNECTIONS = 32
PERIOD_SECONDS = 20.0  # half of it the carrier behaves
SAMPLE_SECONDS = 2.0
SETTLE_SECONDS = 180.0
JUDGED_MINUTES = 15.0  # in a shorter run the caches are still filling
GROWTH = 1.2  # RSS of the last fifth of the run over that of the second fifth: more is not flat
SENDERS = {"north": "12345", "south": "54321"}

CONFIG = """
[http]
listen = "127.0.0.1:{http}"
[log]
level = "error"
"""
BIND = """
[smpp.binds.{name}]
host = "127.0.0.1"
port = {port}
system_id = "gw"
password = "secret"
window = 100
addresses = ["{sender}"]
response_timeout = 5
reconnect_limit = 2
"""
SERVICE = """
name = "Soak"
key = "{key}"
hub_secret = "soak"
assets = ["12345", "54321"]
[notify]
status = "http://127.0.0.1:{webhook}/dlr"
statuses = "final"
"""

Json = dict[str, Any]

# What the carrier is told at the begin and at the end of each of its bad times
FAULTS: dict[str, tuple[list[Json], list[Json]]] = {
    "cut off": ([{"cmd": "drop"}], []),
    "throttled": ([{"cmd": "set", "throttle": 50}], [{"cmd": "set", "throttle": 0}]),
    "slow": ([{"cmd": "set", "answer_delay": 1.0}], [{"cmd": "set", "answer_delay": 0.0}]),
    "unbound": ([{"cmd": "unbind"}], []),
    "silent": ([{"cmd": "pause"}], [{"cmd": "resume"}]),
}


class Load:
    """POSTs at a rate, to both carriers in turn; what was answered."""

    def __init__(self, port: int, first: int = 0) -> None:
        """`first`: the number of the first message."""
        self._port = port
        self._first = first
        self.accepted = 0
        self.refused = 0
        self.over = False

    async def run(self, rate: float, seconds: float) -> None:
        end = time.monotonic() + seconds
        every = CONNECTIONS / rate
        await asyncio.gather(*(self._one(n, every, end) for n in range(CONNECTIONS)))
        self.over = True

    async def _one(self, number: int, every: float, end: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        due = time.monotonic() + every * number / CONNECTIONS
        count = self._first + number
        while (now := time.monotonic()) < end:
            if due > now:
                await asyncio.sleep(due - now)
            due = max(due + every, now - 1.0)  # a stall is not caught up with a burst
            count += CONNECTIONS
            writer.write(message(self._port, count))
            status, _ = await answer(reader)
            self.accepted += status == 202
            self.refused += status != 202
        writer.close()


def message(port: int, number: int) -> bytes:
    sender = list(SENDERS.values())[number // CONNECTIONS % 2]
    body = {"to": f"+4477{number % 100_000_000:08}", "from": sender, "text": f"{number} {'soak ' * 12}"}
    return http("POST", "/v2/messages", port, json.dumps(body).encode())


async def trouble(carrier: Program, load: Load, seen: dict[str, int]) -> None:
    """One fault after the other until the load is over; the carrier is well in the end."""
    while not load.over:
        for name, (begin, end) in FAULTS.items():
            await asyncio.sleep(PERIOD_SECONDS / 2)
            if load.over:
                return
            for command in begin:
                carrier.tell(command["cmd"], **{k: v for k, v in command.items() if k != "cmd"})
            seen[name] = seen.get(name, 0) + 1
            await asyncio.sleep(PERIOD_SECONDS / 2)
            for command in end:
                carrier.tell(command["cmd"], **{k: v for k, v in command.items() if k != "cmd"})


async def watch(pid: int, load: Load, samples: list[float]) -> None:
    while not load.over:
        samples.append(processes.memory(pid).rss_mib)
        await asyncio.sleep(SAMPLE_SECONDS)


def audit(folder: Path) -> tuple[int, Json]:
    """What `gateway db audit` says, and how it exits."""
    words = [sys.executable, "-m", "gateway", "db", "audit", str(folder / "state" / "gateway.db"), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    found: Json = json.loads(done.stdout)
    return done.returncode, found


async def settled(folder: Path) -> tuple[int, Json]:
    """The audit once nothing is on its way any more, or after SETTLE_SECONDS."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        status, found = await asyncio.to_thread(audit, folder)
        open_ = (
            found["sum"].get("queued", 0) + found["sum"].get("sent", 0) + found["waiting"]["notifications"]
        )
        if not open_ or time.monotonic() > until:
            return status, found
        await asyncio.sleep(2.0)


async def stats(program: Program) -> Json:
    program.tell("stats")
    return await program.wait("stats", timeout=30.0)


async def soak(minutes: float, rate: float) -> Json:
    with tempfile.TemporaryDirectory(prefix="trunkline-soak-") as name:
        folder = Path(name)
        carriers = {
            carrier: Program(
                carrier,
                "simulators.smsc",
                "--listen=127.0.0.1:0",
                "--receipts=both",
                "--receipt-delay=0.5",
                "--quiet",
                f"--name={carrier}",
            )
            for carrier in SENDERS
        }
        webhook = Program("webhook", "simulators.webhook", "--listen=127.0.0.1:0", "--secret=soak", "--quiet")
        gateway = Gateway(folder / "gateway.toml", folder / "gateway.log", folder / "state")
        try:
            ports = {each.name: (await each.start())["port"] for each in (*carriers.values(), webhook)}
            port = free_port()
            configure(folder, port, ports)
            await gateway.start()
            await ready(port)
            primed = 0
            if not rate:
                rate, primed = await half_of_maximum(port)
            return await under_way(folder, port, gateway.pid, carriers, webhook, minutes, rate, primed)
        finally:
            await gateway.stop()
            for each in (*carriers.values(), webhook):
                await each.stop()


def configure(folder: Path, port: int, ports: dict[str, int]) -> None:
    config = CONFIG.format(http=port)
    for carrier, sender in SENDERS.items():
        config += BIND.format(name=carrier, port=ports[carrier], sender=sender)
    (folder / "services").mkdir()
    (folder / "gateway.toml").write_text(config)
    (folder / "services" / "soak.toml").write_text(SERVICE.format(key=KEY, webhook=ports["webhook"]))


async def half_of_maximum(port: int) -> tuple[float, int]:
    """(messages a second, how many it took to know)"""
    seconds = 4.0
    everything = Load(port, first=50_000_000)
    await everything.run(1e6, seconds)
    return everything.accepted / seconds / 2, everything.accepted


async def under_way(
    folder: Path,
    port: int,
    pid: int,
    carriers: dict[str, Program],
    webhook: Program,
    minutes: float,
    rate: float,
    primed: int,
) -> Json:
    traffic, samples, faults = Load(port), list[float](), dict[str, int]()
    await asyncio.gather(
        traffic.run(rate, minutes * 60),
        trouble(carriers["north"], traffic, faults),
        watch(pid, traffic, samples),
    )
    began = time.monotonic()
    status, found = await settled(folder)
    told = {name: await stats(carrier) for name, carrier in carriers.items()}
    heard = await stats(webhook)
    fifth = max(1, len(samples) // 5)
    accepted = traffic.accepted + primed
    early, late = statistics.median(samples[fifth : 2 * fifth]), statistics.median(samples[-fifth:])
    wrong = []
    if status:
        wrong.append(f"{found['stuck_count']} messages are unaccounted for")
    if found["sum"]["accepted"] != accepted:
        wrong.append(f"{accepted} were answered 202, the store has {found['sum']['accepted']}")
    for name, each in told.items():
        if each["accepted"] != each["unique"]:
            wrong.append(f"{name} took {each['accepted']} messages, {each['unique']} of them different")
    final = accepted - found["sum"].get("queued", 0) - found["sum"].get("sent", 0)
    if heard["unique"] < final:
        wrong.append(f"{final} messages are final, the webhook has heard of {heard['unique']}")
    if minutes >= JUDGED_MINUTES and late > GROWTH * early:
        wrong.append(f"RSS grew from {early:.0f} to {late:.0f} MiB")
    return {
        "minutes": minutes,
        "rate_per_s": round(rate),
        "accepted": accepted,
        "refused": traffic.refused,
        "faults": faults,
        "sum": found["sum"],
        "settled_seconds": round(time.monotonic() - began, 1),
        "notifications_unique": heard["unique"],
        "rss_mib": {"early": round(early), "late": round(late), "largest": round(max(samples))},
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30, help="default: 30")
    parser.add_argument("--rate", type=float, default=0, help="messages a second; 0: half of the maximum")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args()
    figures = asyncio.run(soak(options.minutes, options.rate))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name.replace('_', ' '):>20}  {value}")
    sys.exit(1 if figures["wrong"] else 0)


if __name__ == "__main__":
    main()
