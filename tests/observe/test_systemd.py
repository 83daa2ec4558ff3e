"""Against a socket as systemd opens one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.observe.systemd import Systemd


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield manager


@pytest.fixture
def systemd(manager: socket.socket) -> Iterator[Systemd]:
    systemd = Systemd()
    yield systemd
    systemd.close()


def test_each_state_is_told(manager: socket.socket, systemd: Systemd) -> None:
    systemd.ready()
    systemd.status("2 binds up\nand running – well")
    systemd.stopping()
    assert manager.recv(1000) == b"READY=1"
    assert manager.recv(1000) == b"STATUS=2 binds up and running ? well"
    assert manager.recv(1000) == b"STOPPING=1"


def test_reloading_comes_with_the_moment(manager: socket.socket, systemd: Systemd) -> None:
    before = time.monotonic_ns() // 1000
    systemd.reloading()
    state, moment = manager.recv(1000).decode().split("\n")
    assert state == "RELOADING=1"
    name, _, value = moment.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.monotonic_ns() // 1000


async def test_watchdog_is_told_while_healthy_and_not_while_failing(
    manager: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "4000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    states = [True, True, False, False, True]
    asked: list[bool] = []
    done = asyncio.Event()

    def healthy() -> bool:
        asked.append(states[len(asked)])
        if len(asked) == len(states):
            done.set()
        return asked[-1]

    systemd = Systemd()
    task = asyncio.create_task(systemd.watch(healthy))
    await asyncio.wait_for(done.wait(), 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    systemd.close()
    told = [manager.recv(1000) for _ in range(3)]
    assert told == [b"WATCHDOG=1"] * 3
    with pytest.raises(BlockingIOError):
        manager.recv(1000)
    assert [record.message for record in caplog.records] == ["watchdog.withheld"]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_watchdog_time_is_systemds(
    environ: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID", "NOTIFY_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert Systemd().watchdog_seconds == seconds


async def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    systemd = Systemd()
    systemd.ready()
    await systemd.watch(lambda: True)
    systemd.stopping()
    systemd.close()
