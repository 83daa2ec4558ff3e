"""Starting, reloading and stopping, as systemd and an operator see them."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Simulator, until
from tests.peers.sounds import write_tone

pytestmark = pytest.mark.e2e

DRAIN_SECONDS = 12.0

BIND = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
sessions = 2
window = 5
addresses = ["12345"]
"""

TRUNK = """
[sip]
listen = ["udp:127.0.0.1:{sip}"]
rtp_ports = "{rtp}-{rtp_last}"

[sip.trunks.east]
host = "127.0.0.1"
port = {east}
numbers = ["+442079460000"]
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345"]

[keywords.HOURS]
reply = "We bake from 11 to 23."
"""

CALLER = (
    SHOP.replace("]", ', "+442079460000"]', 1)
    + """
[numbers."+442079460000"]
ring = "30s"

[templates.tone]
text = "tone"
wav = "tone.wav"
"""
)


@pytest.fixture
def north() -> Iterator[Simulator]:
    with Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as smsc:
        yield smsc


@pytest.fixture
def daemon(tmp_path: Path, north: Simulator) -> Iterator[Daemon]:
    with Daemon(tmp_path / "site", BIND.format(smsc=north.port), {"shop": SHOP}) as daemon:
        until(lambda: len(north.heard("bound")) == 2, "both sessions are bound")
        yield daemon


def hours(north: Simulator, customer: str) -> str:
    """What a customer gets who texts HOURS."""
    north.tell("mo", to="12345", text="hours", **{"from": customer})
    return str(north.wait("message", to=customer)["text"])


# -- stopping ----------------------------------------------------------------------------------------


def test_sigterm_drains_says_good_bye_and_loses_nothing(tmp_path: Path) -> None:
    habits = ("--listen=127.0.0.1:0", "--answer-delay=0.3")
    east_port, sip = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    rtp = free_port(socket.SOCK_DGRAM, span=22)
    with (
        Simulator("smsc", "--name=north", *habits) as north,
        Simulator(
            "sip_carrier",
            f"--listen=127.0.0.1:{east_port}",
            f"--gateway=127.0.0.1:{sip}",
            "--handset=+447700900300=answer:ring=0.1,talk=30,hangup=caller",
        ) as east,
    ):
        trunk = TRUNK.format(sip=sip, rtp=rtp, rtp_last=rtp + 20, east=east_port)
        site = Daemon(tmp_path / "site", BIND.format(smsc=north.port) + trunk, {"shop": CALLER})
        write_tone(site.folder / "services" / "tone.wav", 20)
        with site as daemon:
            until(lambda: len(north.heard("bound")) == 2, "both sessions are bound")
            call = daemon.send(to="+447700900300", channel="voice", template="tone")
            east.wait("answered")
            acked = [daemon.send(to=f"4477009{n:05}", text=f"m{n}") for n in range(60)]
            north.wait("submit")
            began = time.monotonic()
            daemon.signal(signal.SIGTERM)
            assert daemon.ended(20) == 0, daemon.tail()
            assert time.monotonic() - began < DRAIN_SECONDS
            for _ in range(2):
                assert north.wait("unbound")["by"] == "peer"
            assert east.wait("hung_up")["by"] == "caller"
            assert not north.heard("malformed") and not east.heard("error")
            daemon.start()
            for id in acked:
                assert daemon.reaches(id, "sent", "delivered", "in-doubt", "failed")["status"] in (
                    "sent",
                    "delivered",
                )
            assert daemon.message(call)["status"] == "answered"
        arrived = [event["text"] for event in north.heard("submit")]
        assert sorted(arrived) == sorted(f"m{n}" for n in range(60))


def test_a_ringing_caller_is_told_when_the_gateway_stops(tmp_path: Path, north: Simulator) -> None:
    sip, rtp = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM, span=22)
    with Simulator("sip_carrier", "--listen=127.0.0.1:0", f"--gateway=127.0.0.1:{sip}") as east:
        trunk = TRUNK.format(sip=sip, rtp=rtp, rtp_last=rtp + 20, east=east.port)
        site = Daemon(tmp_path / "site", BIND.format(smsc=north.port) + trunk, {"shop": CALLER})
        write_tone(site.folder / "services" / "tone.wav", 0.1)
        with site as daemon:
            east.tell("missed-call", to="+442079460000", ring=30.0, **{"from": "+447700900123"})
            east.wait("provisional", status=180)
            assert daemon.terminate() == 0
            assert east.wait("final")["status"] == 486
            assert daemon.rows("SELECT caller, state, cause, answered_at FROM calls") == [
                ("+447700900123", "ended", "gateway-stopped", 0.0)
            ]


# -- reloading ---------------------------------------------------------------------------------------


def test_sighup_applies_a_changed_service_and_keeps_the_sessions(daemon: Daemon, north: Simulator) -> None:
    assert hours(north, "447700900001") == "We bake from 11 to 23."
    daemon.write_service("shop", SHOP.replace("11 to 23", "10 to 24"))
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log("reload.done"), "the reload is done")
    assert hours(north, "447700900002") == "We bake from 10 to 24."
    assert len(north.heard("bound")) == 2 and not north.heard("closed")


def test_sighup_with_a_bad_file_changes_nothing_and_says_why(daemon: Daemon, north: Simulator) -> None:
    daemon.write_service("shop", SHOP.replace("reply", "replay").replace("11 to 23", "10 to 24"))
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log("reload.refused"), "the reload is refused")
    assert any('did you mean "reply"?' in line["reason"] for line in daemon.log("reload.fault"))
    assert hours(north, "447700900003") == "We bake from 11 to 23."
    assert len(north.heard("bound")) == 2 and not north.heard("closed")


def test_sighup_with_a_changed_bind_replaces_that_bind_only(tmp_path: Path, north: Simulator) -> None:
    with Simulator("smsc", "--name=south", "--listen=127.0.0.1:0") as south:
        both = BIND.format(smsc=north.port) + BIND.format(smsc=south.port).replace(
            ".north", ".south"
        ).replace("12345", "23456")
        shop = SHOP.replace('"12345"', '"12345", "23456"')
        with Daemon(tmp_path / "site", both, {"shop": shop}) as daemon:
            until(
                lambda: len(north.heard("bound")) == len(south.heard("bound")) == 2, "all sessions are bound"
            )
            daemon.write(both.replace("window = 5", "window = 7", 1))
            daemon.signal(signal.SIGHUP)
            until(lambda: daemon.log("reload.done"), "the reload is done")
            assert [north.wait("unbound")["by"] for _ in range(2)] == ["peer", "peer"]
            until(lambda: len(north.heard("bound")) == 4, "north is bound again")
            assert len(south.heard("bound")) == 2 and not south.heard("closed")
            id = daemon.send(to="447700900004", sender="12345", text="by the new bind")
            assert north.wait("message", to="447700900004")["text"] == "by the new bind"
            daemon.reaches(id, "sent", "delivered")


# -- not starting ------------------------------------------------------------------------------------


def run_to_its_end(daemon: Daemon) -> tuple[int, str]:
    """Exit status and what it said."""
    daemon.launch()
    return daemon.ended(), daemon.tail()


def test_a_second_daemon_on_the_same_store_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    second = Daemon(tmp_path / "second", "", {})
    second.state = daemon.state
    status, said = run_to_its_end(second)
    assert status == 1
    assert said.startswith(f"gateway: {daemon.state / 'gateway.db'} is in use by another gateway (process ")
    assert daemon.get("/healthz")[0] == 200


@pytest.mark.parametrize("what", ["http", "smpp", "sip"])
def test_a_port_in_use_is_a_clear_error(tmp_path: Path, what: str) -> None:
    kind = socket.SOCK_DGRAM if what == "sip" else socket.SOCK_STREAM
    port = free_port(kind)
    settings = {
        "http": "",
        "smpp": f'[smpp.listen]\naddress = "127.0.0.1:{port}"\n',
        "sip": f'[sip]\nlisten = ["udp:127.0.0.1:{port}"]\n',
    }
    daemon = Daemon(tmp_path / "site", settings[what], {})
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", daemon.http_port if what == "http" else port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        status, said = run_to_its_end(daemon)
    assert status == 1, said
    [error] = [line for line in said.splitlines() if line.startswith("gateway: ")]
    assert str(daemon.http_port if what == "http" else port) in error and "in use" in error
    assert "Traceback" not in said


def test_findings_are_shown_and_exit_with_78(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "site", "[smpp.binds.north]\nprot = 1\n", {"shop": 'nam = "Shop"\n'})
    status, said = run_to_its_end(daemon)
    assert status == os.EX_CONFIG
    line = daemon.config.read_text().splitlines().index("prot = 1") + 1
    assert f'{daemon.config}:{line}: smpp.binds.north.prot: unknown key; did you mean "port"?' in said
    assert 'nam: unknown key; did you mean "name"?' in said
    assert said.endswith("findings: not started")
    assert not daemon.state.exists()


# -- systemd -----------------------------------------------------------------------------------------


class Manager:
    """The socket on which systemd listens to a service."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while said := self._socket.recv(4096):
            self.said.append(said.decode())

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()


def test_systemd_is_told(tmp_path: Path, north: Simulator) -> None:
    path = tmp_path / "notify"
    manager = Manager(path)
    daemon = Daemon(tmp_path / "site", BIND.format(smsc=north.port), {"shop": SHOP})
    daemon.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
    try:
        with daemon:
            until(lambda: manager.said.count("READY=1") == 1, "READY=1")
            until(lambda: manager.said.count("WATCHDOG=1") >= 3, "WATCHDOG=1, again and again")
            before = len(manager.said)
            daemon.signal(signal.SIGHUP)
            until(lambda: "READY=1" in manager.said[before:], "READY=1 after the reload")
            reloading = [
                said for said in manager.said[before:] if said.startswith("RELOADING=1\nMONOTONIC_USEC=")
            ]
            assert len(reloading) == 1
            assert manager.said[before:].index(reloading[0]) < manager.said[before:].index("READY=1")
            assert daemon.terminate() == 0
        assert manager.said.count("STOPPING=1") == 1
    finally:
        manager.close()
