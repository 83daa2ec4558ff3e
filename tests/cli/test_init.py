"""The group itself: tests of gateway/cli/__init__.py."""

import pytest
from click.testing import CliRunner

from gateway import __version__
from gateway.cli import main


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_the_version() -> None:
    assert run("--version") == (0, f"gateway, version {__version__}\n")


@pytest.mark.parametrize("command", main.list_commands(None))  # type: ignore[arg-type]
def test_every_command_loads_is_listed_and_shows_an_example(command: str) -> None:
    status, listing = run("--help")
    assert status == 0
    assert f"\n  {command} " in listing
    status, help = run(command, "--help")
    assert status == 0
    assert "Example" in help


def test_an_unknown_command_is_refused() -> None:
    status, output = run("chekc")
    assert status == 2
    assert "No such command 'chekc'" in output


def test_help_is_a_command_too() -> None:
    assert run("help") == run("--help")
    assert run("help", "flow", "trace") == run("flow", "trace", "--help")
    status, output = run("help", "flow", "trase")
    assert status == 2
    assert "gateway flow has no command 'trase'" in output or "main flow has no command 'trase'" in output
