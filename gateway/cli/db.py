"""gateway db: the store's file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.output import listing, print_json
from gateway.cli.settings import config_option, json_option, look, store_path
from gateway.store import upkeep
from gateway.values.errors import StoreUnusable


@click.group(
    epilog="""\b
Examples:
  gateway db stats
  gateway db backup /var/backups/gateway-$(date +%F).db
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


def _size(octets: int) -> str:
    value = float(octets)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
