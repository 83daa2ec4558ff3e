"""The hand-written reads of `store/sql/*.sql`, loaded once.

Each query in a file begins with a line `-- name: NAME`, then a line that says what it is for; parameters
are `:named`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_BEGIN = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """SQL text by name."""
    found: dict[str, str] = {}
    for file in sorted((resources.files("gateway.store") / "sql").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            found |= parse(file.read_text("utf-8"), file.name)
    return found


def parse(text: str, file: str) -> dict[str, str]:
    """The queries of one file.  ValueError when one lacks its description or is there twice."""
    _, *pieces = _BEGIN.split(text)
    found: dict[str, str] = {}
    for name, sql in zip(pieces[::2], pieces[1::2], strict=True):
        if not sql.startswith("-- "):
            raise ValueError(f"{file}: query {name} has no line that says what it is for")
        if name in found:
            raise ValueError(f"{file}: two queries are called {name}")
        found[name] = sql.strip()
    return found
