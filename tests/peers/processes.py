"""The daemon and the simulators as processes of their own, for tests from outside."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from gateway.store.sqlite import SqliteStore
from gateway.values.event import Event
from tests.peers.ports import free_port

Json = dict[str, Any]
T = TypeVar("T")

KEY = "e2e-key"
PATIENCE_SECONDS = 90.0  # nothing is measured by it: what comes late on a busy machine comes


def until(found: Callable[[], T], what: str, *, timeout: float = PATIENCE_SECONDS) -> T:
    """Ask until the answer is true; the answer.  Fails after `timeout` seconds, naming `what` was missing."""
    end = time.monotonic() + timeout
    while not (answer := found()):
        assert time.monotonic() < end, f"not within {timeout:g} s: {what}"
        time.sleep(0.02)
    return answer


class Simulator:
    """A program of simulators/: JSON lines out, JSON lines in.  It ends with its standard input."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.events: list[Json] = []
        self._taken: set[int] = set()
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"simulators.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port: int = self.wait("listening")["port"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()

    def tell(self, command: str, **fields: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"cmd": command, **fields}).encode() + b"\n")
        self._process.stdin.flush()

    def wait(self, event: str, *, timeout: float = PATIENCE_SECONDS, **fields: object) -> Json:
        """The oldest event that fits and that no `wait` has given yet."""
        found: Json = {}

        def look() -> bool:
            for index, heard in enumerate(self.events):
                if index not in self._taken and _fits(heard, event, fields):
                    self._taken.add(index)
                    found.update(heard)
                    return True
            return False

        with self._news:
            came = self._news.wait_for(look, timeout)
        assert came, f"no {event} {fields} within {timeout:g} s; the last events: {self.events[-5:]}"
        return found

    def heard(self, event: str, **fields: object) -> list[Json]:
        """All events that fit, so far."""
        with self._news:
            return [heard for heard in self.events if _fits(heard, event, fields)]

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE_SECONDS)
        self._process.stdout.close()


def _fits(heard: Json, event: str, fields: Mapping[str, object]) -> bool:
    return heard["event"] == event and all(heard.get(key) == value for key, value in fields.items())


class Daemon:
    """`gateway run` on a configuration in `folder`; its state outlives it.

    `settings` and `services` are TOML; store, HTTP and log are set here.
    """

    running: ClassVar[list[Daemon]] = []  # for the log tails of a failed test

    def __init__(self, folder: Path, settings: str, services: Mapping[str, str]) -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.state = folder / "state"
        self.log_file = folder / "gateway.log"
        self.http_port = free_port()
        self.environment: dict[str, str] = {}
        self.wrapper: tuple[str, ...] = ()  # a command in front of ours, which turns into it
        self.module = "gateway"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "services").mkdir(parents=True)
        self.write(settings)
        for name, text in services.items():
            self.write_service(name, text)

    def write(self, settings: str) -> None:
        http = f'listen = "127.0.0.1:{self.http_port}"\nlinks = "https://s.example.org"'
        head = f'[http]\n{http}\n\n[log]\nformat = "json"\n\n'
        self.config.write_text(head + settings)

    def write_service(self, name: str, text: str) -> None:
        (self.folder / "services" / f"{name}.toml").write_text(text)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.terminate()

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start the process and do not wait for it."""
        environment = {**os.environ, "STATE_DIRECTORY": str(self.state), **self.environment}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.wrapper, sys.executable, "-m", self.module, "run", "-c", str(self.config)],
                stdout=log,
                stderr=log,
                env=environment,
            )
        Daemon.running.append(self)

    def start(self) -> None:
        self.launch()
        try:
            self.until_ready()
        except BaseException:
            if self._process is not None:
                self.kill9()
            raise

    def until_ready(self) -> None:
        until(self._is_ready, "the daemon is ready")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the daemon has ended with {self.ended()}:\n{self.tail()}")
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self, timeout: float = PATIENCE_SECONDS) -> int:
        """Wait for the process; its exit status."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None
            Daemon.running.remove(self)
        return status

    def kill9(self) -> None:
        self.signal(signal.SIGKILL)
        self.ended()

    def terminate(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ended()

    # what it says

    def log(self, event: str) -> list[Json]:
        """The log's lines of that name."""
        lines = self.log_file.read_text().splitlines() if self.log_file.exists() else []
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in found if line["event"] == event]

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the store as it is, beside the daemon."""
        connection = sqlite3.connect(f"file:{self.state / 'gateway.db'}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def events(self, refs: Iterable[str]) -> dict[str, list[Event]]:
        """The transaction logs of these, as the store gives them."""

        async def read() -> dict[str, list[Event]]:
            store = SqliteStore(self.state / "gateway.db", read_only=True)
            await store.open()
            try:
                return {ref: await store.events(ref) for ref in refs}
            finally:
                await store.close()

        return asyncio.run(read())

    # HTTP

    def request(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        status, answer = self._request(method, path, body)
        return status, json.loads(answer)

    def _request(self, method: str, path: str, body: Json | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"key": KEY, "Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def metric(self, line: str) -> float:
        """The value behind a metric's name and labels; 0 if it is not there yet."""
        rows = self._request("GET", "/metrics")[1].decode().splitlines()
        return next((float(row.split()[-1]) for row in rows if row.startswith(line)), 0.0)

    def get(self, path: str) -> tuple[int, Json]:
        return self.request("GET", path)

    def send(self, **body: object) -> str:
        """POST /v2/messages; "sender" is written "from".  The id."""
        if "sender" in body:
            body["from"] = body.pop("sender")
        status, answer = self.request("POST", "/v2/messages", body)
        assert status == 202, answer
        return str(answer["id"])

    def send_batch(self, messages: Sequence[Json]) -> list[str]:
        """POST /v2/messages/batch; the ids."""
        status, answer = self.request("POST", "/v2/messages/batch", {"messages": list(messages)})
        assert status == 202 and not answer["refused"], answer
        return [message["id"] for message in answer["messages"]]

    def message(self, id: str) -> Json:
        status, story = self.get(f"/v2/messages/{id}")
        assert status == 200, story
        return story

    def reaches(self, id: str, *statuses: str, timeout: float = PATIENCE_SECONDS) -> Json:
        """The message, once its status is one of these."""

        def there() -> Json | None:
            story = self.message(id)
            return story if story["status"] in statuses else None

        try:
            story = until(there, f"status {statuses}", timeout=timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.message(id)}") from None
        assert story is not None
        return story
