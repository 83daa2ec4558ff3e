"""gateway calls: the call detail records, newest first."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from msgspec import to_builtins

from gateway.cli.messages import Address, limit_option
from gateway.cli.output import listing, moment, print_json
from gateway.cli.settings import config_option, json_option, look
from gateway.store.base import CallQuery
from gateway.values.call import Call, cdr
from gateway.values.duration import seconds

_WITHHELD = "withheld"


class _Caller(Address):
    """An address, or "withheld"; comes out as the store has it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return "" if value in ("", _WITHHELD) else super().convert(value, param, ctx)


class _Moment(click.ParamType[float]):
    """A date, a date and time in UTC, or how long ago; comes out in Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            try:
                return time.time() - seconds(value)
            except ValueError:
                self.fail(
                    f'{value!r} is no time; write "2026-11-23", "2026-11-23T14:05:00" (UTC) or "2h" for '
                    "two hours ago",
                    param,
                    ctx,
                )
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@click.command(
    epilog="""\b
Examples:
  gateway calls --limit 20
  gateway calls --from +447700900123 --since 2h
  gateway calls --trunk east --cause busy --json
  gateway calls --since 2026-11-01 --until 2026-12-01 --limit 100000 --csv > november.csv
"""
)
@click.option(
    "--from", "caller", type=_Caller(), default=None, metavar="N", help='Only of this caller, or "withheld".'
)
@click.option("--to", "called", type=Address(), default=None, metavar="N", help="Only to this number.")
@click.option("--trunk", default="", metavar="NAME", help="Only over this trunk.")
@click.option(
    "--cause", default="", metavar="CAUSE", help="Only with this cause: busy, caller-cancelled, ..."
)
@click.option("--call-id", "sip_call_id", default="", metavar="ID", help="Only with this SIP Call-ID.")
@click.option("--direction", type=click.Choice(["in", "out"]), help="in: from customers; out: to them.")
@click.option("--state", type=click.Choice(["ringing", "answered", "ended"]), help="Only in this state.")
@click.option("--service", default="", metavar="NAME", help="Only of this service.")
@click.option("--since", type=_Moment(), default=0.0, metavar="TIME", help="Only those begun since then.")
@click.option("--until", type=_Moment(), default=math.inf, metavar="TIME", help="Only those begun before.")
@limit_option
@click.option("--csv", "as_csv", is_flag=True, help="Print all fields as CSV, with a head line.")
@json_option
@config_option
def calls(
    caller: str | None,
    called: str | None,
    trunk: str,
    cause: str,
    sip_call_id: str,
    direction: str | None,
    state: str | None,
    service: str,
    since: float,
    until: float,
    limit: int,
    as_csv: bool,
    as_json: bool,
    config: str,
) -> None:
    """Search the calls, newest first: the call detail records.

    Reads the store beside the running gateway.  Times are UTC, durations in seconds; a TIME is a date, a date
    with a time, or how long ago (90m, 2h, 7d).  `gateway why ID` tells the story of one.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    query = CallQuery(
        service=service,
        direction=direction or "",
        trunk=trunk,
        caller=caller,
        called=called or "",
        state=state or "",
        cause=cause,
        sip_call_id=sip_call_id,
        since=since,
        until=until,
        limit=limit,
    )
    found = look(config, lambda store: store.calls(query))
    if as_json:
        print_json([to_builtins(cdr(call)) for call in found])
    elif as_csv:
        _print_csv(found)
    else:
        listing(
            ("time", "dir", "from", "to", "state", "cause", "SIP", "ring", "talk", "trunk", "service", "id"),
            [
                (
                    moment(call.started_at),
                    call.direction,
                    call.caller or _WITHHELD,
                    call.called,
                    call.state,
                    call.cause,
                    str(call.status or ""),
                    f"{call.ring_ms / 1000:.1f}",
                    f"{call.duration_ms / 1000:.1f}",
                    call.trunk,
                    call.service,
                    call.id,
                )
                for call in found
            ],
        )


def _print_csv(found: Sequence[Call]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    blank = Call(id="", direction="", service="", trunk="", caller="", called="", started_at=0.0)
    writer.writerow(to_builtins(cdr(blank)))
    writer.writerows([_harmless(value) for value in to_builtins(cdr(call)).values()] for call in found)
    click.echo(text.getvalue(), nl=False)


def _harmless(value: Any) -> Any:
    """A peer's words do not become a formula in a spreadsheet; a plus sign only begins numbers here."""
    risky = isinstance(value, str) and value[:1] in ("=", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value
