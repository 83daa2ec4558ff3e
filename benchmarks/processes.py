"""What processes cost: CPU seconds by thread and memory, read from /proc, and starting them by pid files.

A pid file has lines "label pid starttime", as the measuring kit writes them: a pid that has been given to
somebody else since is left alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME, _STARTTIME, _PPID = 11, 12, 19, 1  # fields of /proc/PID/stat after the name
_MIB = 1024  # /proc tells KiB


class Memory(NamedTuple):
    rss_mib: float
    peak_rss_mib: float


class Pid(NamedTuple):
    label: str
    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """It runs, and is the process that was noted."""
        with contextlib.suppress(OSError):
            fields = _fields(Path(f"/proc/{self.pid}/stat"))
            return fields[_STARTTIME] == self.started and fields[0] != "Z"
        return False


def noted(file: Path) -> list[Pid]:
    if not file.exists():
        return []
    found = []
    for line in file.read_text().splitlines():
        label, pid, started = line.split()
        found.append(Pid(label, int(pid), started))
    return found


def note(file: Path, label: str, pid: int) -> None:
    """Write down a process and those it has started."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for each in family(pid):
        name = label if each == pid else f"{label}-worker"
        lines.append(f"{name} {each} {_fields(Path(f'/proc/{each}/stat'))[_STARTTIME]}\n")
    file.write_text("".join(lines))


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_fields(entry)[_PPID]), []).append(int(entry.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def end(file: Path, how: signal.Signals = signal.SIGTERM, wait_seconds: float = 20.0) -> None:
    """End what the file names, and wait for it; SIGKILL for what does not."""
    pids = noted(file)
    for each in pids:
        if each.alive:
            os.kill(each.pid, how)
    until = time.monotonic() + wait_seconds
    while any(each.alive for each in pids):
        if time.monotonic() > until:
            end(file, signal.SIGKILL)
            return
        time.sleep(0.02)
    file.unlink(missing_ok=True)


def cpu(pid: int) -> dict[str, float]:
    """CPU seconds of a process: its first thread as "loop", each other by its thread id."""
    used = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            fields = _fields(task / "stat")
            name = "loop" if task.name == str(pid) else task.name
            used[name] = (int(fields[_UTIME]) + int(fields[_STIME])) / _TICK
    return used


def memory(pid: int) -> Memory:
    told = dict(_status(pid))
    return Memory(*(int(told[key].split()[0]) / _MIB for key in ("VmRSS", "VmHWM")))


def _status(pid: int) -> Iterator[tuple[str, str]]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        yield key, value


def _fields(file: Path) -> list[str]:
    return file.read_text().rpartition(")")[2].split()
