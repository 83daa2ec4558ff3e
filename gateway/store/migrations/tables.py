"""Making tables within a migration's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def create(
    database: Any, name: str, key: str | tuple[str, ...], columns: Mapping[str, type], *, rowid: bool = True
) -> None:
    """A STRICT table without NULLs.  `database` is a sqlite_utils.Database.

    sqlite-utils' own `strict=True` first tries it out in a transaction that it commits, and ours with it.
    """
    not_null = {column for column in columns if column != key or columns[column] is not int}
    sql = database.create_table_sql(name, dict(columns), pk=key, not_null=not_null)
    sql = sql.replace(" FLOAT", " REAL").rstrip().rstrip(";")  # STRICT knows it by this name only
    database.execute(sql + (" STRICT" if rowid else " STRICT, WITHOUT ROWID"))
