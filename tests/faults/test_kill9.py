"""kill -9 in the middle of traffic, again and again: nothing acknowledged is lost, nothing goes out twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.faults.accounting import Seen, report
from tests.faults.traffic import Traffic, come_to_rest, site
from tests.peers.processes import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_nothing_acknowledged_is_lost_and_nothing_is_sent_twice(
    tmp_path: Path, rounds: int, chance: random.Random
) -> None:
    deaths = []
    with site(tmp_path / "site") as place:
        daemon = place.daemon
        daemon.start()
        traffic = Traffic(place)
        try:
            for kill in range(rounds):
                # some while it is still starting
                if kill == rounds - 2 or chance.random() < 0.2:
                    time.sleep(chance.uniform(0.1, 1.2))
                else:
                    daemon.until_ready()
                    before = len(traffic.acked)
                    until(lambda before=before: len(traffic.acked) > before, "the traffic flows")
                    time.sleep(chance.uniform(0.1, 2.0))
                alive = time.time()
                daemon.kill9()
                deaths.append((alive, time.time()))
                daemon.launch()
            daemon.until_ready()
            until(lambda: len(traffic.acked) > 10 * rounds, "the traffic flows")
            until(lambda: len(place.account.acked) > 3 * rounds, "the account's too")
        finally:
            traffic.stop()
        stuck = come_to_rest(place, traffic)
        figures, wrong = Seen(place, deaths).judge(traffic)
    report(f"{rounds} kills", figures, stuck + wrong)
    assert figures["resent"]
