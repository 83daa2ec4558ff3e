"""gateway dial: call lists, begun and steered in the running gateway, and what became of each entry."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import click

from gateway.cli.api import Api, address, key_of
from gateway.cli.output import clean, listing, print_json
from gateway.cli.settings import config_option, json_option, look, run, service_of, settings
from gateway.config.model import Gateway
from gateway.store.sqlite import SqliteStore
from gateway.values.clock import iso
from gateway.values.dial import DialEntry

_PAGE = 1000
_FOLLOW_SECONDS = 1.0
_ACTS = {
    "start": "Read the list's file and begin to call.",
    "pause": "Place no more calls until `resume`; those under way go on.",
    "resume": "Go on with a list that was paused.",
    "stop": "Place no more calls, for good; those under way go on.",
    "status": "How far the list has come.",
}
_COUNTS = ("waiting", "calling", "answered", "failed", "in_doubt", "skipped")
service_option = click.option(
    "--service",
    default="",
    metavar="NAME",
    help="Whose list it is; needed where several may be meant.",
)


@click.group(
    epilog="""\b
Examples:
  gateway dial start reminder --follow
  gateway dial pause reminder
  gateway dial report reminder --state failed --json
"""
)
def dial() -> None:
    """Call lists: begin, pause, go on, stop; progress and report."""


def _command(act: str, what: str) -> None:
    """`gateway dial ACT NAME`."""

    @dial.command(act, help=what, epilog=f"\b\nExample:\n  gateway dial {act} reminder --service clinic\n")
    @click.argument("name")
    @service_option
    @click.option(
        "--key",
        default="",
        envvar="GATEWAY_KEY",
        metavar="KEY",
        help="Default: the key in the service's file.",
    )
    @click.option("--follow", is_flag=True, help="Show the progress as long as it is running.")
    @json_option
    @config_option
    def do(name: str, service: str, key: str, follow: bool, as_json: bool, config: str) -> None:
        gateway = settings(config)
        owner = _owner(gateway, service, name)
        path = f"/v2/call-lists/{name}"

        async def ask(first: bool) -> dict[str, Any]:
            async with Api(address(gateway), key or key_of(gateway, owner, config)) as api:
                return await (api.post(f"{path}/{act}", {}) if first and act != "status" else api.fetch(path))

        found = run(lambda: ask(True))
        _show(found, as_json=as_json)
        while follow and found["state"] == "running":
            time.sleep(_FOLLOW_SECONDS)
            found = run(lambda: ask(False))
            _show(found, as_json=as_json)


for _act, _what in _ACTS.items():
    _command(_act, _what)


@dial.command(
    epilog="""\b
Examples:
  gateway dial report reminder
  gateway dial report reminder --state failed --csv > failed.csv
"""
)
@click.argument("name")
@service_option
@click.option(
    "--state",
    type=click.Choice(["waiting", "calling", "answered", "failed", "in-doubt", "skipped"]),
    help="Only entries in this state.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print all fields as CSV, with a head line.")
@json_option
@config_option
def report(name: str, service: str, state: str | None, as_csv: bool, as_json: bool, config: str) -> None:
    """What became of each entry of the list when it was begun last.

    Reads the store beside the running gateway.  The result is the code with which the flow's session ended.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    owner = _owner(settings(config), service, name)

    async def asked(store: SqliteStore) -> list[dict[str, Any]]:
        lists = await store.dial_lists(service=owner, name=name, limit=1)
        if not lists:
            raise click.ClickException(f"call list {clean(name)!r} of {owner} was never begun")
        found, after = [], 0
        while page := await store.dial_entries(lists[0].id, state=state or "", after=after, limit=_PAGE):
            after = page[-1].position
            found += [_told(entry, await _result(store, entry)) for entry in page]
        return found

    found = look(config, asked)
    if as_json:
        print_json(found)
    elif as_csv:
        text = io.StringIO()
        writer = csv.DictWriter(text, _told(DialEntry(list="", position=0, number="", updated_at=0.0), None))
        writer.writeheader()
        writer.writerows(found)
        click.echo(text.getvalue(), nl=False)
    else:
        listing(
            ("number", "state", "reason", "calls", "next", "result", "call"),
            [
                (
                    clean(one["number"]),
                    one["state"],
                    clean(one["reason"]),
                    str(one["attempts"]),
                    one["next"],
                    str(one["result"] if one["result"] is not None else ""),
                    one["transid"],
                )
                for one in found
            ],
        )


def _owner(gateway: Gateway, service: str, name: str) -> str:
    """`service`, or the only one that has a call list of that name."""
    if service:
        service_of(gateway, service)
        return service
    holders = [holder for holder, settings in gateway.services.items() if name in settings.call_lists]
    if len(holders) == 1:
        return holders[0]
    known = ", ".join(f"{h}/{each}" for h, one in gateway.services.items() for each in one.call_lists)
    what = "several services have" if holders else "no service has"
    raise click.ClickException(
        f"{what} a call list {clean(name)!r} (there are: {known or 'none'}); say whose with --service"
    )


def _told(entry: DialEntry, result: int | None) -> dict[str, Any]:
    return {
        "position": entry.position,
        "number": entry.number,
        "state": entry.state,
        "reason": entry.reason,
        "attempts": entry.attempts,
        "next": iso(entry.due) if entry.state == "waiting" else "",
        "transid": entry.message,
        "session": entry.run,
        "result": result,
        "updated": iso(entry.updated_at),
    }


async def _result(store: SqliteStore, entry: DialEntry) -> int | None:
    session = await store.run(entry.run) if entry.run else None
    return session.result if session is not None and session.state == "ended" else None


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    counts = ", ".join(f"{found[name]} {name.replace('_', ' ')}" for name in _COUNTS if found[name])
    reason = f" ({clean(found['reason'])})" if found["reason"] else ""
    click.echo(f"{clean(found['name'])}: {found['state']}{reason}; of {found['total']}: {counts or 'none'}")
