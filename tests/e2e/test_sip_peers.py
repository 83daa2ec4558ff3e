"""The daemon and an independent SIP peer, SIPp."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Simulator, until
from tests.peers.sipp_process import Sipp
from tests.peers.sounds import write_tone

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

CALLS = 10
SIPP_CALLER = "+41795550102"  # who calls in the scenarios
RINGS_LONG, RINGS_SHORT, UNKNOWN = "+442079460000", "+442079460001", "+442079460002"
NOWHERE = "+442079460008"
TOLD = "We will call you back."

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
numbers = ["+442079460000", "+442079460001"]
ring_timeout = "1s"

[sip.trunks.west]
host = "127.0.0.2"
port = {west}
numbers = ["+442079460009"]

[sip.trunks.nowhere]
host = "192.0.2.1"  # a socket on 127.0.0.1 cannot send there
numbers = ["+442079460008"]
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "+442079460000", "+442079460001", "+442079460008", "+442079460009"]

[numbers."+442079460000"]
ring = "20s"
duplicates = 0

[numbers."+442079460001"]
ring = "200ms"
reject = 486
duplicates = 0

[rules.callback]
on = "call.missed"
do = [{{ send = {{ to = "$(call.from)", from = "12345", text = "{TOLD}" }} }}]

[templates.tone]
text = "tone"
wav = "tone.wav"
"""


class Site:
    def __init__(self, daemon: Daemon, north: Simulator, sip: int, east: int) -> None:
        self.daemon = daemon
        self.north = north
        self.sip = sip  # our port
        self.east = east  # the carrier's

    def call(self, sender: str = RINGS_LONG) -> str:
        """Ask for a call with a voice step; the message id."""
        return self.daemon.send(to="+447700900300", sender=sender, channel="voice", template="tone")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    sip, east, west, rtp = (free_port(socket.SOCK_DGRAM, span=span) for span in (1, 1, 1, 42))
    with Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as north:
        settings = SETTINGS.format(smsc=north.port, sip=sip, east=east, west=west, rtp=rtp, rtp_last=rtp + 40)
        daemon = Daemon(tmp_path_factory.mktemp("sip") / "site", settings, {"shop": SHOP})
        write_tone(daemon.folder / "services" / "tone.wav")
        with daemon:
            north.wait("bound")
            yield Site(daemon, north, sip, east)


def callers(site: Site, scenario: str, folder: Path, number: str, *, address: str = "127.0.0.1") -> Sipp:
    rate = ("-r", "50", "-m", str(CALLS), "-s", number)
    port = free_port(socket.SOCK_DGRAM, address)
    return Sipp(scenario, folder, "-p", str(port), *rate, f"127.0.0.1:{site.sip}", address=address)


# -- calls to us -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "number", "cause", "status"),
    [
        ("uac_cancel", RINGS_LONG, "caller-cancelled", 487),
        ("uac_busy", RINGS_SHORT, "rejected-by-policy", 486),
    ],
)
def test_each_missed_call_is_one_event_and_one_text_and_is_never_answered(
    site: Site, tmp_path: Path, scenario: str, number: str, cause: str, status: int
) -> None:
    before = len(site.north.heard("message", to=SIPP_CALLER[1:]))
    callers(site, scenario, tmp_path, number).done()  # the scenarios fail on a 200 to an INVITE
    columns = "id, caller, called, cause, status, state, answered_at, trunk"
    query = f"SELECT {columns} FROM calls WHERE called = ? AND ended_at"
    until(lambda: len(site.daemon.rows(query, number)) == CALLS, f"{CALLS} calls are in the store")
    calls = site.daemon.rows(query, number)
    assert {call[1:] for call in calls} == {(SIPP_CALLER, number, cause, status, "ended", 0.0, "east")}
    for log in site.daemon.events(call[0] for call in calls).values():
        assert [event.type for event in log].count("call.missed") == 1
    until(lambda: len(site.north.heard("message", to=SIPP_CALLER[1:])) == before + CALLS, "a text for each")
    assert {event["text"] for event in site.north.heard("message")} == {TOLD}


def test_a_call_to_a_number_that_is_not_ours_is_no_missed_call(site: Site, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="404"):
        callers(site, "uac_busy", tmp_path, UNKNOWN).done()
    assert site.daemon.rows("SELECT * FROM calls WHERE called = ?", UNKNOWN) == []


def test_a_call_from_an_address_that_is_no_trunks_is_forbidden(site: Site, tmp_path: Path) -> None:
    before = site.daemon.rows("SELECT count(*) FROM calls")
    callers(site, "uac_forbidden", tmp_path, RINGS_LONG, address="127.0.0.3").done()
    assert site.daemon.rows("SELECT count(*) FROM calls") == before


def test_a_trunk_cannot_call_a_number_of_another(site: Site, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="404"):
        callers(site, "uac_busy", tmp_path, RINGS_LONG, address="127.0.0.2").done()


def test_options_are_answered(site: Site, tmp_path: Path) -> None:
    callers(site, "uac_options", tmp_path, RINGS_LONG).done()


# -- calls from us -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["uas_talk", "uas_talk_and_bye", "uas_hold"])
def test_an_answered_call_ends_from_either_side(site: Site, tmp_path: Path, scenario: str) -> None:
    with Sipp(scenario, tmp_path, "-p", str(site.east), "-m", "1"):
        id = site.call()
        story = site.daemon.reaches(id, "answered", "failed")
    assert (story["status"], story["carrier"], story["code"]) == ("answered", "east", "200")
    query = (
        "SELECT state, cause, status, answered_at > 0, ended_at >= answered_at FROM calls WHERE message = ?"
    )
    until(lambda: site.daemon.rows(query, id) == [("ended", "answered", 200, 1, 1)], "the call's record")
    assert "call.ended" in [event["type"] for event in site.daemon.message(id)["events"]]


@pytest.mark.parametrize(
    ("scenario", "status", "result"),
    [
        ("uas_refuse", 486, "busy"),
        ("uas_refuse", 600, "busy"),
        ("uas_refuse", 603, "rejected"),
        ("uas_refuse", 480, "unreachable"),
        ("uas_refuse", 503, "unreachable"),
        ("uas_no_answer", 487, "no-answer"),
    ],
)
def test_calls_that_nobody_answers_have_outcomes_of_their_own(
    site: Site, tmp_path: Path, scenario: str, status: int, result: str
) -> None:
    with Sipp(scenario, tmp_path, "-p", str(site.east), "-m", "1", status=status):
        id = site.call()
        story = site.daemon.reaches(id, "failed", "expired", "answered")
    assert (story["status"], story["code"]) == ("failed", str(status))
    assert [step["result"] for step in story["steps"]] == [result]
    assert site.daemon.rows("SELECT state, cause FROM calls WHERE message = ?", id) == [("ended", result)]


def test_a_trunk_to_which_nothing_can_be_sent_is_unreachable(site: Site) -> None:
    id = site.call(NOWHERE)
    story = site.daemon.reaches(id, "failed", "expired", "answered")
    assert [step["result"] for step in story["steps"]] == ["unreachable"]
    assert site.daemon.rows("SELECT state, cause FROM calls WHERE message = ?", id) == [
        ("ended", "unreachable")
    ]
