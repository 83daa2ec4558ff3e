"""How a simulator is watched and steered: one JSON object per line, events on stdout, commands on stdin.

    {"event": "listening", "name": "north", "at": 1767225600.123, "port": 2776}      stdout, flushed at once
    {"cmd": "stats", "ref": 7}                                                       stdin

`at` is Unix time in seconds. Every command is answered: by {"event": "done", "cmd": ..., "ref": ...} once it
has been carried out or begun, or by {"event": "error", "cmd": ..., "ref": ..., "reason": ...}. `ref` is the
caller's own and may be left out. A bad command never ends a simulator.

The end of stdin ends a simulator when `--control stdin` was given, or by default (`--control auto`) when
stdin is a pipe or a socket, so that it cannot outlive the program that held the other end. With a terminal, a
file or /dev/null, or with `--control none` (stdin is not read), it stays up until SIGINT, SIGTERM or the
command `quit`. A closed stdout ends it too.
"""

import argparse
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import trio

STDIN = 0
LINE_LIMIT_OCTETS = 1_000_000
ALWAYS_SHOWN = frozenset({"listening", "stats", "error", "done", "closing"})

T = TypeVar("T")


class CommandError(Exception):
    """The command cannot be carried out; the text says why and goes back as an `error` event."""


class ReaderGone(BaseException):
    """Nobody reads stdout any more. Not an Exception: no guard around a peer or a command may swallow it."""


@dataclass(frozen=True, slots=True)
class Command:
    """One line from stdin: `name` is its "cmd", `fields` all else. The getters raise CommandError."""

    name: str
    fields: Mapping[str, Any]

    @classmethod
    def parse(cls, line: bytes) -> "Command":
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CommandError(f"not JSON: {error}") from None
        if not isinstance(value, dict) or not isinstance(value.get("cmd"), str):
            raise CommandError('a command is an object with a string "cmd"')
        return cls(value.pop("cmd"), value)

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """The field as `kind`; without the field the default; CommandError if neither is there."""
        value = self.fields.get(key, default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        if value is None:
            raise CommandError(f'{self.name} needs "{key}"')
        raise CommandError(f'"{key}" must be of type {kind.__name__}, not {value!r}')

    def numbers(self, key: str) -> list[int]:
        """The field as a list of whole numbers; empty without the field."""
        value = self.get(key, list, [])
        if not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
            raise CommandError(f'"{key}" must be a list of whole numbers')
        return value


Handler = Callable[[Command], Awaitable[Mapping[str, object] | None]]  # what it returns goes into `done`


def add_arguments(parser: argparse.ArgumentParser, *, name: str) -> None:
    """The options every simulator has: --name, --quiet, --control."""
    parser.add_argument("--name", default=name, help="stands in every event (default: %(default)s)")
    parser.add_argument(
        "--quiet",
        action="store_true",
        help=f"print only these events: {', '.join(sorted(ALWAYS_SHOWN))}",
    )
    parser.add_argument(
        "--control",
        choices=("auto", "stdin", "none"),
        default="auto",
        help="stdin: read commands, end with it; none: do not read it; "
        "auto (default): read it, and end with it if it is a pipe or a socket",
    )


def host_and_port(text: str) -> tuple[str, int]:
    """Read "127.0.0.1:2776" or "[::1]:2776". Raises argparse.ArgumentTypeError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


@dataclass(slots=True)
class Console:
    """Prints events and runs a simulator under its commands and signals."""

    name: str
    quiet: bool = False
    control: str = "auto"
    _buffer: bytearray = field(default_factory=bytearray, repr=False)

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Console":
        """From the options that add_arguments declared."""
        return cls(name=options.name, quiet=options.quiet, control=options.control)

    def emit(self, event: str, /, **fields: object) -> None:
        """Print one event; a value unknown to JSON goes as its str(). Blocks while a pipe is full.

        Raises ReaderGone when stdout is closed.
        """
        if self.quiet and event not in ALWAYS_SHOWN:
            return
        record = {"event": event, "name": self.name, "at": round(time.time(), 6), **fields}
        try:
            sys.stdout.write(json.dumps(record, ensure_ascii=True, default=str) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderGone from None

    def run(self, serve: Callable[[], Awaitable[None]], handle: Handler) -> int:
        """Run `serve` until it returns, `quit`, SIGINT, SIGTERM or the end of stdin. Returns the exit status.

        `serve` is cancelled to end it and says goodbye to its peers in a shielded scope of its own.
        """

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._signals, nursery.cancel_scope)
                if self.control != "none" and sys.stdin is not None:
                    nursery.start_soon(self._commands, handle, nursery.cancel_scope)
                await serve()
                nursery.cancel_scope.cancel()

        status = 0
        try:
            trio.run(main)
        except* ReaderGone:
            # without this the interpreter complains when it flushes stdout on its way out
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 1
        return status

    async def _signals(self, scope: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            async for number in received:
                self.emit("closing", reason=signal.Signals(number).name)
                scope.cancel()

    async def _commands(self, handle: Handler, scope: trio.CancelScope) -> None:
        while (line := await self._line()) is not None:
            if not line.strip():
                continue
            answer: dict[str, object] = {}
            try:
                command = Command.parse(line)
                answer["cmd"] = command.name
                if "ref" in command.fields:
                    answer["ref"] = command.fields["ref"]
                if command.name != "quit":
                    answer |= await handle(command) or {}
            except CommandError as error:
                self.emit("error", **answer, reason=str(error))
                continue
            except Exception as error:  # a defect in one command must not end a running test's peer
                self.emit("error", **answer, reason=repr(error))
                continue
            self.emit("done", **answer)
            if command.name == "quit":
                self.emit("closing", reason="quit")
                scope.cancel()
        kind = os.fstat(STDIN).st_mode
        if self.control == "stdin" or stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
            self.emit("closing", reason="end of stdin")
            scope.cancel()

    async def _line(self) -> bytes | None:
        """The next line without its end, which the last may lack; None at the end of stdin."""
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                # waiting first keeps fd 0 blocking: a terminal shares that flag with stdout and the shell
                await trio.lowlevel.wait_readable(STDIN)
            except PermissionError:  # epoll refuses regular files and /dev/null, whose reads never block
                await trio.lowlevel.checkpoint()
            data = os.read(STDIN, 65536)
            if not data:
                rest = bytes(self._buffer)
                self._buffer.clear()
                return rest or None
            self._buffer += data
            if len(self._buffer) > LINE_LIMIT_OCTETS:
                self._buffer.clear()
                self.emit("error", reason=f"a command is longer than {LINE_LIMIT_OCTETS} octets")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line
