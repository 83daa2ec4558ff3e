"""A store that takes nothing for a while: its disk is full, or somebody else holds it.

Meanwhile requests are refused so that they come again, and nothing that was acknowledged is lost; the gateway
goes on by itself when the store does, and its log has not been flooded.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.accounting import Seen, report
from tests.faults.traffic import Site, Traffic, come_to_rest, site
from tests.peers.processes import Daemon, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

Fault = Callable[[Daemon], AbstractContextManager[None]]

FAULT_SECONDS = 2.0
LINES = 300  # that the log may grow by meanwhile
DISK = 24 << 20  # octets
WRITTEN = 256 << 10  # past this no file of the daemon's grows
RSYSERR, RMSGQFUL, RTHROTTLED, RX_T_APPN = 0x08, 0x14, 0x58, 0x64


@contextmanager
def full_disk(daemon: Daemon) -> Iterator[None]:
    """Its state is on a small disk of its own (see `disk`), which somebody else fills up."""
    ballast = daemon.state / "ballast"
    with ballast.open("wb") as file:
        for octets in (1 << 20, 4096):
            try:
                while True:
                    os.posix_fallocate(file.fileno(), file.tell(), octets)
                    file.seek(octets, os.SEEK_CUR)
            except OSError:
                pass  # no space left for so much
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def no_room(daemon: Daemon) -> Iterator[None]:
    """The process that writes may not make files any longer: like a full disk, for those who may not mount
    one."""
    tasks = Path(f"/proc/{daemon.pid}/task").glob("*/children")
    [writer] = [pid for task in tasks for pid in task.read_text().split()]
    _, hard = resource.prlimit(int(writer), resource.RLIMIT_FSIZE)
    resource.prlimit(int(writer), resource.RLIMIT_FSIZE, (WRITTEN, hard))
    try:
        yield
    finally:
        resource.prlimit(int(writer), resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def held(daemon: Daemon) -> Iterator[None]:
    """Another process is in the middle of a transaction."""
    with closing(sqlite3.connect(daemon.state / "gateway.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def disk(place: Path) -> Iterator[None]:
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def may_mount() -> bool:
    if os.geteuid():
        return False
    mounts = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(mounts, check=False, capture_output=True).returncode == 0


FAULTS: tuple[Fault, ...] = (no_room, held, *((full_disk,) if may_mount() else ()))


@pytest.fixture
def place(tmp_path: Path, fault: Fault) -> Iterator[Site]:
    folder = tmp_path / "site"
    with site(folder) as place:
        if fault is not full_disk:
            place.daemon.start()
            yield place
            return
        with disk(place.daemon.state), place.daemon:
            yield place


@pytest.mark.parametrize("fault", FAULTS)
def test_what_comes_meanwhile_is_refused_and_nothing_is_lost(place: Site, fault: Fault) -> None:
    daemon, traffic = place.daemon, Traffic(place)
    try:
        until(lambda: len(traffic.acked) > 50, "the traffic flows")
        lines = daemon.log_file.read_text().count("\n")
        with fault(daemon):
            until(lambda: traffic.answers[503] > 0, "requests are answered 503")
            until(lambda: place.account.refused, "submit_sm is refused")
            until(lambda: place.once.heard("mo_ack", status=RX_T_APPN, retry=True), "deliver_sm is refused")
            time.sleep(FAULT_SECONDS)
            status, ready = daemon.get("/readyz")
            assert status == 503 and "the store cannot write" in ready["reasons"][0], ready
            grown = daemon.log_file.read_text().count("\n") - lines
        until(lambda: daemon.get("/readyz")[0] == 200, "it is ready again by itself")
        before = traffic.answers[202]
        until(lambda: traffic.answers[202] > before + 10, "requests are taken again")
    finally:
        traffic.stop()
    stuck = come_to_rest(place, traffic)
    figures, wrong = Seen(place).judge(traffic)
    refused = {"refused": traffic.answers[503], "lines of log": grown}
    report(f"{fault.__name__}", figures | refused, stuck + wrong)
    assert {status for _, status in place.account.refused} <= {RSYSERR, RMSGQFUL, RTHROTTLED}
    assert len(daemon.log("store.failing")) >= 1 and len(daemon.log("store.recovered")) >= 1
    assert grown < LINES, daemon.tail()
