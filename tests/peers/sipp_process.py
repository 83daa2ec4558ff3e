"""SIPp as a process, by the scenarios in tests/peers/sipp."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest

SCENARIOS = Path(__file__).parent / "sipp"
LONGEST_SECONDS = 40


class Sipp:
    """Plays a scenario, whose every call must come out as it says.  `status` replaces STATUS in it,
    `keys` KEYS, `pause` PAUSE (milliseconds).

    In a `with` it runs beside the body.
    """

    def __init__(
        self,
        scenario: str,
        folder: Path,
        *arguments: str,
        address: str = "127.0.0.1",
        status: int = 0,
        keys: str = "",
        pause: int = 0,
    ) -> None:
        program = shutil.which("sipp")
        if program is None:
            pytest.skip("sipp is missing: apt-get install sip-tester")
        script = folder / f"{scenario}.xml"
        text = (SCENARIOS / script.name).read_text()
        script.write_text(
            text.replace("STATUS", str(status)).replace("KEYS", keys).replace("PAUSE", str(pause))
        )
        self._errors = folder / f"{scenario}.errors"
        self._process = subprocess.Popen(
            [
                *(program, "-sf", str(script), "-i", address, "-nostdin", "-nr"),
                *("-timeout", f"{LONGEST_SECONDS}s", "-timeout_error"),
                *("-trace_err", "-error_file", str(self._errors), *arguments),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.done()
        else:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def done(self) -> None:
        """Wait for its end."""
        output, _ = self._process.communicate(timeout=LONGEST_SECONDS + 5)
        errors = self._errors.read_text(errors="replace") if self._errors.exists() else ""
        assert self._process.returncode == 0, errors or output.decode(errors="replace")[-2000:]
