"""The command line: argument parsing and printing only; one file per command group.

A command is loaded when it is asked for: `gateway --help` need not import the daemon.
"""

from __future__ import annotations

from importlib import import_module

import click

from gateway import __version__

# name -> module:attribute; its one-line help stands here, so that `gateway --help` loads none of them
_COMMANDS = {
    "check": (
        "gateway.cli.check:check",
        "Load the configuration and print everything that is wrong with it.",
    ),
}

_EXAMPLES = """\b
Examples:
  gateway check                                 the configuration in conf/
  gateway check -c /etc/trunkline/gateway.toml  another one
"""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in _COMMANDS.items()])


@click.group(cls=_Lazy, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """trunkline: SMS and voice gateway.  `gateway COMMAND --help` says more."""
