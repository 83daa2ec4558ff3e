"""Webhook receivers that are slow, silent, endless, rude: each hurts only itself, and gets all it is owed.

A notification is delivered at least once, under one id; its message's earlier ones come before it.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.faults.accounting import report
from tests.peers import bad_receivers
from tests.peers.bad_receivers import BadReceiver, Habit, endless, says
from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Simulator, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MESSAGES = 25  # to each
PROMPT_SECONDS = 5.0  # from the carrier's answer to a good receiver, on a busy machine
GROWTH = 60 << 20  # octets of memory
LINE = b"X-Filler: " + b"y" * 4000 + b"\r\n"
CHUNK = b"1000\r\n" + b"z" * 4096 + b"\r\n"

HABITS: dict[str, Habit] = {
    "never answers": bad_receivers.never_answers,
    "drips": bad_receivers.drips,
    "resets": bad_receivers.resets,
    "closes": says(b"", goes_on=False),
    "fails": says(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
    "redirects": says(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
    "speaks no HTTP": says(b"220 mail.example.org ESMTP\r\n", goes_on=False),
    "answers half": says(b"HTTP/1.1 200 OK\r\nContent-Le", goes_on=False),
    "endless header": endless(b"HTTP/1.1 200 OK\r\n", LINE),
    "endless line": endless(b"HTTP/1.1 200 OK\r\nX-Filler: ", b"y" * 4096),
    "endless body of an error": endless(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNK),
    "endless interim answers": endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 50),
}

SETTINGS = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
window = 100
addresses = ["12345"]
"""
SHOP = f'name = "Shop"\nkey = "{KEY}"\nhub_secret = "hub"\nassets = ["12345"]\n'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with (
        Simulator("smsc", "--listen=127.0.0.1:0", "--receipt-delay=0.1") as smsc,
        Daemon(tmp_path / "site", SETTINGS.format(smsc=smsc.port), {"shop": SHOP}) as daemon,
    ):
        until(lambda: daemon.log("bind.up"), "the bind is up")
        yield daemon


def memory(daemon: Daemon) -> int:
    """Octets that are resident."""
    return int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1]) * 4096


def judge(receiver: BadReceiver, name: str, ids: list[str]) -> list[str]:
    wrong = []
    told: dict[str, list[str]] = defaultdict(list)
    hub_ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    taken: dict[str, int] = defaultdict(int)
    for request in list(receiver.requests):
        body = json.loads(request.body)
        hub_ids[body["transid"], body["status"]].add(request.id)
        if request.ok:
            taken[request.id] += 1
            told[body["transid"]].append(body["status"])
    for id in ids:
        if told[id] != ["sent", "delivered"]:
            wrong.append(f"lost: the receiver that {name} took {told[id]} of {id}")
    wrong += [f"doubled: {key} under {found}" for key, found in hub_ids.items() if len(found) > 1]
    wrong += [f"doubled: {id} was taken {count} times" for id, count in taken.items() if count > 1]
    return wrong


def test_a_bad_receiver_hurts_only_itself_and_gets_all_when_it_is_well(daemon: Daemon) -> None:
    customers = (f"4477009{n:05}" for n in itertools.count())

    def send(url: str) -> list[str]:
        return daemon.send_batch(
            [{"to": next(customers), "from": "12345", "text": "hi", "notify": url} for _ in range(MESSAGES)]
        )

    with ExitStack() as stack:
        good = stack.enter_context(BadReceiver(says(b"")))
        good.cured.set()
        bad = {name: stack.enter_context(BadReceiver(habit)) for name, habit in HABITS.items()}
        refusing = f"http://127.0.0.1:{free_port()}/dlr"
        before = memory(daemon)
        ids = {name: send(receiver.url) for name, receiver in bad.items()}
        send(refusing)
        until(lambda: all(receiver.requests for receiver in bad.values()), "all bad ones were asked")
        late = []
        owed: list[str] = []
        for turn in range(1, 7):
            began, count = time.monotonic(), 2 * MESSAGES * turn
            owed += send(good.url)
            until(partial(lambda count: len(good.taken()) == count, count), "the good receiver has all")
            late.append(time.monotonic() - began)
        assert max(late) < PROMPT_SECONDS, late
        time.sleep(3.0)
        grown = memory(daemon) - before
        for receiver in bad.values():
            receiver.cured.set()
        until(
            lambda: all(len(receiver.taken()) >= 2 * MESSAGES for receiver in bad.values()),
            "each got all once it was well",
            timeout=120,
        )
        time.sleep(0.5)
        wrong = judge(good, "is good", owed)
        for name, receiver in bad.items():
            wrong += judge(receiver, name, ids[name])
        elsewhere = [r for receiver in bad.values() for r in receiver.requests if r.path != "/dlr"]
        figures = {
            "notified": sum(len(receiver.taken()) for receiver in (good, *bad.values())),
            "attempts": sum(len(receiver.requests) for receiver in (good, *bad.values())),
            "MiB grown": grown >> 20,
            "ms of the slowest good": int(1000 * max(late)),
        }
    report(f"{len(bad) + 1} bad receivers", figures, wrong)
    assert not elsewhere, "a redirect is not followed"
    assert grown < GROWTH
    [(refused, attempts)] = daemon.rows(
        "SELECT count(*), max(attempts) FROM notifications WHERE url = ? AND state = 'pending'", refusing
    )
    assert refused == 2 * MESSAGES and 1 <= attempts < 10, "it waits for its next attempt"
    assert "Traceback" not in daemon.log_file.read_text()
