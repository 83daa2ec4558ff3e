"""kill -9 in the middle of traffic, again and again: nothing acknowledged is lost, nothing goes out twice.

Carrier "once" has on_in_doubt = "fail", carrier "again" has "resend".  Every text has a recipient of its own,
so that what the SMSCs have seen tells what became of it.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.processes import KEY, Daemon, Json, Simulator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SEED = 20_261_123
KILLS = 5
LOAD = (("12345", 2), ("23456", 3))  # sender, every how many hundredths of a second
SETTLE_SECONDS = 25.0

SETTINGS = """
[smpp.binds.once]
host = "127.0.0.1"
port = {once}
system_id = "gw"
sessions = 2
window = 8
queue = 20
on_in_doubt = "fail"
addresses = ["12345"]
reconnect = "100ms"

[smpp.binds.again]
host = "127.0.0.1"
port = {again}
system_id = "gw"
window = 12
queue = 20
on_in_doubt = "resend"
addresses = ["23456"]
reconnect = "100ms"
"""

SHOP = """
name = "Shop"
key = "{key}"
hub_secret = "hub"
assets = ["12345", "23456"]
notify.status = "http://127.0.0.1:{webhook}/dlr"

[keywords.HOURS]
number = "12345"
reply = "We bake from 11 to 23."

[keywords.ORDER]
number = "23456"
flow = "order"

[chains.alert]
[[chains.alert.steps]]
channel = "sms"
from = "12345"
text = "alert $(what)"
until = "delivered"
within = "1s"

[[chains.alert.steps]]
channel = "sms"
from = "23456"
text = "alert $(what)"
until = "delivered"

[flows.order]
start = "ask"

[flows.order.nodes.ask]
type = "send-sms"
text = "Which size?"
on = {{ success = "answer", error = "end:102" }}

[flows.order.nodes.answer]
type = "receive"
timeout = "10m"
on = {{ message = "which", timeout = "end:103" }}

[flows.order.nodes.which]
type = "branch"
cases = [{{ when = '"m" in sms.words', go = "confirm" }}]
else = "answer"

[flows.order.nodes.confirm]
type = "send-sms"
text = "On its way!"
on = {{ success = "end", error = "end:102" }}
"""


def text(smsc: Simulator, customer: str, number: str, what: str) -> None:
    """A customer texts; the event's id is the text."""
    smsc.tell("mo", id=what, text=what, to=number, **{"from": customer})


class Traffic:
    """Load from all sides, in threads, until `stop`; it goes on while the daemon is away."""

    def __init__(self, port: int, once: Simulator, again: Simulator) -> None:
        self.once, self.again = once, again
        self.acked: dict[str, Json] = {}  # message id -> what was asked
        self.tried = 0
        self.texters: list[str] = []  # customers who texted HOURS
        self.orderers: list[str] = []
        self.answered: set[str] = set()
        self._port = port
        self._recipients = itertools.count(447_910_000_000)
        self._customers = itertools.count(447_920_000_000)
        self._stopped = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._post, args=load) for load in LOAD),
            threading.Thread(target=self._alert),
            threading.Thread(target=self._text),
            threading.Thread(target=self._converse),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(20)

    def _turns(self, seconds: float) -> Iterator[int]:
        for turn in itertools.count():
            if self._stopped.wait(seconds):
                return
            yield turn

    def _post(self, sender: str, hundredths: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        for turn in self._turns(hundredths / 100):
            to = str(next(self._recipients))
            text = f"{to} " + "long " * 70 if turn % 4 == 3 else f"{to} short"
            self._request(connection, {"to": to, "from": sender, "text": text})
        connection.close()

    def _alert(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        for turn in self._turns(0.1):
            # refused by "once", lost by it, or delivered
            to = f"4478{turn % 3}{next(self._recipients) % 10**7:07}"
            self._request(connection, {"to": to, "chain": "alert", "variables": {"what": to}})
        connection.close()

    def _request(self, connection: http.client.HTTPConnection, body: Json) -> None:
        self.tried += 1
        try:
            connection.request(
                "POST", "/v2/messages", json.dumps(body), {"key": KEY, "Content-Type": "application/json"}
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException):  # it has just been killed
            connection.close()
            return
        assert response.status in (202, 503), answer
        if response.status == 202:
            self.acked[answer["id"]] = body

    def _text(self) -> None:
        for _ in self._turns(0.05):
            customer = str(next(self._customers))
            self.texters.append(customer)
            text(self.once, customer, "12345", "hours")

    def _converse(self) -> None:
        """Order; answer the question, sometimes late: then the daemon has been killed in between."""
        read = 0
        answers: list[tuple[float, str]] = []
        asked: set[str] = set()
        for turn in self._turns(0.05):
            if turn % 2 == 0:
                customer = str(next(self._customers))
                self.orderers.append(customer)
                text(self.again, customer, "23456", "order")
            for event in self.again.events[read:]:
                read += 1
                if (
                    event["event"] == "message"
                    and event["text"] == "Which size?"
                    and event["to"] not in asked
                ):
                    asked.add(event["to"])
                    answers.append((time.monotonic() + (len(asked) % 3) * 0.8, event["to"]))
            for due, customer in answers:
                if due <= time.monotonic():
                    self._size(customer)
            answers = [answer for answer in answers if answer[0] > time.monotonic()]

    def finish(self) -> None:
        """Answer the questions that are still open."""
        for customer in self.orderers:
            if customer not in self.answered:
                self._size(customer)

    def _size(self, customer: str) -> None:
        self.answered.add(customer)
        text(self.again, customer, "23456", "m please")


Text = tuple[str, str, str]  # bind, recipient, text


class Seen:
    """What the SMSCs and the webhook have seen beside what the store says."""

    def __init__(self, daemon: Daemon, smscs: dict[str, Simulator], webhook: Simulator) -> None:
        self.arrived: dict[Text, Counter[int]] = defaultdict(Counter)  # how often each part
        self.got: Counter[tuple[str, str]] = Counter()  # texts from customers that the gateway took
        self.offered: Counter[tuple[str, str]] = Counter()
        for name, smsc in smscs.items():
            for event in smsc.heard("submit", status=0):
                # the parts of a long message have texts of their own, but it is the only one of its recipient
                what = event["text"] if event["total"] == 1 else "long"
                self.arrived[name, event["to"], what][event["part"]] += 1
            self.got.update((ack["from"], ack["id"]) for ack in smsc.heard("mo_ack", status=0))
            self.offered.update((sent["from"], sent["id"]) for sent in smsc.heard("mo_sent"))
        self.rows = daemon.rows("SELECT id, direction, sender, recipient, text, status, chain FROM messages")
        logs = daemon.events(row[0] for row in self.rows)
        self.resent = {ref for ref, log in logs.items() if any(event.type == "step.resent" for event in log)}
        self.statuses = {
            ref: [event.data["status"] for event in log if event.type == "sms.status"]
            for ref, log in logs.items()
        }
        self.told: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))  # X-Hub-Ids
        for told in webhook.heard("notification"):
            assert told["valid"], told["reason"]
            self.told[told["body"]["transid"]][told["body"]["status"]].append(told["headers"]["x-hub-id"])

    def judge(self, traffic: Traffic) -> tuple[dict[str, int], list[str]]:
        """Figures for people, and what is wrong."""
        wrong: list[str] = []
        ids = {row[0] for row in self.rows}
        wrong += [
            f"lost: {body} was acknowledged as {id}" for id, body in traffic.acked.items() if id not in ids
        ]
        wrong += self._outbound()
        wrong += self._chains()
        wrong += self._inbound()
        wrong += self._notifications()
        wrong += [
            f"lost: {customer}'s conversation has stopped"
            for customer in traffic.orderers
            if self.got[customer, "m please"] and not self.arrived["again", customer, "On its way!"]
        ]
        statuses = Counter(row[5] for row in self.rows if row[1] == "mt")
        figures = {
            "posted": traffic.tried,
            "acknowledged": len(traffic.acked),
            "texts from customers": len(self.got),
            "messages": sum(statuses.values()),
            **statuses,
            "resent": len(self.resent),
            "notified": sum(map(len, self.told.values())),
            "notified again": sum(len(ids) - 1 for told in self.told.values() for ids in told.values()),
            "lost": sum(line.startswith("lost") for line in wrong),
            "doubled": sum(line.startswith("doubled") for line in wrong),
        }
        return figures, wrong

    def _outbound(self) -> Iterator[str]:
        rows: dict[Text, list[tuple[str, str]]] = defaultdict(list)
        for id, direction, sender, recipient, what, status, chain in self.rows:
            if direction == "mt" and not chain:
                bind = "once" if sender == "12345" else "again"
                key = (bind, recipient.removeprefix("+"), what if len(what) < 160 else "long")
                rows[key].append((id, status))
        for key, found in rows.items():
            parts = self.arrived[key]
            counts = [parts[part] for part in ((1, 2, 3) if key[2] == "long" else (1,))]
            taken = sum(status in ("sent", "delivered") for _, status in found)
            doubtful = sum(status == "in-doubt" for _, status in found) if key[0] == "once" else 0
            if taken + doubtful != len(found) or min(counts) < taken:
                yield f"lost: {found} to {key}, which arrived {counts} times"
            if max(counts) > len(found) and not (key[0] == "again" and self.resent & {id for id, _ in found}):
                yield f"doubled: {found} to {key} arrived {counts} times"
        for key in self.arrived:
            if key not in rows and not key[2].startswith("alert"):
                yield f"doubled: {key} arrived and is not in the store"

    def _chains(self) -> Iterator[str]:
        for id, _, _, recipient, what, status, chain in self.rows:
            if not chain:
                continue
            first, second = (self.arrived[bind, recipient[1:], what][1] for bind in ("once", "again"))
            if status != "delivered" or not first + second:
                yield f"lost: {id} to {recipient} is {status}, arrived {first} and {second} times"
            if first > 1 or (second > 1 and id not in self.resent):
                yield f"doubled: {id} to {recipient} arrived {first} and {second} times"

    def _inbound(self) -> Iterator[str]:
        stored = Counter((row[2].removeprefix("+"), row[4]) for row in self.rows if row[1] == "mo")
        for key, count in self.got.items():
            if not stored[key]:
                yield f"lost: {key} was taken {count} times"
        for key, count in stored.items():
            if count > self.offered[key]:
                yield f"doubled: {key} was offered {self.offered[key]} times and is there {count} times"

    def _notifications(self) -> Iterator[str]:
        for id, statuses in self.statuses.items():
            told = self.told[id]
            if list(told) != statuses:
                yield f"lost: {id} has been {statuses}, notified were {list(told)}"
            for status, ids in told.items():
                if len(set(ids)) > 1:
                    yield f"doubled: {id} {status} was notified under the ids {ids}"


WORK = (
    "messages WHERE status IN ('queued', 'received', 'sent')",  # sent: its receipt is still to come
    "effects",
    "timers WHERE kind = 'step'",
    "notifications WHERE state = 'pending'",
)
RUNS = "runs WHERE state != 'ended'"


def settle(daemon: Daemon, *work: str) -> list[str]:
    """Wait until none of it is under way; what still is after SETTLE_SECONDS."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        left = [
            (count, what) for what in work if (count := daemon.rows(f"SELECT count(*) FROM {what}")[0][0])
        ]
        if not left or time.monotonic() > end:
            return [f"lost: {count} {what} after {SETTLE_SECONDS:g} s" for count, what in left]
        time.sleep(0.05)


def test_nothing_acknowledged_is_lost_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    habits = ("--answer-delay=0.1", "--receipt-delay=0.2", "--listen=127.0.0.1:0")
    with ExitStack() as stack:
        once = stack.enter_context(
            Simulator("smsc", "--name=once", *habits, "--reject=^44780=ESME_RINVDSTADR", "--lose=^44781")
        )
        again = stack.enter_context(Simulator("smsc", "--name=again", *habits))
        webhook = stack.enter_context(
            Simulator("webhook", "--listen=127.0.0.1:0", "--secret=hub", "--fail-first=20")
        )
        daemon = Daemon(
            tmp_path / "site",
            SETTINGS.format(once=once.port, again=again.port),
            {"shop": SHOP.format(key=KEY, webhook=webhook.port)},
        )
        stack.enter_context(daemon)
        traffic = Traffic(daemon.http_port, once, again)
        try:
            for kill in range(KILLS):
                if kill == KILLS - 2:  # once while it is still starting
                    time.sleep(chance.uniform(0.4, 1.0))
                else:
                    daemon.until_ready()
                    time.sleep(chance.uniform(0.3, 2.0))
                daemon.kill9()
                daemon.launch()
            daemon.until_ready()
            time.sleep(0.5)
        finally:
            traffic.stop()
        stuck = settle(daemon, *WORK)
        traffic.finish()
        stuck += settle(daemon, *WORK, RUNS)
        figures, wrong = Seen(daemon, {"once": once, "again": again}, webhook).judge(traffic)
    print(f"{KILLS} kills:", ", ".join(f"{what} {count}" for what, count in figures.items()))
    assert not stuck + wrong, "\n".join((stuck + wrong)[:20])
    assert figures["acknowledged"] > 150 and figures["resent"] and figures["notified again"]
