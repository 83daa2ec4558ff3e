"""This gateway under the neutral measuring kit, whose programs are used as they are.

    python benchmarks/kit.py A --n 10000             one scenario, once: rate, CPU, memory
    python benchmarks/kit.py A,batch,B,L,C,D,E --runs 3 [--json]
    python benchmarks/kit.py up | down | kill9 | restart     the gateway by hand (scenario E uses these)

Scenarios, the letters being the kit's:
    A      POST /v2/messages -> submit_sm, no receipt          delivered/s
    batch  POST /v2/messages/batch -> submit_sm, no receipt    delivered/s   (--size messages in each)
    B      POST -> submit_sm -> receipt -> HTTP callback       whole cycles/s
    L      B at --rate messages a second                       latencies
    C      deliver_sm -> HTTP callback                         callbacks/s
    D      submit_sm in -> out -> receipt -> back to the ESME  whole cycles/s
    E      kill -9 in the middle of A, and started again       lost, sent twice

The kit is looked for where TRUNKLINE_KIT says, else at ../shared/measure beside this project.  What it makes
goes to $GWBENCH (default /tmp/gwbench), this gateway's own files to $GWBENCH/trunkline.  One run at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import processes

ROOT = Path(__file__).resolve().parents[1]
OWN = ROOT / "benchmarks" / "kit"
NAME = "trunkline"
SCENARIOS = ("A", "batch", "B", "L", "C", "D", "E")
HTTP_PORT = 18080
READY_SECONDS = 60.0
SMSC_RATE = 400  # E: submits the SMSC answers in a second

Json = dict[str, Any]

# The figure of each scenario that is compared, its unit, and what else is worth a look
HEADLINES = {
    "A": ("delivered_per_s", "msg/s"),
    "batch": ("delivered_per_s", "msg/s"),
    "B": ("full_cycle_per_s", "cycles/s"),
    "L": ("rate", "msg/s paced"),
    "C": ("mo_per_s", "msg/s"),
    "D": ("full_cycle_per_s", "cycles/s"),
    "E": ("acked", "acknowledged"),
}
DEFAULT_N = {"A": 10_000, "batch": 20_000, "B": 5_000, "L": 0, "C": 5_000, "D": 5_000, "E": 6_000}


class KitMissing(SystemExit):
    """The kit is not there: the message says what is missing and how to name it."""


class Usage(NamedTuple):
    """What a run took of the gateway, per message."""

    loop_ms: float
    threads_ms: list[float]  # of its other threads, the busiest first: the store's writer as a rule


def home() -> Path:
    """The kit's folder.  Raises KitMissing."""
    named = os.environ.get("TRUNKLINE_KIT")
    folder = Path(named) if named else ROOT.parent / "shared" / "measure"
    for needed in ("bench.py", "gateways.json", "kit_up.sh"):
        if not (folder / needed).exists():
            raise KitMissing(
                f"the measuring kit is not at {folder} ({needed} is missing there); "
                "set TRUNKLINE_KIT to the folder that holds bench.py, kit_up.sh and gateways.json"
            )
    return folder.resolve()


def scratch() -> Path:
    """$GWBENCH, found as the kit finds it."""
    folder = Path(os.environ.get("GWBENCH") or Path(os.environ.get("TMPDIR") or "/tmp") / "gwbench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Gateway:
    """This gateway as a program, with a state directory of its own."""

    def __init__(self, folder: str = NAME) -> None:
        self.folder = scratch() / folder
        self.pids = scratch() / NAME / "pids"  # where the kit looks, one gateway at a time
        self.state = self.folder / "state"
        self.store = self.state / "gateway.db"

    def prepare(self) -> None:
        """A fresh state directory, and the configuration."""
        processes.end(self.pids)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.state.mkdir(parents=True)
        shutil.copy(OWN / "gateway.toml", self.folder)
        shutil.copytree(OWN / "services", self.folder / "services")

    def start(self) -> float:
        """Start on what is in the state directory; seconds until it was ready."""
        began = time.monotonic()
        with (self.folder / "gateway.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "-c", str(self.folder / "gateway.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,  # whatever is installed, it is this checkout's that runs
                env={**os.environ, "STATE_DIRECTORY": str(self.state)},
                start_new_session=True,
            )
        processes.note(self.pids, "gateway", process.pid)
        self._wait_ready(process, began)
        seconds = time.monotonic() - began
        processes.note(self.pids, "gateway", process.pid)  # again, with what it has started
        return seconds

    def _wait_ready(self, process: subprocess.Popen[bytes], began: float) -> None:
        while time.monotonic() - began < READY_SECONDS:
            if process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if _get(f"http://127.0.0.1:{HTTP_PORT}/readyz", raw=True):
                    return
            time.sleep(0.05)
        log = (self.folder / "gateway.log").read_text(errors="replace")[-2000:]
        raise SystemExit(f"the gateway did not become ready within {READY_SECONDS:g} s:\n{log}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        processes.end(self.pids, how)

    @property
    def pid(self) -> int:
        return processes.noted(self.pids)[0].pid


class Kit:
    """The kit's programs, seen through a folder of links in which gateways.json has our entry too."""

    def __init__(self) -> None:
        self._home = home()
        self.folder = scratch() / f"{NAME}-kit"
        self.folder.mkdir(exist_ok=True)
        for file in self._home.iterdir():
            link = self.folder / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file)
        entries = json.loads((self._home / "gateways.json").read_text())
        entries |= json.loads((OWN / "gateways.json").read_text())
        (self.folder / "gateways.json").unlink()
        (self.folder / "gateways.json").write_text(json.dumps(entries))
        self._python = ""

    def up(self, *, quickack: bool = True) -> None:
        """Start the sinks."""
        self._python = self.script("kit_up.sh").splitlines()[-1]
        sink(f"quickack?on={int(quickack)}")

    def down(self) -> None:
        self.script("kit_up.sh", "down")

    def second_smsc(self, port: int, control: int) -> subprocess.Popen[bytes]:
        """The kit's SMSC once more, on ports of its own."""
        words = [f"--port={port}", f"--control={control}", "--dlr-delay=off", "--quickack=1"]
        return subprocess.Popen(
            [self._python, str(self.folder / "smsc_sink.py"), *words], stdout=subprocess.DEVNULL
        )

    def script(self, name: str, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [str(self.folder / name), *arguments],
            check=False,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{name} {' '.join(arguments)} failed ({done.returncode}): {done.stdout}")
        return done.stdout.strip()

    def bench(self, gateway: str, label: str, scenario: str, **options: object) -> Json:
        """One run of one scenario of bench.py; the line that it appended to results.jsonl."""
        results = scratch() / "results.jsonl"
        before = results.stat().st_size if results.exists() else 0
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        done = subprocess.run(
            [self._python, str(self.folder / "bench.py"), gateway, label, scenario, "--runs=1", *words],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"bench.py {gateway} {scenario} failed:\n{done.stdout[-2000:]}")
        with results.open() as file:
            file.seek(before)
            line: Json = json.loads(file.readlines()[-1])
        return line


def sink(verb: str) -> Json:
    """A command to the kit's SMSC."""
    return json.loads(_get(f"http://127.0.0.1:2777/{verb}"))


def run_scenario(kit: Kit, gateway: Gateway, scenario: str, options: argparse.Namespace) -> Json:
    """One run against this gateway, with what it took by thread."""
    n = options.n or DEFAULT_N[scenario]
    if scenario == "E":
        return _killed(kit, options, n)
    before = processes.cpu(gateway.pid)
    if scenario == "batch":
        result = _batch(gateway, n, options)
    else:
        extra = {"rate": options.rate} if scenario == "L" else {"n": n}
        result = kit.bench(NAME, options.label, scenario, conns=options.conns, **extra)
    after = processes.cpu(gateway.pid)
    count = _count(scenario, result)
    spent = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
    loop = spent.pop("loop")
    others = sorted((1000 * seconds / count for seconds in spent.values() if seconds > 0), reverse=True)
    result["by_thread"] = Usage(round(1000 * loop / count, 3), [round(ms, 3) for ms in others])._asdict()
    return result


def _count(scenario: str, result: Json) -> int:
    key = {"B": "callbacks_unique", "L": "callbacks_unique", "C": "unique", "D": "receipts"}
    if scenario in key:
        return max(1, result[key[scenario]])
    return max(1, result["acked"])


def _killed(kit: Kit, options: argparse.Namespace, n: int) -> Json:
    this = f"{sys.executable} {Path(__file__).resolve()}"
    return kit.bench(
        NAME,
        options.label,
        "E",
        n=n,
        seconds=6,
        rate=1500,
        smsc_rate=SMSC_RATE,
        kill=f"{this} kill9",
        restart=f"{this} restart",
    )


def _batch(gateway: Gateway, n: int, options: argparse.Namespace) -> Json:
    """POST /v2/messages/batch, which the kit's load knows nothing of: our own load, the kit's SMSC."""
    sink("reset")
    cpu = sum(processes.cpu(gateway.pid).values())
    words = ["--json", f"--port={HTTP_PORT}", f"--count={n}", f"--size={options.size}"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/batch.py"), *words, f"--connections={options.batch_conns}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    load: Json = json.loads(done.stdout)
    wait_for_sink(load["acked"])
    stats = sink("stats")
    memory = processes.memory(gateway.pid)
    spent = sum(processes.cpu(gateway.pid).values()) - cpu
    submits = stats["submits"]
    return {
        "scenario": "batch",
        "gateway": NAME,
        "label": options.label,
        **load,
        "delivered": stats["seen"],
        "delivered_per_s": round(submits["n"] / (submits["last"] - load["t0"]), 1),
        "cpu_ms_per_msg": round(1000 * spent / max(1, submits["n"]), 3),
        "rss_mib": {"gateway": round(memory.rss_mib, 1)},
    }


def wait_for_sink(count: int, quiet_seconds: float = 8.0) -> None:
    """Until the SMSC has `count` different messages, or nothing new has come for a while."""
    last, since = -1, time.monotonic()
    while (got := sink("n")["unique"]) < count and time.monotonic() - since < quiet_seconds:
        if got != last:
            last, since = got, time.monotonic()
        time.sleep(0.05)


def line(result: Json) -> str:
    """A run in one line."""
    scenario = result["scenario"]
    key, unit = HEADLINES[scenario]
    text = f"{scenario:<6}{result[key]:>10,.0f} {unit:<12}"
    if result.get("cpu_ms_per_msg"):
        text += f" CPU {result['cpu_ms_per_msg']:.3f} ms/msg"
    if used := result.get("by_thread"):
        threads = " + ".join(f"{ms:.3f}" for ms in used["threads_ms"][:3]) or "0"
        text += f" (loop {used['loop_ms']:.3f}, threads {threads})"
    text += f"  RSS {sum(result['rss_mib'].values()):.0f} MiB"
    return text + "  " + "  ".join(notes(result))


def notes(result: Json) -> Iterator[str]:
    """What else a run has to tell: losses first."""
    scenario = result["scenario"]
    if scenario == "E":
        yield f"lost {result['lost']}  sent twice {result['duplicated']}"
        yield f"with the SMSC at the kill {result['at_smsc_when_killed']}"
        return
    if scenario == "L":
        for key, name in (
            ("http_latency", "answer"),
            ("request_to_smsc", "to SMSC"),
            ("request_to_callback_incl_100ms", "to callback (100 ms of it the SMSC's)"),
        ):
            if found := result[key]:
                yield f"{name} p50 {found['p50_ms']} p99 {found['p99_ms']} ms"
    done = {
        "A": lambda: result["delivered"]["unique"],
        "batch": lambda: result["delivered"]["unique"],
        "B": lambda: result["callbacks_unique"],
        "L": lambda: result["callbacks_unique"],
        "C": lambda: result["unique"],
        "D": lambda: result["receipts"],
    }[scenario]()
    wanted = result["sent"] if scenario == "C" else result["acked"]
    yield f"{done:,} of {wanted:,}" + ("" if done == wanted else "  INCOMPLETE")
    if result.get("refused"):
        yield f"refused {result['refused']}"
    if result.get("http_latency") and scenario == "A":
        yield f"answer p50 {result['http_latency']['p50_ms']} p99 {result['http_latency']['p99_ms']} ms"


def _get(url: str, *, raw: bool = False) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """The kit's ports and pid files are for one run at a time: wait until nobody else's is under way."""
    with (scratch() / "trunkline.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another run is under way; waiting for its end", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("what", help="scenarios with commas between them, or up, down, kill9, restart")
    made.add_argument("--n", type=int, default=0, help=f"messages; by default {DEFAULT_N}")
    made.add_argument("--runs", type=int, default=1, help="of each scenario (default: 1)")
    made.add_argument("--conns", type=int, default=32, help="HTTP connections of the load (default: 32)")
    made.add_argument("--rate", type=float, default=200, help="L: messages a second (default: 200)")
    made.add_argument("--size", type=int, default=100, help="batch: messages in a request (default: 100)")
    made.add_argument("--batch-conns", type=int, default=4, help="batch: HTTP connections (default: 4)")
    made.add_argument("--quickack", type=int, choices=(0, 1), default=1, help="0: the SMSC delays its ACKs")
    made.add_argument("--label", default="window 100, durable", help="of the runs in results.jsonl")
    made.add_argument("--json", action="store_true", help="one JSON object for each run")
    made.add_argument("--if-there", action="store_true", help="without the kit, say so and do nothing")
    return made


def by_hand(command: str) -> None:
    gateway = Gateway()
    match command:
        case "up":
            gateway.prepare()
            gateway.start()
        case "down":
            gateway.stop()
        case "kill9":
            gateway.stop(signal.SIGKILL)
        case "restart":
            gateway.stop()
            gateway.start()


def main() -> None:
    options = parser().parse_args()
    if options.what in ("up", "down", "kill9", "restart"):
        by_hand(options.what)
        return
    wanted = options.what.split(",")
    if unknown := set(wanted) - set(SCENARIOS):
        raise SystemExit(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    try:
        home()
    except KitMissing as missing:
        if not options.if_there:
            raise
        print(f"scenarios A to E were left out: {missing}")
        return
    with alone():
        kit, gateway = Kit(), Gateway()
        try:
            kit.up(quickack=bool(options.quickack))
            gateway.prepare()
            gateway.start()
            for scenario in wanted:
                for _ in range(options.runs):
                    result = run_scenario(kit, gateway, scenario, options)
                    print(json.dumps(result) if options.json else line(result), flush=True)
        finally:
            gateway.stop()
            kit.down()


if __name__ == "__main__":
    main()
