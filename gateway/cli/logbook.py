"""gateway logbook: what flows have written to the Logbooks of services."""

from __future__ import annotations

import csv
import sys

import click

from gateway.cli.output import listing, print_json
from gateway.cli.settings import config_option, json_option, look, service_of, settings
from gateway.store.base import Store
from gateway.values.clock import iso
from gateway.values.variables import as_text
from gateway.values.work import LogbookRow

_PAGE = 5_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would calculate


@click.command(
    epilog="""\b
Examples:
  gateway logbook                              which there are
  gateway logbook survey/answers
  gateway logbook survey/answers --csv > answers.csv
"""
)
@click.argument("name", required=False, default="")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a line of column names first.")
@json_option
@config_option
def logbook(name: str, as_csv: bool, as_json: bool, config: str) -> None:
    """Print a Logbook, or list them.

    NAME is SERVICE/BOOK.  Rows come in the order in which their sessions began; `at`, `session`
    and `transid`, the transaction that began it, are before the columns that the service file declares.
    """
    gateway = settings(config)
    if not name:
        books = [
            (s, b, book) for s, service in gateway.services.items() for b, book in service.logbooks.items()
        ]
        if as_json:
            print_json([{"service": s, "book": b, "columns": dict(book.columns)} for s, b, book in books])
            return
        listing(
            ("service", "book", "columns", "retention"),
            [(s, b, ", ".join(book.columns), f"{book.retention / 86400:g} days") for s, b, book in books],
        )
        return
    service, _, book = name.partition("/")
    known = service_of(gateway, service).logbooks
    if book not in known:
        names = ", ".join(known) or "none"
        raise click.ClickException(f"service {service} has no Logbook {book!r} (it has: {names})")
    columns = list(known[book].columns)
    rows = look(config, lambda store: _rows(store, service, book))
    if as_json:
        print_json(
            [
                {"at": iso(row.at), "session": row.run, "transid": row.transid, **_of(row, columns)}
                for row in rows
            ]
        )
        return
    head = ("at", "session", "transid", *columns)
    lines = [[iso(row.at), row.run, row.transid, *map(as_text, _of(row, columns).values())] for row in rows]
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([[_plain(cell) for cell in line] for line in lines])
        return
    listing(head, lines)


async def _rows(store: Store, service: str, book: str) -> list[LogbookRow]:
    found: list[LogbookRow] = []
    while page := await store.logbook(service, book, after=found[-1].id if found else "", limit=_PAGE):
        found += page
    return found


def _of(row: LogbookRow, columns: list[str]) -> dict[str, object]:
    return {name: row.data.get(name) for name in columns}


def _plain(cell: str) -> str:
    """What customers have written is text to a spreadsheet, not a formula; numbers stay numbers."""
    if not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
