import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from simulators.console import Command, CommandError, host_and_port

Start = Callable[..., Any]
LISTEN = ("--listen", "127.0.0.1:0")
RUN = [sys.executable, "-m", "simulators.smsc", *LISTEN]


def test_a_command_is_an_object_with_a_name() -> None:
    command = Command.parse(b'{"cmd": "mo", "to": "1", "n": 2}')
    assert (command.name, command.get("to", str), command.get("n", float)) == ("mo", "1", 2.0)
    assert command.get("absent", str, "default") == "default"
    for line in (b"", b"{", b"[]", b'"mo"', b'{"cmd": 1}', b"{}", b"\xff", b"[" * 100_000):
        with pytest.raises(CommandError):
            Command.parse(line)


def test_a_field_of_the_wrong_type_is_named() -> None:
    command = Command("mo", {"to": 1, "n": True, "order": [1, "2"]})
    with pytest.raises(CommandError, match='"to" must be of type str, not 1'):
        command.get("to", str)
    with pytest.raises(CommandError, match='"n" must be of type int'):
        command.get("n", int)
    with pytest.raises(CommandError, match='mo needs "absent"'):
        command.get("absent", int)
    with pytest.raises(CommandError, match="whole numbers"):
        command.numbers("order")


def test_an_address_is_host_and_port() -> None:
    assert host_and_port("127.0.0.1:0") == ("127.0.0.1", 0)
    assert host_and_port("[::1]:2776") == ("::1", 2776)
    for text in ("2776", ":2776", "host:", "host:x", "host:65536", "host:-1"):
        with pytest.raises(argparse.ArgumentTypeError):
            host_and_port(text)


def test_every_command_is_answered_with_its_ref(start: Start) -> None:
    simulator = start("smsc", *LISTEN)
    simulator.port()
    simulator.write(b'\n{"cmd": "stats", "ref": "a"}\n{"cmd": "dan')
    assert simulator.wait("done")["ref"] == "a"
    simulator.write(b'ce", "ref": "b"}\n')
    error = simulator.wait("error")
    assert (error["cmd"], error["ref"]) == ("dance", "b")


def test_an_endless_line_is_refused_and_the_next_is_read(start: Start) -> None:
    simulator = start("smsc", *LISTEN)
    simulator.write(b"x" * 1_100_000)
    assert "longer than" in simulator.wait("error")["reason"]
    simulator.write(b"\n")
    simulator.command("stats")


def test_quit_and_the_end_of_stdin_end_it(start: Start) -> None:
    simulator = start("smsc", *LISTEN)
    simulator.command("quit")
    assert simulator.wait("closing")["reason"] == "quit"
    assert simulator.end() == 0
    simulator = start("smsc", *LISTEN)
    simulator.port()
    assert simulator.end() == 0
    assert simulator.wait("closing")["reason"] == "end of stdin"


def test_sigterm_ends_it_cleanly(start: Start) -> None:
    simulator = start("smsc", *LISTEN)
    simulator.port()
    simulator.process.send_signal(signal.SIGTERM)
    assert simulator.wait("closing")["reason"] == "SIGTERM"
    assert simulator.process.wait(10) == 0


def test_without_a_parent_pipe_the_end_of_stdin_is_nothing() -> None:
    with subprocess.Popen(RUN, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"listening" in process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.terminate()
        assert process.wait(10) == 0


def test_control_stdin_ends_with_any_stdin() -> None:
    finished = subprocess.run([*RUN, "--control", "stdin"], stdin=subprocess.DEVNULL, timeout=90, check=False)
    assert finished.returncode == 0


def test_a_closed_stdout_ends_it_without_complaint() -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(RUN, stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        os.close(reading)
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b""
