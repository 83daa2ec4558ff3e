"""Missed calls and an independent caller, SIPp: each policy, and what callers and networks do to it.

The scenarios fail on a 200 to an INVITE, and on anything else that they do not expect.
"""

from __future__ import annotations

import random
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Json, Simulator, until
from tests.peers.sipp_process import Sipp

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

AT_ONCE, RINGS, LASTS = "+442079460001", "+442079460002", "+442079460003"
CALLER = "+447700900123"
SIPP_CALLER = "+41795550102"  # in the older scenarios

SETTINGS = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
addresses = ["12345"]

[sip]
listen = ["udp:127.0.0.1:{sip}"]

[sip.trunks.east]
host = "127.0.0.1"
port = 5080
numbers = ["{AT_ONCE}", "{RINGS}", "{LASTS}"]
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "{AT_ONCE}", "{RINGS}", "{LASTS}"]

[numbers."{AT_ONCE}"]
policy = "reject-at-once"
reject = 603
duplicates = 0

[numbers."{RINGS}"]
policy = "ring-then-reject"
ring = "300ms"
duplicates = 0

[numbers."{LASTS}"]
policy = "ring-until-cancel"
duplicates = 0

[rules.callback]
on = "call.missed"
do = [{{ send = {{ to = "$(call.from)", from = "12345", text = "We will call you back." }} }}]
"""


class Site:
    def __init__(self, daemon: Daemon, north: Simulator, sip: int) -> None:
        self.daemon, self.north, self.sip = daemon, north, sip
        self._seen = 0

    def caller(
        self, scenario: str, folder: Path, number: str, *arguments: str, status: int = 0, caller: str = CALLER
    ) -> Sipp:
        port = free_port(socket.SOCK_DGRAM)
        keys = ("-key", "caller", caller)
        target = f"127.0.0.1:{self.sip}"
        return Sipp(scenario, folder, "-p", str(port), "-s", number, *keys, *arguments, target, status=status)

    def calls(self, count: int, **filters: str) -> list[Json]:
        """The records of the calls since the last time, once there are so many of them, all ended."""

        def look() -> list[Json]:
            query = "&".join(f"{name}={value}" for name, value in filters.items())
            status, body = self.daemon.get(f"/v2/calls?limit=500&{query}")
            assert status == 200, body
            ended: list[Json] = body["calls"]
            return ended[: -self._seen or None]

        found = until(
            lambda: calls if len(calls := look()) >= count and all(c["ended"] for c in calls) else None,
            f"{count} calls have ended",
        )
        assert found is not None and len(found) == count, found
        self._seen += count
        return found

    def missed(self, calls: list[Json]) -> list[Json]:
        """The call.missed of these, which must be one for each."""
        found = []
        for call in calls:
            [event] = self.events(call, "call.missed")
            found.append(event["data"])
        return found

    def events(self, call: Json, type: str) -> list[Json]:
        _, story = self.daemon.get(f"/v2/calls/{call['transid']}")
        return [event for event in story["events"] if event["type"] == type]

    def texts(self, to: str = CALLER) -> int:
        return len(self.north.heard("message", to=to[1:]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    sip = free_port(socket.SOCK_DGRAM)
    with Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as north:
        settings = SETTINGS.format(smsc=north.port, sip=sip, AT_ONCE=AT_ONCE, RINGS=RINGS, LASTS=LASTS)
        with Daemon(tmp_path_factory.mktemp("missed") / "site", settings, {"shop": SHOP}) as daemon:
            north.wait("bound")
            yield Site(daemon, north, sip)


def test_each_policy_has_its_end_and_none_bills_a_second(site: Site, tmp_path: Path) -> None:
    site.caller("uac_refused", tmp_path, AT_ONCE, "-m", "5", status=603).done()
    site.caller("uac_busy", tmp_path, RINGS, "-m", "5").done()
    site.caller("uac_cancel", tmp_path, LASTS, "-m", "5").done()
    calls = site.calls(15)
    ends = {
        AT_ONCE: ("rejected-by-policy", 603, "gateway"),
        RINGS: ("rejected-by-policy", 486, "gateway"),
        LASTS: ("caller-cancelled", 487, "caller"),
    }
    for call in calls:
        assert (call["cause"], call["status"], call["ended_by"]) == ends[call["to"]]
        assert (call["answered"], call["billable_seconds"], call["duration_ms"]) == (None, 0, 0)
        assert (call["trunk"], call["direction"], call["state"]) == ("east", "in", "ended")
        assert call["sip_call_id"].endswith("@127.0.0.1")
        assert (call["rung"] is None) == (call["to"] == AT_ONCE)
        if call["to"] == RINGS:
            assert 250 <= call["ring_ms"] < 20_000
    assert len({call["sip_call_id"] for call in calls}) == 15
    assert len(site.missed(calls)) == 15
    assert (
        site.daemon.metric('trunkline_calls_total{cause="caller-cancelled",direction="in",trunk="east"}') == 5
    )


def test_a_486_without_its_ack_comes_again_and_is_one_call(site: Site, tmp_path: Path) -> None:
    site.caller("uac_lost_ack", tmp_path, RINGS, "-m", "3").done()
    site.caller("uac_never_ack", tmp_path, RINGS, "-m", "3").done()
    calls = site.calls(6)
    assert {call["status"] for call in calls} == {486}
    assert len(site.missed(calls)) == 6


def test_an_invite_that_comes_twice_is_one_call(site: Site, tmp_path: Path) -> None:
    site.caller("uac_twice", tmp_path, RINGS, "-m", "3").done()
    assert len(site.missed(site.calls(3))) == 3


@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', ()),
        ("<sip:anonymous@127.0.0.1>", ()),
        ("<sip:Restricted@127.0.0.1>", ()),
        ("<sip:127.0.0.1>", ()),
        (f"<sip:{CALLER}@127.0.0.1>", ("Privacy: id",)),
        (
            "<sip:anonymous@anonymous.invalid>",
            ("Privacy: id;critical", f"P-Asserted-Identity: <sip:{CALLER}@127.0.0.1>"),
        ),
    ],
)
def test_a_withheld_number_is_a_missed_call_of_nobody_and_is_sent_nothing(
    site: Site, tmp_path: Path, sender: str, headers: tuple[str, ...]
) -> None:
    first, second = (*headers, "Subject: hello", "Organization: none")[:2]
    keys = ("-key", "from", sender, "-key", "first", first, "-key", "second", second)
    before = len(site.north.heard("message"))
    site.caller("uac_anonymous", tmp_path, RINGS, "-m", "2", *keys).done()
    calls = site.calls(2)
    assert [call["from"] for call in calls] == ["", ""]
    assert [missed["from"] for missed in site.missed(calls)] == ["", ""]
    for call in calls:
        [failed] = site.events(call, "action.failed")
        assert failed["data"]["reason"].startswith("to: is empty; a caller whose number is withheld")
    assert len(site.north.heard("message")) == before


def test_fifty_callers_ring_at_the_same_time(site: Site, tmp_path: Path) -> None:
    with site.caller("uac_waits", tmp_path, LASTS, "-m", "50", "-r", "500", "-l", "50"):
        until(lambda: site.daemon.metric("trunkline_calls_ringing") == 50, "fifty calls ring")
        # their records, 10 ms and a commit after the 180s
        ringing = "/v2/calls?state=ringing&limit=100"
        until(lambda: len(site.daemon.get(ringing)[1]["calls"]) == 50, "fifty records say so")
        assert site.daemon.terminate() == 0  # they get 480, which the scenario wants
    site.daemon.start()
    calls = site.calls(50)
    assert {(call["cause"], call["status"]) for call in calls} == {("gateway-stopped", 480)}
    assert len(site.missed(calls)) == 50


def test_a_call_that_the_gateway_does_not_survive_is_closed_and_told_at_its_next_start(
    site: Site, tmp_path: Path
) -> None:
    caller = "+447700900456"
    peer = site.caller("uac_waits", tmp_path, LASTS, "-m", "5", caller=caller)
    try:
        until(lambda: site.daemon.metric("trunkline_calls_ringing") == 5, "five calls ring")
        until(lambda: len(site.daemon.get("/v2/calls?state=ringing")[1]["calls"]) == 5, "they are durable")
        site.daemon.kill9()
    finally:
        peer.kill()
    site.daemon.start()
    calls = site.calls(5)
    for call in calls:
        assert (call["cause"], call["ended_by"], call["billable_seconds"]) == (
            "gateway-crashed",
            "gateway",
            0,
        )
        assert call["reason"] == "the gateway was killed while the call went on; when it ended is not known"
    assert len(site.missed(calls)) == 5
    until(lambda: site.texts(caller) == 5, "each caller is told")
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "gateway",
            "calls",
            "-c",
            str(site.daemon.config),
            "--cause",
            "gateway-crashed",
        ],
        env={"STATE_DIRECTORY": str(site.daemon.state), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(found.stdout.splitlines()) == 5


def test_what_a_held_store_has_refused_is_recorded_after_it(site: Site, tmp_path: Path) -> None:
    """A record of the ring that came again behind that of the end left the call ringing for ever."""
    holding = sqlite3.connect(site.daemon.state / "gateway.db", isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    try:
        with site.caller("uac_busy", tmp_path, RINGS, "-m", "10", "-r", "50"):
            until(lambda: site.daemon.metric("trunkline_outcomes_unrecorded") > 0, "the store has refused")
            # that each rings, and that it is over
            assert site.daemon.metric("trunkline_calls_unrecorded") > 10
            holding.execute("ROLLBACK")
    finally:
        holding.close()
    calls = site.calls(10)
    assert {(call["cause"], call["status"]) for call in calls} == {("rejected-by-policy", 486)}
    assert len(site.missed(calls)) == 10
    until(lambda: site.daemon.metric("trunkline_calls_unrecorded") == 0, "what was refused is written")
    _, body = site.daemon.get("/v2/calls?state=ringing")
    assert body["calls"] == []


def test_a_mixture_of_callers_bills_nothing_and_loses_nothing(site: Site, tmp_path: Path) -> None:
    """Whatever they do, in whatever order: nothing was answered, each call is one record and one event."""
    chance, caller = random.Random(5), "+447700900789"
    before = site.texts(SIPP_CALLER)
    scenarios = {
        "uac_refused": AT_ONCE,
        "uac_busy": RINGS,
        "uac_cancel": LASTS,
        "uac_lost_ack": RINGS,
        "uac_never_ack": RINGS,
        "uac_twice": RINGS,
    }
    peers, count = [], 0
    for n in range(12):
        scenario = chance.choice(list(scenarios))
        calls = chance.randint(1, 8)
        folder = tmp_path / str(n)
        folder.mkdir()
        more = ("-m", str(calls), "-r", str(chance.choice((10, 50))))
        peers.append(site.caller(scenario, folder, scenarios[scenario], *more, status=603, caller=caller))
        count += calls
    for peer in peers:
        peer.done()
    records = site.calls(count)
    assert sum(call["billable_seconds"] for call in records) == 0
    assert [call for call in records if call["answered"]] == []
    assert len(site.missed(records)) == count
    until(lambda: site.texts(SIPP_CALLER) - before + site.texts(caller) == count, "each caller is told once")
