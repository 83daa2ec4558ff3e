"""Logs: named events with fields, as text or JSON, numbers masked and message texts left out.

The code logs by the standard library, `log.info("bind.up", extra={"bind": "north"})`, and so do libraries;
structlog renders all of it:

    2026-11-23T14:05:09.120Z INFO  bind.up bind=north logger=gateway.daemon        text
    {"event":"bind.up","bind":"north","level":"info","logger":...,"at":...}        json

Under systemd the journal keeps the time, and gets each line's priority in front, as <6> (sd-daemon(3)).
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

from gateway.config.model import Log, Secret
from gateway.observe.about import Concerned
from gateway.observe.calm import Calm
from gateway.values.address import masked

ADDRESSES = frozenset(
    {"from", "to", "msisdn", "caller", "called", "number", "sender", "recipient", "customer"}
)
TEXTS = frozenset({"text", "body", "short_message"})
SECRETS = frozenset({"password", "secret", "hub_secret", "authorization"})

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}(?![0-9])")
_DIGITS = re.compile(r"[0-9]{9,15}")
_PLAIN = re.compile(r"[\w.:/+@*\-]+")
_PRIORITY = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}

Event = MutableMapping[str, Any]


def configure(config: Log, *, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Let everything that is logged go to `stream` (stderr), replacing what was set up before."""
    journal = "JOURNAL_STREAM" in environ
    chain: list[Callable[..., Any]] = [
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.format_exc_info,
        _Discretion(config),
    ]
    if not journal:
        chain.append(structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"))
    last = _json if config.format == "json" else _text
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _with_priority(last) if journal else last,
            ],
        )
    )
    handler.addFilter(Concerned())
    handler.addFilter(Calm())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(config.level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)  # at debug it tells each selector it makes


class _Discretion:
    """Masks numbers and leaves out texts and secrets, unless the operator wants to see them."""

    def __init__(self, config: Log) -> None:
        self._numbers, self._text = config.show_numbers, config.show_text

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        if not self._text:
            for name in TEXTS & event.keys():
                del event[name]
        for name, value in event.items():
            event[name] = self._seen(name, value)
        return event

    def _seen(self, name: str, value: Any) -> Any:
        if name in SECRETS or isinstance(value, Secret):
            return "***"
        if isinstance(value, Mapping):
            return {
                inner: self._seen(str(inner), what)
                for inner, what in value.items()
                if self._text or inner not in TEXTS
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._seen(name, what) for what in value]
        if not isinstance(value, str) or self._numbers:
            return value
        if name in ADDRESSES:
            return value[:-4] + "****" if _DIGITS.fullmatch(value) else masked(value)
        return _NUMBER.sub(lambda found: masked(found[0]), value)  # in a reason, a URL, a traceback


def _json(logger: Any, method: str, event: Event) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def _text(logger: Any, method: str, event: Event) -> str:
    at, level, what = event.pop("at", ""), event.pop("level", ""), event.pop("event", "")
    trace = event.pop("exception", "")
    name = event.pop("logger", "")
    words = [at] if at else []
    words += [f"{level.upper():<7}", str(what), *(f"{key}={_value(event[key])}" for key in event)]
    if name:
        words.append(f"logger={name}")
    line = " ".join(words).replace("\n", "\\n")
    return f"{line}\n{trace}" if trace else line


def _value(value: Any) -> str:
    written = value if isinstance(value, str) else _json(None, "", value)
    return written if _PLAIN.fullmatch(written) else msgspec.json.encode(written).decode()


def _with_priority(render: Callable[[Any, str, Event], str]) -> Callable[[Any, str, Event], str]:
    def prefixed(logger: Any, method: str, event: Event) -> str:
        prefix = f"<{_PRIORITY.get(str(event.get('level')), 6)}>"
        # each line is an entry of its own in the journal
        return "\n".join(prefix + line for line in render(logger, method, event).split("\n"))

    return prefixed
