"""The stage of the demo: the simulators and the daemon as programs of their own, and what they say."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import socket
import sys
import tomllib
from pathlib import Path
from typing import Any

from gateway.values.errors import GatewayError

START_SECONDS = 90.0
STOP_SECONDS = 30.0
FREE_PORTS = range(30_000, 32_768)  # from the next on the system gives them to outgoing connections

Json = dict[str, Any]


class StageError(GatewayError):
    """A program did not start, or did not say what it should have."""


class Program:
    """A simulator: JSON lines out, JSON lines in."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard: list[Json] = []
        self._news = asyncio.Condition()

    async def start(self) -> Json:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        return await self.wait("listening", timeout=START_SECONDS)

    async def wait(self, event: str, *, timeout: float = 30.0, **fields: object) -> Json:
        """The oldest event that fits and has not been taken yet.  Raises StageError when none comes."""
        try:
            async with asyncio.timeout(timeout), self._news:
                while True:
                    for heard in self._heard:
                        if heard["event"] == event and all(heard.get(k) == v for k, v in fields.items()):
                            self._heard.remove(heard)
                            return heard
                    await self._news.wait()
        except TimeoutError:
            wanted = ", ".join(f"{key} {value}" for key, value in fields.items())
            raise StageError(f"{self.name}: no {event} ({wanted}) within {timeout:g} s") from None

    def tell(self, command: str, **fields: object) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps({"cmd": command, **fields}).encode() + b"\n")

    async def stop(self) -> None:
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        await _ended(self._process)
        if self._reader is not None:
            await self._reader

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            heard = json.loads(line)
            async with self._news:
                self._heard.append(heard)
                del self._heard[:-10_000]
                self._news.notify_all()


class Gateway:
    """The daemon itself, its log in a file."""

    def __init__(self, config: Path, log: Path, state: Path) -> None:
        self._config, self._log, self._state = config, log, state
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                "run",
                "-c",
                str(self._config),
                stdout=log,
                stderr=log,
                env={**os.environ, "STATE_DIRECTORY": str(self._state)},
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.terminate()
            await _ended(self._process)

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


class Ports:
    """The ports that the example configuration names, or free ones in their place."""

    def __init__(self, config: Path) -> None:
        settings = tomllib.loads(config.read_text())
        self._tcp = [
            _port(settings["http"]["listen"]),
            _port(settings["smpp"]["listen"]["address"]),
            *(bind["port"] for bind in settings["smpp"]["binds"].values()),
        ]
        self._udp = [_port(settings["sip"]["listen"][0]), settings["sip"]["trunks"]["east"]["port"]]
        self._webhook = 8099
        self._map: dict[int, int] = {}

    def taken(self) -> list[str]:
        """The wanted ports that somebody else holds."""
        kinds = [(port, socket.SOCK_STREAM, "TCP") for port in (*self._tcp, self._webhook)]
        kinds += [(port, socket.SOCK_DGRAM, "UDP") for port in self._udp]
        return [f"{name} {port}" for port, kind, name in kinds if not _is_free(port, kind)]

    def move(self, config: Path, target: Path) -> Path:
        """Copy the configuration with free ports in the place of its own.  Gives the main file."""
        free = iter(random.sample(FREE_PORTS, len(FREE_PORTS)))
        for port in (*self._tcp, self._webhook):
            self._map[port] = next(other for other in free if _is_free(other, socket.SOCK_STREAM))
        for port in self._udp:
            self._map[port] = next(other for other in free if _is_free(other, socket.SOCK_DGRAM))
        shutil.copytree(config.parent, target)
        for file in target.rglob("*.toml"):
            text = re.sub(
                r"(?<![\w+.])(?:(?<=:)|(?<== ))(\d{4})\b",
                lambda match: str(self._map.get(int(match[1]), match[1])),
                file.read_text(),
            )
            file.write_text(text)
        return target / config.name

    def __getitem__(self, port: int) -> int:
        return self._map.get(port, port)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _is_free(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
