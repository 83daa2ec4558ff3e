"""The wall clock is set an hour forth and back, again and again, in the middle of traffic."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.faults.accounting import Seen, report
from tests.faults.traffic import Traffic, come_to_rest, site
from tests.peers.processes import until
from tests.peers.set_clock import set_ahead

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

HOUR = 3600
WITHIN = "20s"  # longer than a receipt takes, much shorter than an hour


def test_steps_of_an_hour_lose_and_double_nothing(tmp_path: Path, rounds: int, chance: random.Random) -> None:
    ahead = tmp_path / "ahead"
    set_ahead(ahead, 0)
    with site(tmp_path / "site", within=WITHIN) as place:
        daemon = place.daemon
        daemon.module, daemon.environment = "tests.peers.set_clock", {"CLOCK_AHEAD": str(ahead)}
        daemon.start()
        traffic = Traffic(place)
        steps = []
        try:
            for _ in range(rounds):
                time.sleep(chance.uniform(0.2, 1.5))
                steps.append(chance.choice([-HOUR, 0, HOUR]))
                set_ahead(ahead, steps[-1])
            set_ahead(ahead, -HOUR)  # what was begun must come to its end all the same
            time.sleep(1.5)
            assert daemon.get("/readyz")[0] == 200
            until(lambda: len(traffic.acked) > 20 * rounds, "the traffic flows")
        finally:
            traffic.stop()
        stuck = come_to_rest(place, traffic)
        figures, wrong = Seen(place, in_time=True).judge(traffic)
        [(first, last)] = daemon.rows("SELECT min(created_at), max(created_at) FROM messages")
    report(f"{rounds} steps of the clock", figures, stuck + wrong)
    assert last - first > HOUR / 2, "the clock did step"
    assert len(set(steps)) > 1
