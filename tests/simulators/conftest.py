"""Runs a simulator as its own process, as other programs do, and talks to it by stdin and stdout."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0
Event = dict[str, Any]


class Simulator:
    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"simulators.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._refs = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()

    def wait(self, event: str, **fields: object) -> Event:
        """Take the oldest event of this name with these fields that no wait() has taken yet."""

        def find() -> Event | None:
            for index, candidate in enumerate(self.events):
                if candidate["event"] == event and fields.items() <= candidate.items():
                    return self.events.pop(index)
            return None

        with self._changed:
            found = self._changed.wait_for(find, PATIENCE_SECONDS)
            assert found, f"no {event} {fields} in {self.events}"
            return found

    def write(self, octets: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def command(self, name: str, **fields: object) -> Event:
        """Returns the done event."""
        self._refs += 1
        self.write(json.dumps({"cmd": name, "ref": self._refs, **fields}).encode() + b"\n")
        return self.wait("done", ref=self._refs)

    def port(self) -> int:
        return int(self.wait("listening")["port"])

    def end(self) -> int:
        """Close stdin, which ends every simulator. Returns the exit status."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Simulator]]:
    """start("smsc", "--listen", "127.0.0.1:0") gives a running Simulator."""
    running: list[Simulator] = []

    def start(module: str, *arguments: str) -> Simulator:
        running.append(Simulator(module, *arguments))
        return running[-1]

    yield start
    for simulator in running:
        if simulator.process.stdout is not None and not simulator.process.stdout.closed:
            assert simulator.end() == 0
