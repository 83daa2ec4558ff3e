"""For the whole suite: `--forbid-skips`, by which CI makes sure that nothing went untested, and hypothesis's
profiles: the same examples at every run, or with `--hypothesis-profile=explore` new and more ones.  The log
of a daemon that runs joins the report of a test that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.peers.logs import SetUp, logging_set_up
from tests.peers.processes import Daemon

# a daemon that compiles itself at each start takes three times as long to start
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# how long something takes is no property of it: others use the machine too
TIMELESS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", TIMELESS, derandomize=True)
settings.register_profile("explore", TIMELESS, max_examples=2000)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forbid-skips", action="store_true", help="fail when a test is skipped (CI has every peer)"
    )
    parser.addoption("--fault-rounds", type=int, help="how often each fault of tests/faults comes")
    parser.addoption("--fault-seed", type=int, help="by which those faults choose their moments")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.failed:
        for daemon in Daemon.running:
            report.sections.append((f"the log of the daemon in {daemon.folder}", daemon.tail()))
    if report.skipped and item.config.getoption("--forbid-skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which --forbid-skips forbids: {report.longrepr}"
    return report


@pytest.fixture
def logged() -> Iterator[SetUp]:
    with logging_set_up() as set_up:
        yield set_up
