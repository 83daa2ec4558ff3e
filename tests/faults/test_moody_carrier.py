"""A carrier of many faults at once: each message comes to an end that fits what the carrier has meant."""

from __future__ import annotations

import random
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.accounting import report
from tests.faults.traffic import settle
from tests.peers.moody_smsc import DOUBTFUL, PUT_OFF, REFUSED, TAKEN, MoodySmsc
from tests.peers.processes import KEY, Daemon, until
from tests.peers.settings import bind

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MESSAGES = 200
MOODY_SECONDS = 8.0
SETTINGS = (
    "sessions = 3",
    "window = 4",
    'response_timeout = "1500ms"',
    'enquire_link = "300ms"',
    'reconnect = "30ms"',
    'reconnect_limit = "80ms"',
    'retry_pause = "30ms"',
    'retry_limit = "3s"',
    'throttle_pause = "30ms"',
)


def judge(status: str, parts: list[list[str]], resends: bool) -> str:
    """What is wrong with a message of that status whose parts the carrier has answered so."""
    for meant in parts:
        ends = {TAKEN, REFUSED} if resends else {TAKEN, REFUSED, DOUBTFUL}
        if any(before in ends for before, _ in pairwise(meant)):
            return f"sent again: {meant}"
    last = [meant[-1] if meant else "" for meant in parts]
    if status in ("sent", "delivered") and not set(last) <= {TAKEN, DOUBTFUL}:
        return f"it is {status}, and the parts were {last}"
    if status == "in-doubt" and set(last) <= {TAKEN, REFUSED, PUT_OFF}:  # "": written, and never read there
        return f"it is in doubt, and the parts were {last}"
    return ""


@pytest.mark.parametrize("on_in_doubt", ["fail", "resend"])
def test_whatever_mood_a_carrier_is_in_nothing_is_lost_or_doubled(
    tmp_path: Path, chance: random.Random, on_in_doubt: str
) -> None:
    smsc = MoodySmsc(chance, rb"4477005\d{5}")
    settings = bind("moody", smsc.port, "23456", f'on_in_doubt = "{on_in_doubt}"', *SETTINGS)
    shop = f'name = "Shop"\nkey = "{KEY}"\nassets = ["23456"]\n'
    try:
        with Daemon(tmp_path / "site", settings, {"shop": shop}) as daemon:
            until(lambda: daemon.log("bind.up"), "the bind is up")
            sent: dict[str, tuple[str, int]] = {}
            ends = time.monotonic() + MOODY_SECONDS
            for n in range(MESSAGES):
                to, length = f"4477005{n:05}", chance.choice((20, 20, 20, 300, 500))
                id = daemon.send(to=f"+{to}", sender="23456", text="x" * length)
                sent[id] = (to, 1 if length <= 160 else -(-length // 153))
            time.sleep(max(0.0, ends - time.monotonic()))
            smsc.calm = True
            stuck = settle(daemon, "messages WHERE status = 'queued'", "effects", seconds=90)
            statuses, wrong = Counter[str](), []
            for id, (to, total) in sent.items():
                status = daemon.message(id)["status"]
                statuses[status] += 1
                fault = judge(
                    status, [smsc.meant[to, part] for part in range(1, total + 1)], on_in_doubt == "resend"
                )
                wrong += [f"{id}: {fault}"] if fault else []
            log = daemon.log_file.read_text()
        submits = sum(map(len, smsc.meant.values()))
        report(f"a moody carrier, {on_in_doubt}", dict(statuses) | {"submits": submits}, stuck + wrong)
        assert "Traceback" not in log and '"level":"critical"' not in log
        assert not smsc.faults
        assert statuses["sent"] + statuses["delivered"] > MESSAGES // 4
    finally:
        smsc.close()
