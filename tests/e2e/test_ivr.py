"""Flows on calls: SIPp rings a number whose policy is "answer", presses keys, and either side hangs up."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Simulator, until
from tests.peers.sipp_process import Sipp
from tests.peers.sounds import write_tone

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

CALLER = "+41795550102"  # who calls in the scenarios
MENU, TAPE, SILENT, SLOW, REFUSED, CONNECT, GIVE, SORRY = (f"+44207946001{n}" for n in range(8))

NUMBERS = json.dumps([MENU, TAPE, SILENT, SLOW, REFUSED, CONNECT, GIVE, SORRY])

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
numbers = {numbers}
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "{MENU}", "{TAPE}", "{SILENT}", "{SLOW}", "{REFUSED}", "{CONNECT}", "{GIVE}",
  "{SORRY}"]

[numbers]
"{MENU}" = {{ policy = "answer", flow = "menu" }}
"{TAPE}" = {{ policy = "answer", flow = "tape" }}
"{SILENT}" = {{ policy = "answer", flow = "silent" }}
"{SLOW}" = {{ policy = "answer", flow = "slow" }}
"{REFUSED}" = {{ policy = "answer", flow = "refused" }}
"{CONNECT}" = {{ policy = "answer", flow = "connect" }}
"{GIVE}" = {{ policy = "answer", flow = "give" }}
"{SORRY}" = {{ policy = "answer", flow = "sorry" }}

[flows.menu]
start = "pick_up"
[flows.menu.nodes.pick_up]
type = "answer"
on = {{ answered = "welcome", hangup = "end:11", error = "end:90" }}
[flows.menu.nodes.welcome]
type = "play"
wav = ["tone.wav", "tone.wav"]
on = {{ done = "choose", hangup = "end:12", error = "end:90" }}
[flows.menu.nodes.choose]
type = "menu"
wav = "tone.wav"
first_timeout = "2s"
tries = 2
choices = {{ 1 = "account", 2 = "bye" }}
on = {{ hangup = "end:13", timeout = "end:21", invalid = "end:22", error = "end:90" }}
[flows.menu.nodes.account]
type = "collect"
wav = "tone.wav"
min = 4
max = 8
first_timeout = "4s"
on = {{ digits = "note", hangup = "end:14", error = "end:90" }}
[flows.menu.nodes.note]
type = "send-sms"
from = "12345"
text = "You chose $(choose.digits) and $(account.digits)"
on = {{ success = "bye", error = "bye" }}
[flows.menu.nodes.bye]
type = "hangup"
on = {{ done = "end" }}

[flows.tape]
start = "tape"
[flows.tape.nodes.tape]
type = "record"
wav = "tone.wav"
silence = 0
on = {{ stored = "end", hangup = "end:15", error = "end:90" }}

[flows.silent]
start = "hello"
[flows.silent.nodes.hello]
type = "say"
text = "Your call is important to us, and will be so for a while."
on = {{ done = "end", error = "end:90" }}

[flows.slow]
start = "wait"
[flows.slow.nodes.wait]
type = "delay"
for = "2s"
on = {{ done = "hello" }}
[flows.slow.nodes.hello]
type = "say"
text = "Hello"
on = {{ done = "end", error = "end:90" }}

[flows.connect]
start = "connect"
[flows.connect.nodes.connect]
type = "patch"
wav = "tone.wav"
to = "+447700900999"
from = "{CONNECT}"
on = {{ done = "bye", busy = "end:31", hangup = "end:33", error = "end:90" }}
[flows.connect.nodes.bye]
type = "hangup"
on = {{ done = "end" }}

[flows.sorry]
start = "announce"
[flows.sorry.nodes.announce]
type = "play"
wav = "tone.wav"
early = true
on = {{ done = "refuse", hangup = "end:61", error = "end:90" }}
[flows.sorry.nodes.refuse]
type = "hangup"
status = 404
on = {{ done = "end" }}

[flows.give]
start = "give"
[flows.give.nodes.give]
type = "transfer"
wav = "tone.wav"
to = "+447700900999"
on = {{ transferred = "end:51", busy = "end:52", hangup = "end:53", error = "end:90" }}

[call_lists.sizes]
file = "people.csv"
flow = "size"
from = "{MENU}"
calls_per_second = 50
max_calls = 1
retry = {{ busy = ["200ms"] }}

[flows.size]
start = "say"
variables = {{ size = "" }}
[flows.size.nodes.say]
type = "say"
text = "Your size is $(size)."
on = {{ done = "end", error = "end:90" }}

[flows.callback]
start = "ring"
[flows.callback.nodes.ring]
type = "call"
from = "{MENU}"
detect = true
text = "Hello"
on = {{ answered = "end:41", machine = "end:42", error = "end:90" }}

[keywords.CALLME]
flow = "callback"

[flows.refused]
start = "no"
[flows.refused.nodes.no]
type = "hangup"
on = {{ done = "end" }}
"""


class Site:
    def __init__(self, daemon: Daemon, north: Simulator, sip: int, east: int, folder: Path) -> None:
        self.daemon, self.north, self.sip, self.east, self.folder = daemon, north, sip, east, folder
        self._seen = 0

    def caller(self, scenario: str, number: str, **words: Any) -> Sipp:
        port = free_port(socket.SOCK_DGRAM)
        return Sipp(
            scenario, self._own(), "-p", str(port), "-m", "1", "-s", number, f"127.0.0.1:{self.sip}", **words
        )

    def _own(self) -> Path:
        """A folder for one program: each writes its scenario into it."""
        return Path(mkdtemp(dir=self.folder))

    def called(self, scenario: str, **words: Any) -> Sipp:
        """Somebody whom the gateway calls."""
        return Sipp(scenario, self._own(), "-p", str(self.east), "-m", "1", **words)

    def listed(self) -> dict[str, Any]:
        status, body = self.daemon.request("GET", "/v2/call-lists/sizes")
        assert status == 200
        return body

    def session(self) -> tuple[int, dict[str, Any]]:
        """Result and data of the session that has ended after the one that was asked for before."""
        query = "SELECT result, data FROM runs WHERE state = 'ended' ORDER BY id"
        found = until(lambda: self.daemon.rows(query)[self._seen :], "the session has ended")
        self._seen += 1
        result, data = found[0]
        return result, json.loads(data)

    def last_call(self) -> tuple[Any, ...]:
        """(state, cause, status, ended_by, answered, digits) of the youngest."""
        query = (
            "SELECT state, cause, status, ended_by, answered_at > 0, dtmf FROM calls ORDER BY id DESC LIMIT 1"
        )
        until(lambda: self.daemon.rows(query)[0][0] == "ended", "the call's record is closed")
        [row] = self.daemon.rows(query)
        return row


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    sip, east, rtp = (free_port(socket.SOCK_DGRAM, span=span) for span in (1, 1, 62))
    folder = tmp_path_factory.mktemp("ivr")
    with Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as north:
        settings = SETTINGS.format(
            smsc=north.port, sip=sip, east=east, numbers=NUMBERS, rtp=rtp, rtp_last=rtp + 60
        )
        daemon = Daemon(folder / "site", settings, {"shop": SHOP})
        write_tone(daemon.folder / "services" / "tone.wav")
        (daemon.folder / "services" / "people.csv").touch()
        with daemon:
            north.wait("bound")
            yield Site(daemon, north, sip, east, folder)


def test_keys_lead_through_a_menu_and_each_is_heard_once(site: Site) -> None:
    site.caller("uac_keys", MENU, keys="14711#").done()
    result, data = site.session()
    assert result == 0
    assert (data["choose.digits"], data["account.digits"]) == ("1", "4711")
    assert site.last_call() == ("ended", "answered", 200, "gateway", 1, 6)
    until(lambda: site.north.heard("message", to=CALLER[1:]), "the text that the flow sends during the call")
    [message] = site.north.heard("message", to=CALLER[1:])
    assert message["text"] == "You chose 1 and 4711"
    assert site.daemon.rows("SELECT * FROM effects") == []


def test_a_key_that_is_no_choice_is_said_so_and_asked_again(site: Site) -> None:
    site.caller("uac_keys", MENU, keys="9").done()
    result, data = site.session()
    assert (result, data["choose.tries"]) == (21, 2)


@pytest.mark.parametrize(
    ("number", "keys", "pause", "result"),
    [
        (MENU, "", 100, 12),  # while the files play
        (MENU, "1", 1500, 14),  # while digits are wanted
        (MENU, "", 2500, 13),  # while a choice is wanted
        (TAPE, "", 2000, 15),  # while the caller is recorded
        (SILENT, "", 200, 196),  # in a node without an edge for it
    ],
)
def test_a_caller_may_hang_up_in_every_node(
    site: Site, number: str, keys: str, pause: int, result: int
) -> None:
    site.caller("uac_leave", number, keys=keys, pause=pause).done()
    assert site.session()[0] == result
    assert site.last_call()[:5] == ("ended", "answered", 200, "caller", 1)


def test_a_caller_who_gives_up_before_the_answer_has_missed_us(site: Site) -> None:
    site.caller("uac_cancel", SLOW).done()
    assert site.session()[0] == 196
    assert site.last_call()[:5] == ("ended", "caller-cancelled", 487, "caller", 0)


def test_a_flow_may_refuse_without_an_answer(site: Site) -> None:
    site.caller("uac_busy", REFUSED).done()  # the scenario fails on a 200
    assert site.session()[0] == 0
    assert site.last_call()[:5] == ("ended", "rejected-by-flow", 486, "gateway", 0)


def test_a_caller_hears_an_announcement_that_costs_nothing(site: Site) -> None:
    site.caller("uac_announced", SORRY).done()
    assert site.session()[0] == 0
    assert site.last_call()[:5] == ("ended", "rejected-by-flow", 404, "gateway", 0)
    [(sent,)] = site.daemon.rows("SELECT packets_sent FROM calls ORDER BY id DESC LIMIT 1")
    assert sent > 10


def test_what_is_said_is_stored(site: Site) -> None:
    site.caller("uac_keys", TAPE, keys="5#").done()
    result, data = site.session()
    assert (result, data["tape.cause"]) == (0, "digit")
    assert Path(data["tape.file"]).read_bytes()[:4] == b"RIFF"


def test_several_callers_at_once(site: Site) -> None:
    callers = [site.caller("uac_keys", MENU, keys="2") for _ in range(4)]
    for caller in callers:
        caller.done()
    assert {site.session()[0] for _ in callers} == {0}


def test_two_are_connected_and_the_caller_hangs_up(site: Site) -> None:
    with site.called("uas_talk"):  # which waits for our BYE
        site.caller("uac_leave", CONNECT, pause=2500).done()
    assert site.session()[0] == 33


def test_two_are_connected_and_the_one_who_was_called_hangs_up(site: Site) -> None:
    with site.called("uas_talk_and_bye"):
        site.caller("uac_keys", CONNECT).done()
    result, data = site.session()
    assert result == 0 and data["connect.seconds"] > 0


def test_one_who_is_busy_leaves_the_caller_where_he_is(site: Site) -> None:
    with site.called("uas_refuse", status=486):
        site.caller("uac_keys", CONNECT).done()
    assert site.session()[0] == 31


@pytest.mark.parametrize(("status", "result"), [(200, 51), (486, 52)])
def test_the_carrier_takes_a_call_over_or_says_why_not(site: Site, status: int, result: int) -> None:
    site.caller("uac_transfer", GIVE, status=status).done()
    assert site.session()[0] == result


def test_who_says_nothing_is_no_machine(site: Site) -> None:
    with site.called("uas_talk"):
        site.north.tell("mo", to="12345", text="CALLME", **{"from": "+447700900300"})
        result, data = site.session()
    assert (result, data["ring.answerer"]) == (41, "unsure")


def test_a_call_list_calls_each_once_and_again_where_that_may_help(site: Site) -> None:
    people = site.daemon.folder / "services" / "people.csv"
    people.write_text("number,size\n+447700900401,M\n+447700900402,L\n+447700900401,again\nnobody,\n")
    with site.called("uas_talk"):  # the first answers, and hears his size
        begun = site.daemon.request("POST", "/v2/call-lists/sizes/start", {})
        assert begun[0] == 200 and begun[1]["total"] == 4
        until(lambda: site.listed()["answered"] == 1, "the first is reached")
    with site.called("uas_refuse", status=486):
        until(
            lambda: (
                site.daemon.rows("SELECT tries FROM dial_entries WHERE position = 2") == [('{"busy":1}',)]
            ),
            "busy",
        )
    with site.called("uas_talk"):
        until(lambda: site.listed()["state"] == "done", "the list is done")
    assert site.listed() | {"answered": 2, "skipped": 2, "failed": 0, "waiting": 0} == site.listed()
    rows = site.daemon.rows("SELECT number, state, attempts FROM dial_entries ORDER BY position")
    assert rows == [
        ("+447700900401", "answered", 1),
        ("+447700900402", "answered", 2),
        ("+447700900401", "skipped", 0),
        ("nobody", "skipped", 0),
    ]
    data = [site.session()[1] for _ in range(2)]
    assert sorted(one["size"] for one in data) == ["L", "M"]


def test_a_stop_says_good_bye_to_callers_and_tells_their_sessions(site: Site) -> None:
    caller = site.caller("uac_keys", MENU, keys="1")  # which waits for our BYE
    asked = "SELECT id FROM runs WHERE state = 'waiting' AND node = 'account'"
    until(lambda: site.daemon.rows(asked), "the account is asked for")
    assert site.daemon.terminate() == 0
    caller.done()
    site.daemon.start()
    result, data = site.session()
    assert (result, data["account.reason"]) == (14, "we hung up")
    assert site.last_call()[:5] == ("ended", "answered", 200, "gateway", 1)


def test_sessions_are_told_of_their_calls_after_a_kill(site: Site) -> None:
    caller = site.caller("uac_keys", MENU, keys="1")
    asked = "SELECT id FROM runs WHERE state = 'waiting' AND node = 'account'"
    until(lambda: site.daemon.rows(asked), "the account is asked for")
    site.daemon.kill9()
    site.daemon.start()
    result, data = site.session()
    assert (result, data["account.reason"]) == (14, "the gateway was restarted while the call was up")
    with pytest.raises(AssertionError):
        caller.done()


def test_nobody_on_a_call_list_is_called_twice_because_of_a_kill(site: Site) -> None:
    people = site.daemon.folder / "services" / "people.csv"
    people.write_text("number,size\n+447700900411,M\n+447700900412,L\n")
    with pytest.raises(AssertionError), site.called("uas_no_answer"):  # whom nobody tells that we are gone
        assert site.daemon.request("POST", "/v2/call-lists/sizes/start", {})[0] == 200
        ringing = "SELECT id FROM calls WHERE called = '+447700900411' AND state = 'ringing'"
        until(lambda: site.daemon.rows(ringing), "it rings")
        site.daemon.kill9()
        raise AssertionError
    with site.called("uas_talk"):
        site.daemon.start()
        until(lambda: site.listed()["state"] == "done", "the list goes on to its end")
    rows = site.daemon.rows("SELECT number, state, attempts FROM dial_entries WHERE number LIKE '%41_'")
    assert rows == [("+447700900411", "in-doubt", 1), ("+447700900412", "answered", 1)]
