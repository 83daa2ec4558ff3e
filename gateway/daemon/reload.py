"""SIGHUP: the configuration is read anew.  A good one is applied, a bad one changes nothing and says why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from gateway.config.load import Loaded
from gateway.config.model import Bind, Gateway
from gateway.observe.systemd import Systemd
from gateway.values.errors import GatewayError

log = logging.getLogger(__name__)

_FIXED = ("store", "http", "log", "state_directory", "secret")


class Reload:
    """`read()` gives the configuration as the files have it; `apply(new)` takes it up, or raises."""

    def __init__(
        self,
        *,
        read: Callable[[], Loaded],
        apply: Callable[[Gateway], Awaitable[None]],
        systemd: Systemd,
    ) -> None:
        self._read = read
        self._apply = apply
        self._systemd = systemd
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """One at a time: what the first of several signals found may be half applied when the next comes."""
        async with self._turn:
            await self._run()

    async def _run(self) -> None:
        self._systemd.reloading()
        loaded = self._read()
        for fault in loaded.faults:
            log.log(
                logging.WARNING if fault.warning else logging.ERROR,
                "reload.fault",
                extra={"reason": str(fault)},
            )
        if loaded.gateway is None:
            log.error("reload.refused", extra={"findings": len(loaded.faults)})
        else:
            try:
                await self._apply(loaded.gateway)
            except GatewayError as error:
                log.error("reload.failed", extra={"reason": str(error)})
        self._systemd.ready()


def needs_restart(old: Gateway, new: Gateway) -> list[str]:
    """The sections that have changed and that a running daemon cannot take up."""
    return [part for part in _FIXED if getattr(old, part) != getattr(new, part)]


def changed_binds(old: Mapping[str, Bind], new: Mapping[str, Bind]) -> tuple[list[str], list[str]]:
    """(to be stopped, to be started), each in the order of its configuration; a changed one is in both."""
    gone = [name for name, bind in old.items() if new.get(name) != bind]
    fresh = [name for name, bind in new.items() if old.get(name) != bind]
    return gone, fresh
