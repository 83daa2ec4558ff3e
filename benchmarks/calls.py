"""Missed calls: SIPp rings, the gateway rings and refuses; every call must be one record and one event.

    python benchmarks/calls.py                              # 20 s at 50, 100, 200, 400 calls a second
    python benchmarks/calls.py --rates 200 --seconds 600    # the long form
    python benchmarks/calls.py --rings 1000                 # so many that ring at the same time
    python benchmarks/calls.py --policy reject-at-once --rates 500

Each rate has a gateway and a store of its own.  INVITE to 180 is measured by SIPp at the caller, CPU by the
kernel for each thread.  Every INVITE that was not turned away by 503 must have exactly one call and one
call.missed in the store.  After 64*T1 no transaction and no timer may be left (`--settle 0` does not wait).
SIPp (Debian's sip-tester) and the gateway share the machine.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import processes

OURS = "+442079460000"
SETTLE_SECONDS = 40.0  # 64*T1, and what the last call takes to its end
_CALLERS = 100_000
_TABLES = ("calls_ringing", "calls_unrecorded", "sip_transactions", "sip_dialogs", "sip_timers")

SETTINGS = """
[http]
listen = "127.0.0.1:{http}"
[log]
level = "{log}"
[sip]
listen = ["udp:127.0.0.1:{sip}"]
[sip.trunks.east]
host = "127.0.0.1"
port = {caller}
numbers = ["{ours}"]
max_calls = 100000
calls_per_second = 100000
"""
SERVICE = """
name = "Bench"
assets = ["{ours}"]
[numbers."{ours}"]
policy = "{policy}"
ring = "{ring}s"
duplicates = 0
flood = 0
[rules.long]
on = "call.missed"
when = "call.ring_ms > 600000"
do = [{{ opt = "in" }}]
"""
INVITE = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="missed">
  <send retrans="500" start_rtd="1" counter="1"><![CDATA[

    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
    From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:[field0]@[local_ip]:[local_port]>
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=sipp 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0 8
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000

  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="503" optional="true" next="shed" counter="2"/>
{ringing}  <recv response="486"/>
  <label id="shed"/>
  <send><![CDATA[

    ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch-{back}];rport
    From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
</scenario>
"""
_RINGING = '  <recv response="180" rtd="1"/>\n'


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Run:
    """One load on a gateway of its own, in a folder of its own."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder, self._options = folder, options
        self._http, self._sip, self._caller = (
            free_port(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_DGRAM)
        )
        self._rings = options.policy != "reject-at-once"
        self._pid = 0

    def measure(self, rate: int, count: int) -> dict[str, Any]:
        self._write()
        environment = {**os.environ, "STATE_DIRECTORY": str(self._folder / "state")}
        with (self._folder / "gateway.log").open("wb") as log:
            gateway = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "-c", str(self._folder / "gateway.toml")],
                stdout=log,
                stderr=log,
                env=environment,
            )
        try:
            self._pid = gateway.pid
            self._until_ready(gateway)
            before, began = self._cpu(), time.perf_counter()
            self._call(rate, count)
            seconds, after = time.perf_counter() - began, self._cpu()
            time.sleep(self._options.settle)
            left, memory = self._left(), processes.memory(gateway.pid)
        finally:
            gateway.terminate()
            gateway.wait(30)
        used = {name: after[name] - before.get(name, 0.0) for name in after}
        return self._figures(rate, seconds, used, left) | {"rss_mib": round(memory.rss_mib)}

    def _write(self) -> None:
        options = self._options
        (self._folder / "services").mkdir()
        settings = SETTINGS.format(
            http=self._http, sip=self._sip, caller=self._caller, ours=OURS, log=options.log
        )
        (self._folder / "gateway.toml").write_text(settings)
        service = SERVICE.format(ours=OURS, policy=options.policy, ring=options.ring)
        (self._folder / "services" / "bench.toml").write_text(service)
        scenario = INVITE.replace("{ringing}", _RINGING if self._rings else "")
        # how many messages the INVITE is before the ACK, whose branch is its own (RFC 3261, 17.1.1.3)
        scenario = scenario.replace("{back}", "5" if self._rings else "4")
        (self._folder / "missed.xml").write_text(scenario)
        callers = "".join(f"+4477{n:08}\n" for n in range(_CALLERS))
        (self._folder / "callers.csv").write_text(f"SEQUENTIAL\n{callers}")

    def _until_ready(self, gateway: subprocess.Popen[bytes]) -> None:
        for _ in range(200):
            if gateway.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._http}/readyz", timeout=5)
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise SystemExit(f"the gateway is not ready:\n{(self._folder / 'gateway.log').read_text()}")

    def _call(self, rate: int, count: int) -> None:
        longest = count / rate + float(self._options.ring) + 60
        done = subprocess.run(
            [
                *("sipp", "-sf", "missed.xml", "-inf", "callers.csv", "-s", OURS, "-nostdin"),
                *("-i", "127.0.0.1", "-p", str(self._caller), f"127.0.0.1:{self._sip}"),
                *("-r", str(rate), "-m", str(count), "-l", str(count), "-timeout", f"{longest:g}s"),
                *("-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1000"),
                *("-trace_err", "-error_file", "errors.log"),
            ],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode not in (0, 1):  # 1: some calls failed, which is counted below
            raise SystemExit(done.stdout.decode(errors="replace")[-2000:])

    def _cpu(self) -> dict[str, float]:
        """The loop, the other threads together, and the process that writes the store."""
        used = {"loop": 0.0, "threads": 0.0, "writer": 0.0}
        for pid in processes.family(self._pid):
            for name, seconds in processes.cpu(pid).items():
                part = "writer" if pid != self._pid else name if name == "loop" else "threads"
                used[part] += seconds
        return used

    def _left(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(found.get(f"trunkline_{name}", "nan")) for name in _TABLES}

    def _figures(
        self, rate: int, seconds: float, used: dict[str, float], left: dict[str, float]
    ) -> dict[str, Any]:
        with (self._folder / "stat.csv").open() as file:
            stat = list(csv.DictReader(file, delimiter=";"))[-1]
        called, shed = int(stat["GenericCounter1(C)"]), int(stat["GenericCounter2(C)"])
        with sqlite3.connect(self._folder / "state" / "gateway.db") as store:
            [records] = store.execute(
                "SELECT count(*) FROM calls WHERE state = 'ended' AND direction = 'in' AND answered_at = 0"
            ).fetchone()
            [open_] = store.execute("SELECT count(*) FROM calls WHERE state != 'ended'").fetchone()
            [missed] = store.execute(
                "SELECT count(DISTINCT ref) FROM events WHERE type = 'call.missed'"
            ).fetchone()
            [events] = store.execute("SELECT count(*) FROM events WHERE type = 'call.missed'").fetchone()
        accepted = called - shed
        figures: dict[str, Any] = {
            "rate": rate,
            "calls": called,
            "shed_by_503": shed,
            "failed_at_the_caller": int(stat["FailedCall(C)"]),
            "retransmissions": int(stat["Retransmissions(C)"]),
            "calls_per_second": round(called / seconds, 1),
            "lost": accepted - records,
            "left_open": open_,
            "lost_events": accepted - missed,
            "doubled_events": events - missed,
            **{f"{part}_ms_per_call": round(spent * 1000 / called, 3) for part, spent in used.items()},
        }
        if times := self._times():
            figures |= {
                "invite_to_180_p50_ms": round(statistics.median(times), 2),
                "invite_to_180_p99_ms": round(times[int(len(times) * 0.99)], 2),
                "invite_to_180_max_ms": round(times[-1], 2),
            }
        return figures | ({f"left_{name}": value for name, value in left.items()})

    def _times(self) -> list[float]:
        """INVITE to 180 in milliseconds, sorted."""
        times = []
        for file in self._folder.glob("missed_*rtt*"):
            with file.open() as lines:
                times += [float(row[1]) for row in csv.reader(lines, delimiter=";") if row[0][:1].isdigit()]
        return sorted(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", default="50,100,200,400", help="calls a second, one run each")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rings", type=int, help="so many calls at once, in place of rates and seconds")
    parser.add_argument(
        "--policy", choices=("ring-then-reject", "reject-at-once"), default="ring-then-reject"
    )
    parser.add_argument("--ring", type=float, help="seconds; default: 1, and 15 with --rings")
    parser.add_argument(
        "--settle", type=float, default=SETTLE_SECONDS, help="seconds before the tables are read"
    )
    parser.add_argument("--log", default="info", help="the gateway's log level, to a file")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("sipp") is None:
        raise SystemExit("sipp is missing: apt-get install sip-tester")
    options.ring = options.ring or (15.0 if options.rings else 1.0)
    # simultaneous: all of them begin before the first of them ends
    loads = [(rate, round(rate * options.seconds)) for rate in map(int, options.rates.split(","))]
    if options.rings:
        loads = [(max(1, options.rings // 10), options.rings)]
    found = []
    for rate, count in loads:
        with tempfile.TemporaryDirectory(prefix="calls-") as folder:
            figures = Run(Path(folder), options).measure(rate, count)
        found.append(figures)
        if not options.json:
            for name, value in figures.items():
                print(f"{name.replace('_', ' '):>28}  {value:>10,}")
            print(flush=True)
    if options.json:
        json.dump(found, sys.stdout)
        print()


if __name__ == "__main__":
    main()
