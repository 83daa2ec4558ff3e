"""What lines of the log are about: the session that something is done for, and its transaction.

Whoever begins such work says so once; each line that is logged meanwhile has it, and so have those of tasks
and timers that begin meanwhile (they inherit the context, contextvars).  What a line says itself counts more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed


@contextmanager
def concerning(**about: str) -> Iterator[None]:
    """Lines that are logged within have these fields beside those around; empty ones are left out."""
    token = _about.set({**_about.get(), **{name: value for name, value in about.items() if value}})
    try:
        yield
    finally:
        _about.reset(token)


class Concerned(logging.Filter):
    """Puts it into the records that pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _about.get().items():
            record.__dict__.setdefault(name, value)
        return True
