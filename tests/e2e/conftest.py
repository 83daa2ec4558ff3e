"""Real processes on loopback.  The log of a daemon that runs joins the report of a test that fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.peers.processes import Daemon

Start = Callable[..., Daemon]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.failed:
        for daemon in Daemon.running:
            report.sections.append((f"the log of the daemon in {daemon.folder}", daemon.tail()))
    return report
