"""gateway db: the store's file."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec

from gateway.cli.output import listing, moment, print_json
from gateway.cli.settings import config_option, json_option, look, store_path
from gateway.flows.definition import LIMIT_KEY_SECONDS
from gateway.store import audit as auditing
from gateway.store import purge as purging
from gateway.store import upkeep
from gateway.values.clock import iso
from gateway.values.duration import seconds
from gateway.values.errors import StoreUnusable

_AUDITED = (*auditing.OUTBOUND, *auditing.INBOUND)
_NAMED = 20  # of the messages unaccounted for
_WAITING = {
    "effects": "requests that flows owe",
    "timers": "timers",
    "notifications": "notifications owed",
    "dead": "notifications given up",
    "unmatched": "receipts of nothing known",
    "runs": "flow sessions going on",
}
_PURGED = {"runs": "sessions"}  # as people know them


@click.group(
    epilog="""\b
Examples:
  gateway db stats
  gateway db backup /var/backups/gateway-$(date +%F).db
  gateway db purge --older-than 90d
  gateway db audit
"""
)
def db() -> None:
    """The store: what is in it, backups, space."""


@db.command(
    epilog="""\b
Example:
  gateway db stats --json
"""
)
@json_option
@config_option
def stats(as_json: bool, config: str) -> None:
    """Count what the store holds, and messages by status.

    Walks every table: seconds for some millions of rows.  May be used beside the running gateway.
    """
    path = store_path(config)
    counts = look(config, lambda store: store.counts())
    octets = upkeep.octets(path)
    if as_json:
        print_json({"file": str(path), "octets": octets, "rows": counts})
        return
    listing(("what", "rows"), [(name, str(number)) for name, number in counts.items()])
    click.echo(f"{path}: {_size(octets)}")


@db.command(
    epilog="""\b
Example:
  gateway db backup /var/backups/gateway.db
"""
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
def backup(file: Path, config: str) -> None:
    """Copy the store into FILE as it is at this moment, beside the running gateway.

    FILE must not exist; it appears when the copy is complete and has been checked.  To restore: stop the
    gateway, put the copy in the place of the store, remove the -wal and -shm files beside it, start.
    """
    bar = click.progressbar(length=1, label="copying", file=sys.stderr, hidden=not sys.stderr.isatty())
    with bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        try:
            octets = upkeep.backup(store_path(config), file, progress)
        except StoreUnusable as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"{file}: {_size(octets)}")


@db.command(
    epilog="""\b
Example:
  systemctl stop gateway && gateway db vacuum; systemctl start gateway
"""
)
@config_option
def vacuum(config: str) -> None:
    """Give the space of deleted rows back to the disk.

    Needs the store to itself: while a gateway runs on it, this is refused.
    """
    try:
        before, after = upkeep.vacuum(store_path(config))
    except StoreUnusable as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{_size(before)} before, {_size(after)} after")


class _Age(click.ParamType[float]):
    """How long ago; comes out in seconds."""

    name = "age"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            age = seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not age:
            self.fail(f"{value!r} would be everything that is finished; write an age such as 90d", param, ctx)
        return age


@db.command(
    epilog="""\b
Examples:
  gateway db purge --older-than 90d --dry-run
  gateway db purge --older-than 90d && gateway db audit
  gateway db purge --older-than 30d --service alerts --json
"""
)
@click.option(
    "--older-than",
    required=True,
    type=_Age(),
    metavar="AGE",
    help='What was touched last before that: "90d".',
)
@click.option("--service", default="", metavar="NAME", help="Only what is of this service.")
@click.option("--dry-run", is_flag=True, help="Delete nothing: count what would go.")
@json_option
@config_option
def purge(older_than: float, service: str, dry_run: bool, as_json: bool, config: str) -> None:
    """Delete what is finished and old, beside the running gateway.

    That is: messages in a final status, or `sent` a week ago, with their segments, receipts and events, ended
    calls and flow sessions with their events, notifications that were given up.  What is open, owed or in
    doubt stays whatever its age, and so does what something open refers to; consent, profiles, one-time
    passwords, links, call lists, Logbooks and the files of recordings are not touched.

    It goes in small steps with pauses, may be stopped at any time (Ctrl-C) and begun again.  While a gateway
    runs, AGE is at least 1d.  A service's limit `per_week` counts messages of the last 7 days after a
    restart: where one is set, keep these.  New rows use the space again; `gateway db vacuum` gives it back to
    the disk.
    """
    path = store_path(config)
    terminal = sys.stderr.isatty()

    def progress(table: str, rows: int, removed: int) -> None:
        if terminal:
            text = f"{_PURGED.get(table, table)}: {rows:,} old rows looked at, {removed:,} of them go"
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    try:
        found = purging.purge(
            path,
            older_than=older_than,
            now=time.time(),
            service=service,
            keyed_seconds=LIMIT_KEY_SECONDS,
            dry_run=dry_run,
            progress=progress,
        )
    except StoreUnusable as error:
        raise click.ClickException(str(error)) from None
    finally:
        if terminal:
            click.echo("\r\x1b[K", nl=False, err=True)
    removed, kept = _named(found.removed), _named(found.kept)
    if as_json:
        head = {"file": str(path), "before": iso(found.before), "service": service, "dry_run": dry_run}
        print_json(head | {"removed": removed, "kept": kept})
        return
    said, before = "would go" if dry_run else "removed", moment(found.before)
    rows = [(name, str(number), str(kept.get(name, ""))) for name, number in removed.items()]
    listing(("what", said, "as old, and stay"), rows)
    click.echo(f"{sum(removed.values()):,} rows {said}: finished, and touched last before {before} UTC")
    if any(removed.values()) and not dry_run:
        click.echo("gateway db vacuum, while the gateway is stopped, gives their space back to the disk")


def _named(rows: dict[str, int]) -> dict[str, int]:
    return {_PURGED.get(table, table): number for table, number in rows.items()}


@db.command(
    epilog="""\b
Examples:
  gateway db audit
  gateway db audit /var/backups/gateway.db --json
"""
)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@json_option
@config_option
@click.pass_context
def audit(context: click.Context, file: Path | None, as_json: bool, config: str) -> None:
    """Count what was accepted against what became of it, and find what nothing will move.

    Reads the store of the configuration, beside the running gateway, or a copy FILE of it: some seconds for
    each million of messages.  Exits 1 when a message is in an open status and has neither carrier, timer,
    call nor segment that could move it on.
    """
    path = file or store_path(config)
    terminal = sys.stderr.isatty()

    def progress(what: str, rows: int) -> None:
        if terminal:
            click.echo(f"\r\x1b[K{what}: {rows:,} rows", nl=False, err=True)

    try:
        found = auditing.audit(path, progress)
    except StoreUnusable as error:
        raise click.ClickException(str(error)) from None
    if terminal:
        click.echo("\r\x1b[K", nl=False, err=True)
    if as_json:
        print_json({"file": str(path), "sum": _counted(found.total), **msgspec.to_builtins(found)})
    else:
        _print_audit(found)
    if found.stuck_count:
        context.exit(1)


def _counted(counts: dict[str, int]) -> dict[str, int]:
    return {"accepted": auditing.accepted(counts)} | counts


def _print_audit(found: auditing.Audit) -> None:
    rows = [(service or "(no service)", counts) for service, counts in found.services.items()]
    rows.append(("in sum", found.total))
    listing(
        ("service", "accepted", *_AUDITED),
        [
            (name, str(auditing.accepted(counts)), *(str(counts.get(s, 0)) for s in _AUDITED))
            for name, counts in rows
        ],
    )
    for what, count in found.waiting.items():
        click.echo(f"{_WAITING[what]}: {count:,}")
    for table, count in found.left_over.items():
        if count:
            click.echo(f"{table} that belong to nothing: {count:,}")
    click.echo(f"messages unaccounted for: {found.stuck_count:,}")
    for stuck in found.stuck[:_NAMED]:
        click.echo(
            f"  {stuck.id} of {stuck.service or '(no service)'}: {stuck.status} since "
            f"{moment(stuck.updated_at)}, lacks {stuck.lacks}"
        )
    if found.stuck_count > _NAMED:
        click.echo(f"  and {found.stuck_count - _NAMED:,} more; --json names up to 1,000")


def _size(octets: int) -> str:
    value = float(octets)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
