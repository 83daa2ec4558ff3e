"""Traffic of all kinds at once, for as long as a fault comes and goes:

    A, B    HTTP -> submit_sm -> receipt -> HTTP notification, short and long, one bind of each on_in_doubt
    C       MO -> HTTP notification, and a keyword's reply
    D       an account's submit_sm -> submit_sm -> receipt -> deliver_sm to the account
            chains whose first step is refused, is never delivered, or is
            flows: ask, wait, go on with the answer

Carrier "once" has on_in_doubt = "fail", carrier "again" has "resend".  Every text has a recipient of its own,
so that what the SMSCs have seen tells what became of it.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.esme import Esme
from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Json, Simulator
from tests.peers.settings import account, bind

LOAD = (("12345", 2), ("23456", 3))  # sender, every how many hundredths of a second
LOST = "44781"  # what "once" takes and never delivers begins so
REFUSED = "44780"

SETTINGS = (
    """
[smpp.listen]
address = "127.0.0.1:{listen}"
"""
    + account("acme")
    + bind(
        "once",
        "{once}",
        "12345",
        "sessions = 2",
        "window = 8",
        "queue = 20",
        'on_in_doubt = "fail"',
        'reconnect = "100ms"',
    )
    + bind(
        "again",
        "{again}",
        "23456",
        "window = 12",
        "queue = 20",
        'on_in_doubt = "resend"',
        'reconnect = "100ms"',
    )
)

SHOP = """
name = "Shop"
key = "{key}"
hub_secret = "hub"
assets = ["12345", "23456"]
notify.status = "http://127.0.0.1:{webhook}/dlr"
notify.inbound = "http://127.0.0.1:{webhook}/mo"

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
within = "{within}"

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

WORK = (
    "messages WHERE status IN ('queued', 'received', 'sent')",  # sent: its receipt is still to come
    "effects",
    "timers WHERE kind = 'step'",
    "notifications WHERE state = 'pending'",
)
RUNS = "runs WHERE state != 'ended'"


@dataclass
class Site:
    """A daemon between two SMSCs, a webhook receiver and an account."""

    daemon: Daemon
    once: Simulator
    again: Simulator
    webhook: Simulator
    account: Esme

    @property
    def smscs(self) -> dict[str, Simulator]:
        """By bind."""
        return {"once": self.once, "again": self.again}


@contextmanager
def site(folder: Path, *, within: str = "1s") -> Iterator[Site]:
    """Everything but the daemon is up; that is started by the caller, and stopped here.

    `within` is how long a chain waits for the receipt of its first step.
    """
    habits = ("--answer-delay=0.1", "--receipt-delay=0.2", "--listen=127.0.0.1:0")
    faults = (f"--reject=^{REFUSED}=ESME_RINVDSTADR", f"--lose=^{LOST}")
    listen = free_port()
    with (
        Simulator("smsc", "--name=once", *habits, *faults) as once,
        Simulator("smsc", "--name=again", *habits) as again,
        Simulator("webhook", "--listen=127.0.0.1:0", "--secret=hub", "--fail-first=20") as webhook,
        Esme(listen, "acme", "right") as account,
    ):
        daemon = Daemon(
            folder,
            SETTINGS.format(listen=listen, once=once.port, again=again.port),
            {"shop": SHOP.format(key=KEY, webhook=webhook.port, within=within)},
        )
        try:
            yield Site(daemon, once, again, webhook, account)
        finally:
            if daemon.is_up:
                daemon.terminate()


class Traffic:
    """Load from all sides, in threads, until `stop`; it goes on while the daemon is away."""

    def __init__(self, site: Site) -> None:
        self.acked: dict[str, Json] = {}  # message id -> what was asked
        self.answers: Counter[int] = Counter()  # by HTTP status; 0: none came
        self.hasty: list[str] = []  # refusals that do not say when to come again
        self.orderers: list[str] = []
        self._site = site
        self._answered: set[str] = set()
        self._recipients = itertools.count(447_910_000_000)
        self._customers = itertools.count(447_920_000_000)
        self._stopped = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._post, args=load) for load in LOAD),
            threading.Thread(target=self._alert),
            threading.Thread(target=self._submit),
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
        connection = http.client.HTTPConnection("127.0.0.1", self._site.daemon.http_port, timeout=12)
        for turn in self._turns(hundredths / 100):
            to = str(next(self._recipients))
            text = f"{to} " + "long " * 70 if turn % 4 == 3 else f"{to} short"
            self._request(connection, {"to": to, "from": sender, "text": text})
        connection.close()

    def _alert(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._site.daemon.http_port, timeout=12)
        for turn in self._turns(0.1):
            # refused by "once", lost by it, or delivered
            to = f"4478{turn % 3}{next(self._recipients) % 10**7:07}"
            self._request(connection, {"to": to, "chain": "alert", "variables": {"what": to}})
        connection.close()

    def _request(self, connection: http.client.HTTPConnection, body: Json) -> None:
        try:
            connection.request(
                "POST", "/v2/messages", json.dumps(body), {"key": KEY, "Content-Type": "application/json"}
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException):  # it has just been killed
            connection.close()
            self.answers[0] += 1
            return
        self.answers[response.status] += 1
        if response.status == 202:
            self.acked[answer["id"]] = body
        elif response.status not in (429, 503) or not response.getheader("Retry-After"):
            self.hasty.append(f"hasty: {response.status} {answer} to {body}")

    def _submit(self) -> None:
        for _ in self._turns(0.03):
            to = str(next(self._recipients))
            self._site.account.submit("12345", to, f"{to} by account")

    def _text(self) -> None:
        for _ in self._turns(0.05):
            self._say(self._site.once, str(next(self._customers)), "12345", "hours")

    def _converse(self) -> None:
        """Order; answer the question, sometimes late: then the fault has come in between."""
        again = self._site.again
        read = 0
        answers: list[tuple[float, str]] = []
        asked: set[str] = set()
        for turn in self._turns(0.05):
            if turn % 2 == 0:
                customer = str(next(self._customers))
                self.orderers.append(customer)
                self._say(again, customer, "23456", "order")
            for event in again.events[read:]:
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
            if customer not in self._answered:
                self._size(customer)

    def _size(self, customer: str) -> None:
        self._answered.add(customer)
        self._say(self._site.again, customer, "23456", "m please")

    def _say(self, smsc: Simulator, customer: str, number: str, what: str) -> None:
        """A customer texts; the event's id is the text."""
        smsc.tell("mo", id=what, text=what, to=number, **{"from": customer})


def settle(daemon: Daemon, *work: str, seconds: float = 90.0) -> list[str]:
    """Wait until none of it is under way; what still is after so long."""
    end = time.monotonic() + seconds
    while True:
        left = [
            (count, what) for what in work if (count := daemon.rows(f"SELECT count(*) FROM {what}")[0][0])
        ]
        if not left or time.monotonic() > end:
            return [f"lost: {count} {what} after {seconds:g} s" for count, what in left]
        time.sleep(0.05)


def come_to_rest(site: Site, traffic: Traffic) -> list[str]:
    """End the traffic, wait until all that came of it has been done, and close the account of it.

    What did not come to its end.
    """
    traffic.stop()
    stuck = settle(site.daemon, *WORK)
    traffic.finish()
    return stuck + settle(site.daemon, *WORK, RUNS)
