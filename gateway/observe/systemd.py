"""What systemd is told about the daemon (sd_notify(3)), and the watchdog.  Elsewhere it all does nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping

from sdnotify import SystemdNotifier

log = logging.getLogger(__name__)


class Systemd:
    def __init__(self) -> None:
        # without the variable SystemdNotifier leaves a socket behind
        self._notifier = SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None
        self.watchdog_seconds = _watchdog(os.environ)

    def ready(self) -> None:
        """All listeners are open; also ends reloading."""
        self._tell("READY=1")

    def reloading(self) -> None:
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell("STATUS=" + " ".join(text.encode("ascii", "replace").decode().split()))

    async def watch(self, healthy: Callable[[], bool]) -> None:
        """Tell the watchdog twice in its time that the loop runs and `healthy()`; until cancelled.

        When it is not told, systemd restarts the daemon: `healthy` is for what a restart may cure.
        """
        if not self.watchdog_seconds:
            return
        well = True
        while True:
            before, well = well, healthy()
            if well:
                self._tell("WATCHDOG=1")
            elif before:
                log.error("watchdog.withheld", extra={"watchdog_seconds": self.watchdog_seconds})
            await asyncio.sleep(self.watchdog_seconds / 2)

    def close(self) -> None:
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()
        self._notifier = None

    def _tell(self, state: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(state)


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds within which the watchdog wants to be told; 0 = there is none (sd_watchdog_enabled(3))."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    written = environ.get("WATCHDOG_USEC", "")
    return int(written) / 1e6 if written.isascii() and written.isdigit() else 0.0
