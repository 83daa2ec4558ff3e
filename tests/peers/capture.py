"""tshark: what is said on loopback, captured, and read back by decoders that are not ours."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.peers.processes import PATIENCE_SECONDS, until

BUFFER_MIB = "64"  # for what other tests say meanwhile, which is captured too
MISSING = "tshark is missing: apt-get install tshark"


class CannotCapture(Exception):
    """tshark is there and may not capture."""


class Capture:
    """Everything on loopback from here to `stop`.  Raises CannotCapture."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("tshark")
        if program is None:
            raise CannotCapture(MISSING)
        self.program = program
        self.file = folder / "loopback.pcapng"
        self._said = folder / "tshark.log"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [program, "-n", "-q", "-i", "lo", "-B", BUFFER_MIB, "-w", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        until(self._begun, "tshark captures")

    def _begun(self) -> bool:
        if self._process.poll() is not None:
            raise CannotCapture(self._said.read_text(errors="replace").strip())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as something:
            something.sendto(b"to be captured", ("127.0.0.1", 9))
        # the header alone has fewer
        return self.file.exists() and self.file.stat().st_size > 500

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def read(
        self, wanted: str, fields: Sequence[str], *, smpp: Sequence[int], sip: Sequence[int]
    ) -> list[list[str]]:
        """The fields of each packet that the display filter `wanted` picks, ports decoded so."""
        decoded = [f"tcp.port=={port},smpp" for port in smpp] + [f"udp.port=={port},sip" for port in sip]
        done = subprocess.run(
            [
                *(self.program, "-n", "-r", str(self.file), "-Y", wanted, "-T", "fields"),
                *(argument for rule in decoded for argument in ("-d", rule)),
                *(argument for field in fields for argument in ("-e", field)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]
