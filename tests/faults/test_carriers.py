"""SMSCs that stop reading, never answer, answer too late, or hang up: other carriers keep their speed.

Each carries two binds.  Of what was begun there and has no answer, on_in_doubt = "fail" sends nothing again,
and "resend" sends again until there is an answer, or three times.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.accounting import report
from tests.faults.traffic import settle
from tests.peers.processes import KEY, Daemon, Simulator, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MESSAGES = 150  # by each bind
FAULT_SECONDS = 4.0
BATCH = 25
PROMPT_SECONDS = 5.0  # for a batch by the good carrier to be delivered, on a busy machine
GROWTH = 60 << 20  # octets of memory

BIND = """
[smpp.binds.{name}]
host = "127.0.0.1"
port = {port}
system_id = "gw"
window = 20
queue = 50
addresses = ["{number}"]
on_in_doubt = "{on_in_doubt}"
response_timeout = "700ms"
enquire_link = "2s"
reconnect = "100ms"
reconnect_limit = "200ms"
"""

HABITS = {
    "stops": (),
    "silent": ("--swallow=.",),
    "late": ("--answer-delay=1.2",),
    "drops": ("--answer-delay=0.2",),
    "good": (),
}
WELL = {"swallow": [], "answer_delay": 0}
CUSTOMERS = (f"4477009{n:05}" for n in itertools.count())


class Site:
    def __init__(self, daemon: Daemon, smscs: dict[str, Simulator], numbers: dict[str, str]) -> None:
        self.daemon, self.smscs, self.numbers = daemon, smscs, numbers
        self.sent: dict[str, str] = {}  # id -> bind

    def send(self, bind: str, count: int) -> list[str]:
        sender = self.numbers[bind]
        ids = self.daemon.send_batch(
            [{"to": next(CUSTOMERS), "from": sender, "text": "hi"} for _ in range(count)]
        )
        self.sent |= dict.fromkeys(ids, bind)
        return ids

    def delivered(self, ids: list[str]) -> bool:
        marks = ", ".join("?" * len(ids))
        sql = f"SELECT count(*) FROM messages WHERE status = 'delivered' AND id IN ({marks})"
        return bool(self.daemon.rows(sql, *ids)[0][0] == len(ids))

    def memory(self) -> int:
        """Octets that are resident."""
        return int(Path(f"/proc/{self.daemon.pid}/statm").read_text().split()[1]) * 4096


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        smscs = {
            habit: stack.enter_context(Simulator("smsc", "--listen=127.0.0.1:0", *arguments))
            for habit, arguments in HABITS.items()
        }
        binds = [(habit, what) for habit in HABITS for what in ("fail", "resend")]
        numbers = {f"{habit}-{what}": str(20_001 + n) for n, (habit, what) in enumerate(binds)}
        settings = "".join(
            BIND.format(
                name=f"{habit}-{what}",
                port=smscs[habit].port,
                number=numbers[f"{habit}-{what}"],
                on_in_doubt=what,
            )
            for habit, what in binds
        )
        assets = ", ".join(f'"{number}"' for number in numbers.values())
        shop = f'name = "Shop"\nkey = "{KEY}"\nassets = [{assets}]\n'
        daemon = stack.enter_context(Daemon(tmp_path / "site", settings, {"shop": shop}))
        until(lambda: len(daemon.log("bind.up")) == len(binds), "all binds are up")
        yield Site(daemon, smscs, numbers)


def judge(site: Site) -> tuple[Counter[str], list[str]]:
    arrived = Counter(
        (event["from"], event["to"]) for smsc in site.smscs.values() for event in smsc.heard("submit")
    )
    statuses: Counter[str] = Counter()
    wrong = []
    for id, sender, recipient, status in site.daemon.rows(
        "SELECT id, sender, recipient, status FROM messages"
    ):
        bind, times = site.sent[id], arrived[sender, recipient.removeprefix("+")]
        statuses[status] += 1
        habit, _, on_in_doubt = bind.partition("-")
        # what was in doubt may have arrived or not; a carrier that has answered all it got leaves no doubt
        possible = {"delivered"} if habit == "good" else {"delivered", "in-doubt"}
        if status not in possible or (status == "delivered" and not times):
            wrong.append(f"lost: {id} by {bind} is {status}, and arrived {times} times")
        if times > (4 if on_in_doubt == "resend" and habit != "good" else 1):
            wrong.append(f"doubled: {id} by {bind} arrived {times} times")
    return statuses, wrong


def test_an_ill_carrier_delays_no_other_and_its_doubts_are_settled(site: Site) -> None:
    ill = [bind for bind in site.numbers if not bind.startswith("good")]
    site.delivered(site.send("good-fail", BATCH))
    site.smscs["stops"].tell("pause")
    before = site.memory()
    for bind in ill:
        site.send(bind, MESSAGES)
    took, end = [], time.monotonic() + FAULT_SECONDS
    while time.monotonic() < end:
        site.smscs["drops"].tell("drop")
        began = time.monotonic()
        ids = site.send("good-fail", BATCH) + site.send("good-resend", BATCH)
        until(lambda ids=ids: site.delivered(ids), "the good carrier has delivered")
        took.append(time.monotonic() - began)
    grown = site.memory() - before
    lines = len(site.daemon.log_file.read_text().splitlines())
    site.smscs["stops"].tell("resume")
    for smsc in site.smscs.values():
        smsc.tell("set", **WELL)
    stuck = settle(site.daemon, "messages WHERE status IN ('queued', 'sent')", "effects", seconds=90)
    statuses, wrong = judge(site)
    figures = dict(statuses) | {
        "MiB grown": grown >> 20,
        "ms of the slowest good batch": int(1000 * max(took)),
        "lines of log": lines,
    }
    report(f"{len(ill)} ill binds", figures, stuck + wrong)
    assert max(took) < PROMPT_SECONDS
    assert grown < GROWTH
    assert statuses["in-doubt"] > 0
    assert "Traceback" not in site.daemon.log_file.read_text()
