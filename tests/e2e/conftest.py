"""What the demo says and sends, for all who look at it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.capture import CannotCapture, Capture
from tests.peers.processes import until


@dataclass
class Played:
    """A run of `gateway demo --once --any-ports`."""

    status: int
    transcript: str
    smpp: list[int]  # ports of the SMSCs
    sip: list[int]  # ports of carrier and gateway
    capture: Capture | None
    no_capture: str = ""  # why


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Played once, for those who read what it prints and those who read its packets."""
    capture, reason = None, ""
    try:
        capture = Capture(tmp_path_factory.mktemp("demo"))
    except CannotCapture as error:
        reason = str(error)
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "gateway", "demo", "--once", "--any-ports"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            said: list[str] = []
            reader = threading.Thread(target=lambda: said.append(process.stdout.read()))  # type: ignore[union-attr]
            reader.start()
            lines = until(lambda: _command_lines(process.pid), "the demo's programs run")
            process.wait(240)
            reader.join()
    finally:
        if capture is not None:
            capture.stop()
    yield Played(
        process.returncode,
        said[0],
        smpp=_ports(lines, r"simulators\.smsc .*--listen=127\.0\.0\.1:(\d+)"),
        sip=_ports(lines, r"simulators\.sip_carrier .*--listen=127\.0\.0\.1:(\d+)")
        + _ports(lines, r"simulators\.sip_carrier .*--gateway=127\.0\.0\.1:(\d+)"),
        capture=capture,
        no_capture=reason,
    )


def _command_lines(parent: int) -> list[str]:
    """The command lines of a process's children, once it has all five."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        lines = [Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in children]
    except OSError:
        return []
    programs = ("simulators.smsc", "simulators.sip_carrier", "simulators.webhook", "gateway run")
    return lines if all(any(program in line for line in lines) for program in programs) else []


def _ports(lines: list[str], pattern: str) -> list[int]:
    return [int(found[1]) for line in lines if (found := re.search(pattern, line))]
