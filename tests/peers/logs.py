"""What the daemon's log says, of a test that runs in one process with it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from gateway.config.model import Log
from gateway.observe.log import configure

Written = Callable[[], list[str]]  # the lines since
SetUp = Callable[..., Written]


@contextmanager
def logging_set_up() -> Iterator[SetUp]:
    """Configures; gives back what reads the lines written since."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    asyncio_level = logging.getLogger("asyncio").level

    def set_up(
        format: Literal["text", "json"] = "text", journal: bool = False, config: Log | None = None
    ) -> Written:
        stream = io.StringIO()
        environ = {"JOURNAL_STREAM": "8:12345"} if journal else {}
        configure(config or Log(format=format), stream=stream, environ=environ)
        return lambda: stream.getvalue().splitlines()

    yield set_up
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(asyncio_level)
