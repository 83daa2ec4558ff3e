"""The daemon as a customer of the simulated carrier: it registers, proves who it is, calls, and is called."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Simulator, until
from tests.peers.sounds import write_tone

pytestmark = pytest.mark.e2e

OURS, FAR = "+442079460000", "+442079460001"  # FAR: our number at the carrier that loses a tenth of all
CALLS = 12
RINGS, PERSON, MACHINE, BEEPS, MOVED, DECLINES = (f"+44770090012{n}" for n in range(6))
HANDSETS = {
    RINGS: "answer:ring=0.5,early=tone,hangup=caller",
    PERSON: "answer:ring=0.2,greeting=0.8,play=silence,talk=60,hangup=caller",
    MACHINE: "machine:ring=0.2,greeting=8",
    BEEPS: "machine:ring=0.2,greeting=2.4",  # too long for a person, too short to be sure before the beep
    MOVED: f"forward:to={RINGS}",
    DECLINES: "reject:ring=0.2,early=speech",
}

SETTINGS = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
addresses = ["12345"]

[sip]
listen = ["udp:127.0.0.1:{sip}"]
rtp_ports = "{rtp}-{rtp_last}"

[sip.trunks.east]
host = "127.0.0.1"
port = {east}
auth = "register"
username = "acme"
password = "secret"
expires = "60s"
numbers = ["+442079460000"]

[sip.trunks.west]
host = "127.0.0.2"
port = {west}
numbers = ["+442079460001"]
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "{OURS}", "{FAR}"]

[numbers."{OURS}"]
ring = "200ms"
duplicates = 0

[numbers."{FAR}"]
ring = "200ms"
duplicates = 0

[templates.tone]
text = "tone"
wav = "tone.wav"

[[chains.alert.steps]]
channel = "voice"
from = "{OURS}"
template = "tone"
until = "confirmed"
confirm = "5"
[[chains.alert.steps]]
channel = "sms"
text = "Nobody confirmed"

[keywords.CALLME]
flow = "callback"

[flows.callback]
start = "ring"
[flows.callback.nodes.ring]
type = "call"
from = "{OURS}"
detect = true
on = {{ answered = "choose", machine = "end:42", error = "end:90" }}
[flows.callback.nodes.choose]
type = "menu"
wav = "tone.wav"
first_timeout = "10s"
choices = {{ 1 = "end:61", 2 = "end:62" }}
on = {{ hangup = "end:13", timeout = "end:21", invalid = "end:22", error = "end:90" }}
"""


class Site:
    def __init__(self, daemon: Daemon, north: Simulator, east: Simulator, west: Simulator) -> None:
        self.daemon, self.north, self.east, self.west = daemon, north, east, west
        self._seen = 0

    def asks_for_a_call(self, number: str) -> None:
        self.north.tell("mo", to="12345", text="CALLME", **{"from": number})

    def session(self) -> tuple[int, dict[str, Any]]:
        """Result and data of the session that has ended after the one that was asked for before."""
        query = "SELECT result, data FROM runs WHERE state = 'ended' ORDER BY id"
        result, data = until(lambda: self.daemon.rows(query)[self._seen :], "the session has ended")[0]
        self._seen += 1
        return result, json.loads(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    sip, rtp = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM, span=102)
    handsets = [f"--handset={number}={behaviour}" for number, behaviour in HANDSETS.items()]
    with (
        Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as north,
        Simulator(
            "sip_carrier",
            "--listen=127.0.0.1:0",
            "--user=acme:secret",
            "--nonce-life=0.4",
            "--min-expires=90",
            *handsets,
        ) as east,
        Simulator(
            "sip_carrier",
            "--listen=127.0.0.2:0",
            f"--gateway=127.0.0.1:{sip}",
            "--loss=0.1",
            f"--handset={RINGS}=answer:ring=0.2,hangup=caller",
            f"--handset={DECLINES}=reject",
        ) as west,
    ):
        ports = {"smsc": north.port, "sip": sip, "east": east.port, "west": west.port}
        settings = SETTINGS.format(**ports, rtp=rtp, rtp_last=rtp + 100)
        daemon = Daemon(tmp_path_factory.mktemp("carrier") / "site", settings, {"shop": SHOP})
        write_tone(daemon.folder / "services" / "tone.wav")
        with daemon:
            north.wait("bound")
            east.wait("registered", user="acme", expires=90)  # having asked for 60
            yield Site(daemon, north, east, west)


def test_we_are_called_where_we_have_registered(site: Site) -> None:
    site.east.tell("missed-call", to=OURS, ring=5, **{"from": PERSON})
    assert site.east.wait("final")["status"] == 486
    query = "SELECT cause, trunk FROM calls WHERE direction = 'in' AND state = 'ended'"
    until(lambda: site.daemon.rows(query), "its record")
    assert [trunk for _, trunk in site.daemon.rows(query)] == ["east"]


@pytest.mark.parametrize("number", [RINGS, MOVED])
def test_a_call_with_credentials_is_heard_after_early_media(site: Site, number: str) -> None:
    id = site.daemon.send(to=number, sender=OURS, channel="voice", template="tone")
    assert site.daemon.reaches(id, "answered", "failed")["status"] == "answered"
    assert site.east.wait("ringing", to=RINGS)["early"] == "tone"
    heard = site.east.wait("heard", role="callee")
    assert heard["rms"] > 1000 and heard["lost"] == 0
    assert site.east.heard("challenged", method="INVITE")
    assert not site.east.heard("auth_refused")


def test_a_nonce_that_has_grown_stale_is_replaced(site: Site) -> None:
    for _ in range(2):
        id = site.daemon.send(to=RINGS, sender=OURS, channel="voice", template="tone")
        assert site.daemon.reaches(id, "answered", "failed")["status"] == "answered"
    assert site.east.heard("challenged", method="INVITE", reason="stale")
    assert not site.east.heard("auth_refused")


def test_who_declines_after_an_announcement_has_declined(site: Site) -> None:
    id = site.daemon.send(to=DECLINES, sender=OURS, channel="voice", template="tone")
    story = site.daemon.reaches(id, "answered", "failed")
    assert (story["status"], story["code"]) == ("failed", "603")


def test_a_person_who_says_hello_is_asked_and_presses_a_key(site: Site) -> None:
    site.asks_for_a_call(PERSON)
    asked = "SELECT id FROM runs WHERE state = 'waiting' AND node = 'choose'"
    until(lambda: site.daemon.rows(asked), "the menu is played")
    site.east.tell("press", number=PERSON, digits="2")
    result, data = site.session()
    assert (result, data["ring.answerer"], data["choose.digits"]) == (62, "human", "2")


@pytest.mark.parametrize("number", [MACHINE, BEEPS])
def test_a_machine_is_told_by_its_greeting_or_its_beep(site: Site, number: str) -> None:
    site.asks_for_a_call(number)
    result, data = site.session()
    assert (result, data["ring.answerer"]) == (42, "machine")


def test_every_call_ends_rightly_with_one_record_when_a_tenth_is_lost_both_ways(site: Site) -> None:
    for _ in range(CALLS):
        site.west.tell("missed-call", to=FAR, ring=30, **{"from": PERSON})
    answered = [
        site.daemon.send(to=RINGS, sender=FAR, channel="voice", template="tone") for _ in range(CALLS)
    ]
    declined = [
        site.daemon.send(to=DECLINES, sender=FAR, channel="voice", template="tone") for _ in range(CALLS)
    ]
    for ids, status in ((answered, "answered"), (declined, "failed")):
        assert {site.daemon.reaches(id, "answered", "failed")["status"] for id in ids} == {status}
    assert [site.west.wait("final")["status"] for _ in range(CALLS)] == [486] * CALLS
    query = """
        SELECT direction, status, count(*) FROM calls
        WHERE trunk = 'west' AND state = 'ended' GROUP BY 1, 2 ORDER BY 1, 2
    """
    wanted = [("in", 486, CALLS), ("out", 200, CALLS), ("out", 603, CALLS)]
    until(lambda: site.daemon.rows(query) == wanted, "a record of each")
    site.west.tell("stats")
    assert site.west.wait("stats")["lost_on_purpose"] > 0


def test_an_alert_counts_once_it_is_confirmed_by_a_key_and_goes_on_where_it_is_not(site: Site) -> None:
    before = len(site.east.heard("answered", to=PERSON))  # calls of other tests
    confirmed = site.daemon.send(to=PERSON, chain="alert")
    until(lambda: len(site.east.heard("answered", to=PERSON)) > before, "the call is answered")
    site.east.tell("press", number=PERSON, digits="5")
    story = site.daemon.reaches(confirmed, "answered", "failed")
    assert [step["result"] for step in story["steps"]] == ["confirmed", ""]
    before = len(site.east.heard("answered", to=RINGS))
    hung_up = site.daemon.send(to=RINGS, chain="alert")
    until(lambda: len(site.east.heard("answered", to=RINGS)) > before, "the call is answered")
    site.east.tell("hang-up", number=RINGS)
    story = site.daemon.reaches(hung_up, "delivered", "failed")
    assert [step["result"] for step in story["steps"]] == ["unconfirmed", "delivered"]
    assert site.north.wait("message", to=RINGS[1:])["text"] == "Nobody confirmed"
