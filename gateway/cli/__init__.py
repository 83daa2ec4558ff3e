"""The command line: argument parsing and printing only; one file per command group.

A command is loaded when it is asked for: `gateway --help` need not import the daemon.
"""

from __future__ import annotations

from importlib import import_module

import click

from gateway import __version__

# name -> module:attribute; its one-line help stands here, so that `gateway --help` loads none of them
_COMMANDS = {
    "help": ("gateway.cli:help", "Show the help of a command: gateway help flow trace."),
    "run": ("gateway.cli.run:run", "Run the gateway."),
    "demo": ("gateway.cli.demo:demo", "Watch real SMPP and SIP traffic go through the gateway."),
    "check": (
        "gateway.cli.check:check",
        "Load the configuration and print everything that is wrong with it.",
    ),
    "send": ("gateway.cli.send:send", "Send a message through the running gateway."),
    "status": ("gateway.cli.status:status", "Show how the running gateway is: carriers, queues."),
    "messages": ("gateway.cli.messages:messages", "Search the messages, newest first."),
    "dial": ("gateway.cli.dial:dial", "Call lists: begin, pause, go on, stop; progress and report."),
    "calls": ("gateway.cli.calls:calls", "Search the calls, newest first: the call detail records."),
    "why": ("gateway.cli.why:why", "Tell what happened to a message, a call or a session."),
    "keyword": ("gateway.cli.keyword:keyword", "Try a text: which keyword or rule takes it, and why."),
    "assets": ("gateway.cli.assets:assets", "List numbers, names, apps and keywords, and whose they are."),
    "route": ("gateway.cli.route:route", "Say by which carriers a message to a number goes, and why."),
    "template": ("gateway.cli.template:template", "Show what templates say, and in how many segments."),
    "rule": ("gateway.cli.rule:rule", "Try an event: which rules fire, and why not the others."),
    "nlp": ("gateway.cli.nlp:nlp", "What services read out of texts: try, test, report."),
    "links": ("gateway.cli.links:links", "Count smart links: sent, opened, clicks."),
    "flow": ("gateway.cli.flow:flow", "Flows: check, test, versions; trace, replay, compare sessions."),
    "logbook": ("gateway.cli.logbook:logbook", "Print what flows have written to Logbooks."),
    "bind": ("gateway.cli.bind:bind", "Take a bind down, drain it, bring it up."),
    "trunk": ("gateway.cli.trunk:trunk", "Ask a SIP peer whether it is there."),
    "text": ("gateway.cli.text:text", "Say how a text goes on air: alphabet, segments."),
    "service": ("gateway.cli.service:service", "Make a key for a service's HTTP API."),
    "db": ("gateway.cli.db:db", "Look at the store, back it up, give space back."),
}

_EXAMPLES = """\b
Examples:
  gateway check                                 the configuration in conf/
  gateway check -c /etc/trunkline/gateway.toml  another one
  gateway messages --status failed              what went wrong lately
  gateway why ID                                and why
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


@click.command(
    epilog="""\b
Examples:
  gateway help
  gateway help flow trace
"""
)
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of COMMAND, as --help does."""
    assert context.parent is not None
    of, command = context.parent, context.parent.command
    for word in words:
        found = command.get_command(of, word) if isinstance(command, click.Group) else None
        if found is None:
            raise click.UsageError(f"{of.command_path} has no command {word!r}", of)
        of, command = click.Context(found, parent=of, info_name=word), found
    click.echo(of.get_help())
