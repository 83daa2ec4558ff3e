"""Printing: tables for people, the same as tab-separated lines where standard output is no terminal, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Row = Sequence[str]

_FOLDING = {"text", "reason", "what"}  # sentences; what people copy stays in one piece
_FOLDING_WIDTH = 10
_GOOD = {"delivered", "answered", "handled", "up", "yes", "live"}
_BAD = {"failed", "expired", "in-doubt", "down", "no", "suspended"}


def clean(text: str) -> str:
    """What a stranger has written, fit for a terminal: nothing in it moves the cursor or changes colours."""
    return "".join(c if c.isprintable() or c in "\xa0\u200d" else repr(c)[1:-1] for c in text)


def moment(at: float) -> str:
    """2026-11-23 14:05:09 in UTC; "" for 0, which means it did not happen."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def listing(columns: Sequence[str], rows: Iterable[Row], *, console: Console | None = None) -> None:
    """`console` is for tests; otherwise standard output decides.

    A table that a terminal is too narrow for is printed as one paragraph a row: its first and last cell, then
    the others by name.
    """
    rows = [[clean(cell) for cell in row] for row in rows]
    if console is None and not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    console = console or Console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        if column in _FOLDING:
            table.add_column(column, overflow="fold", min_width=_FOLDING_WIDTH)
        else:
            table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    anywhere = console.options.update(max_width=10_000)  # else the answer is never more than there is
    if Measurement.get(console, anywhere, table).minimum <= console.width:
        console.print(table)
        return
    for row in rows:
        console.print(Text("  ".join((row[0], row[-1])), style="bold"))
        told = [
            Text.assemble((f"{column} ", "dim"), (cell, _style(cell)))
            for column, cell in zip(columns[1:-1], row[1:-1], strict=True)
            if cell
        ]
        console.print(Padding(Text("  ").join(told), (0, 0, 0, 2)))


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _style(cell: str) -> str:
    return "green" if cell in _GOOD else "red" if cell in _BAD else ""
