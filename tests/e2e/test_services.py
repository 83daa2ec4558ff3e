"""What services promise, from outside: a daemon, two SMSCs and an application, with reloads in between."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.processes import KEY, Daemon, Simulator, until

pytestmark = pytest.mark.e2e

ANNE, BERT, HANS = "+447700900001", "+447700900002", "+4915112345678"
SHOP = """
name = "Shop"
country = "GB"
key = "e2e-key"
hub_secret = "old-secret"
notify.status = "http://127.0.0.1:{hook}/dlr"
languages = ["en", "de"]
[assets."12345"]
[assets.SHOP]
state = "suspended"
[routes.de]
bind = "south"
prefixes = ["+49"]
[routes.rest]
bind = "north"
[replies.de]
stop = "Schade."
[keywords.ORDER]
flow = "order"
[keywords.PIN]
prefixes = ["pin"]
reply = "Got $(sms.rest)"
[keywords.CODE]
pattern = "[0-9]{{6}}"
reply = "A code"
[events.paid.parameters]
amount = "number"
msisdn = "text"
[rules.paid]
on = "custom.paid"
when = "custom.amount >= 5"
do = [{{ profile = {{ tier = "gold", language = "de" }} }},
      {{ send = {{ to = "$(customer.address)", from = "12345", template = "thanks" }} }}]
[rules.gold]
on = "sms.received"
when = 'has(customer.tier) && customer.tier == "gold"'
do = [{{ reply = "Dear gold customer" }}]
[templates.thanks]
text = "Thanks for $(custom.amount)"
languages.de.text = "Danke für $(custom.amount)"
[templates.bill]
text = "$(name): $(amount)"
parameters.amount = "number"
parameters.name = {{ default = "Friend" }}
[flows.order]
start = "ask"
[flows.order.nodes.ask]
type = "send-sms"
text = "Which size?"
on = {{ success = "size", error = "end:102" }}
[flows.order.nodes.size]
type = "receive"
timeout = "2s"
on = {{ message = "say", timeout = "late" }}
[flows.order.nodes.say]
type = "send-sms"
text = "One $(sms.text)"
on = {{ success = "end:1", error = "end:102" }}
[flows.order.nodes.late]
type = "send-sms"
text = "Too late"
on = {{ success = "end:103", error = "end:102" }}
"""
MAIN = """
[smpp.binds.north]
host = "127.0.0.1"
port = {north}
system_id = "gw"
[smpp.binds.south]
host = "127.0.0.1"
port = {south}
system_id = "gw"
"""


class Site:
    def __init__(self, folder: Path) -> None:
        listen = "--listen=127.0.0.1:0"
        self.north, self.south = Simulator("smsc", listen), Simulator("smsc", listen)
        self.hook = Simulator("webhook", listen, "--secret=old-secret")
        settings = MAIN.format(north=self.north.port, south=self.south.port)
        self.shop = SHOP.format(hook=self.hook.port)
        self.daemon = Daemon(folder / "conf", settings, {"shop": self.shop})
        try:
            self.daemon.start()
            until(lambda: self.north.heard("bound") and self.south.heard("bound"), "both are bound")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.daemon.is_up:
            self.daemon.terminate()
        for simulator in (self.north, self.south, self.hook):
            simulator.close()

    def text(self, sender: str, text: str) -> None:
        self.north.tell("mo", to="12345", text=text, **{"from": sender})

    def hears(self, customer: str, smsc: Simulator | None = None) -> str:
        """The next text that the customer gets."""
        return str((smsc or self.north).wait("message", to=customer[1:])["text"])

    def suspend(self, *, live: bool = False) -> None:
        self.reload(self.shop if live else f'status = "suspended"\n{self.shop}')

    def reload(self, shop: str = "") -> None:
        if shop:
            self.daemon.write_service("shop", shop)
        before = len(self.daemon.log("reload.done"))
        self.daemon.signal(signal.SIGHUP)
        until(lambda: len(self.daemon.log("reload.done")) > before, "the reload is done")

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments, "-c", str(self.daemon.config)],
            env={**os.environ, "STATE_DIRECTORY": str(self.daemon.state)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def posted(self, key: str) -> int:
        """The status of a request with that key."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.http_port, timeout=30)
        try:
            connection.request("GET", "/v2/messages", headers={"key": key})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def test_keywords_by_prefix_pattern_and_guess_and_stop_in_german(site: Site) -> None:
    for text, answer in (("PIN1234", "Got 1234"), ("123456", "A code"), ("oder", "Which size?")):
        site.text(ANNE, text)
        assert site.hears(ANNE) == answer
    site.text(BERT, "Abmelden!")
    assert site.hears(BERT) == "Schade."
    _, customer = site.daemon.get(f"/v2/customers/{BERT}")
    assert set(customer["consent"].values()) == {"out"}
    assert (customer["history"][0]["by"], customer["history"][0]["consent"]) == ("keyword", "out")
    refused = site.daemon.reaches(site.daemon.send(to=BERT, text="Hello"), "failed")
    assert refused["reason"] == "the customer has opted out (texted Abmelden! to 12345)"
    _, customer = site.daemon.request("PUT", f"/v2/customers/{BERT}/consent", {"consent": "in"})
    assert [entry["by"] for entry in customer["history"]] == ["api", "keyword"]
    site.daemon.reaches(site.daemon.send(to=BERT, text="Hello"), "delivered")


def test_a_custom_event_fires_its_rule_once_and_keeps_a_profile(site: Site) -> None:
    event = {"evtid": "paid", "correlationid": "c1", "parameters": {"amount": "5", "msisdn": "07700 900001"}}
    path = "/resources/v1/events/externalevent"
    answers = [site.daemon.request("POST", path, {"events": [event]}) for _ in range(2)]
    first, again = (answer["response"][0] for _, answer in answers)
    assert (first["code"], again["transid"], again["warning"]) == (
        "1002",
        first["transid"],
        "it has been raised before",
    )
    assert site.hears(ANNE) == "Danke für 5"
    assert len(site.north.heard("message", to=ANNE[1:])) == 1
    assert "The rule paid acted, because its condition holds." in site.command("why", first["transid"])
    site.text(ANNE, "hi there")
    assert site.hears(ANNE) == "Dear gold customer"
    missing = {"evtid": "paid", "parameters": {"msisdn": ANNE}}
    status, answer = site.daemon.request("POST", path, {"events": [missing]})
    assert (status, answer["response"][0]["code"]) == (400, "7003")


def test_a_suspended_service_parks_texts_and_holds_its_sessions_over_a_kill(site: Site) -> None:
    site.text(ANNE, "order")
    assert site.hears(ANNE) == "Which size?"
    until(lambda: site.daemon.rows("SELECT 1 FROM runs WHERE node = 'size'"), "the session waits")
    site.suspend()
    status, body = site.daemon.request("POST", "/v2/messages", {"to": ANNE, "text": "Hello"})
    assert (status, body["code"]) == (403, "suspended")
    site.text(ANNE, "large")
    until(lambda: site.daemon.rows("SELECT 1 FROM messages WHERE status = 'parked'"), "it is parked")
    time.sleep(2.5)  # past the time-out of the session
    site.daemon.kill9()
    site.daemon.write_service("shop", site.shop)
    site.daemon.start()
    assert site.hears(ANNE) == "One large"
    assert not site.north.heard("message", text="Too late")


def test_a_time_out_that_ran_out_meanwhile_comes_when_the_service_is_live(site: Site) -> None:
    site.text(ANNE, "order")
    assert site.hears(ANNE) == "Which size?"
    site.suspend()
    time.sleep(2.5)
    assert not site.north.heard("message", text="Too late")
    site.suspend(live=True)
    assert site.hears(ANNE) == "Too late"


def test_keys_and_secrets_are_replaced_with_an_overlap(site: Site) -> None:
    made = json.loads(site.command("service", "key", "shop", "--rotate", "--overlap", "3s", "--json"))["key"]
    site.reload()
    assert (site.posted(made), site.posted(KEY)) == (200, 200)
    assert KEY not in (site.daemon.folder / "services" / "shop.toml").read_text()
    hub = json.loads(site.command("service", "hub-secret", "shop", "--rotate", "--json"))["hub_secret"]
    site.reload()
    site.text(ANNE, "PIN1")
    headers, body = _notification(site)
    for name, secret in (("x-hub-signature-256", "old-secret"), ("x-hub-signature-256-next", hub)):
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        assert headers[name] == f"sha256={digest}"
    until(lambda: site.posted(KEY) == 401, "the old key holds no more")
    assert site.posted(made) == 200


def _notification(site: Site) -> tuple[dict[str, str], bytes]:
    """Headers and body of the first one; its body is as it was sent, for JSON comes without blanks."""
    told = site.hook.wait("notification")
    return told["headers"], json.dumps(told["body"], separators=(",", ":"), ensure_ascii=False).encode()


def test_messages_go_by_the_longest_prefix_and_by_the_next_route_when_that_is_down(site: Site) -> None:
    site.daemon.send(to=HANS, text="one")
    assert site.hears(HANS, site.south) == "one"
    site.daemon.send(to=ANNE, text="two")
    assert site.hears(ANNE, site.north) == "two"
    explained = site.command("route", "explain", HANS).splitlines()
    assert explained[1:] == ["  1. de by south: prefix +49", "  2. rest by north"]
    site.south.close()
    until(lambda: not _up(site, "south"), "south is down")
    site.daemon.send(to=HANS, text="three")
    assert site.hears(HANS, site.north) == "three"


def _up(site: Site, bind: str) -> bool:
    return site.daemon.metric(f'trunkline_carrier_up{{kind="bind",name="{bind}"') > 0


def test_what_may_not_be_sent_is_refused_by_name(site: Site) -> None:
    def refused(**body: Any) -> tuple[int, str, str]:
        status, answer = site.daemon.request("POST", "/v2/messages", {"to": ANNE, **body})
        return status, answer["code"], answer["field"]

    assert refused(text="a", **{"from": "99999"}) == (400, "foreign_sender", "from")
    assert refused(text="a", **{"from": "SHOP"}) == (400, "unfit_sender", "from")
    assert refused(template="bill") == (400, "missing_variable", "variables.amount")
    bad = {"amount": "much"}
    assert refused(template="bill", variables=bad) == (400, "bad_parameter", "variables.amount")
    site.daemon.send(to=ANNE, template="bill", variables={"amount": 3})
    assert site.hears(ANNE) == "Friend: 3"
