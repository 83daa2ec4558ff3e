"""The record of a session, opened with the gateway's secret where whoever asks may read it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from gateway.cli.settings import store_path
from gateway.config.secrets import resolve
from gateway.content.journal import Journal
from gateway.daemon.secret import FILE
from gateway.store.base import Store
from gateway.values.event import Event
from gateway.values.otp import taken_out
from gateway.values.work import Run

HIDDEN = "***"


def journal_of(config: str) -> Journal:
    """Without the secret if it cannot be read: then the details stay sealed."""
    written = str(tomllib.loads(Path(config).read_text("utf-8")).get("secret", ""))
    try:
        if written:
            return Journal(resolve(written, environ=os.environ, folder=Path(config).parent))
        state = os.environ.get("STATE_DIRECTORY") or store_path(config).parent
        return Journal((Path(state) / FILE).read_text("ascii").strip())
    except (OSError, ValueError):
        return Journal("")


async def opened(store: Store, journal: Journal, run: Run) -> list[Event]:
    return journal.unpacked(await store.events(run.id), run.seal)


class Veil:
    """Hides what a session's secret variables hold, and one-time passwords, wherever they show."""

    def __init__(self, run: Run, events: list[Event]) -> None:
        started = next((event for event in events if event.type == "session.started"), None)
        self._names = frozenset(started.data.get("secrets", ())) if started is not None else frozenset[str]()
        values = (run.data.get(name) for name in self._names)
        self._values = sorted({str(value) for value in values if value not in ("", None)}, key=len)[::-1]

    def text(self, text: str) -> str:
        text, _ = taken_out(text)
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text

    def value(self, name: str, value: object) -> object:
        if name in self._names:
            return HIDDEN
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(key, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value("", inner) for inner in value]
        return HIDDEN if str(value) in self._values else value
