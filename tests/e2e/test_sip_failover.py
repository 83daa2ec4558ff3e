"""The daemon between two carriers, each a SIPp: which calls go on to the next one, and which never do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, until
from tests.peers.sipp_process import Sipp
from tests.peers.sounds import write_tone

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

OURS = "+442079460000"

SETTINGS = """
[sip]
listen = ["udp:127.0.0.1:{sip}", "tcp:127.0.0.1:{sip}"]
unknown = "drop"
rtp_ports = "{rtp}-{rtp_last}"

[sip.trunks.east]
host = "127.0.0.1"
port = {east}
numbers = ["+442079460000"]

[sip.trunks.west]
host = "127.0.0.2"
port = {west}
transport = "tcp"
numbers = ["+442079460000"]
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["{OURS}"]

[numbers."{OURS}"]
ring = "200ms"
duplicates = 0

[templates.tone]
text = "tone"
wav = "tone.wav"
"""


class Site:
    def __init__(self, daemon: Daemon, ports: dict[str, int]) -> None:
        self.daemon = daemon
        self.ports = ports

    def call(self) -> str:
        return self.daemon.send(to="+447700900300", sender=OURS, channel="voice", template="tone")

    def tried(self, id: str) -> list[tuple[str, int]]:
        """(trunk, status) of each INVITE."""
        query = (
            "SELECT trunk, status FROM calls WHERE message = ? AND state = 'ended' ORDER BY started_at, id"
        )
        return self.daemon.rows(query, id)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    ports = {name: free_port(socket.SOCK_DGRAM) for name in ("sip", "east")}
    ports["rtp"] = free_port(socket.SOCK_DGRAM, span=42)
    ports["west"] = free_port(socket.SOCK_STREAM, "127.0.0.2")
    settings = SETTINGS.format(**ports, rtp_last=ports["rtp"] + 40)
    daemon = Daemon(tmp_path_factory.mktemp("failover") / "site", settings, {"shop": SHOP})
    write_tone(daemon.folder / "services" / "tone.wav")
    with daemon:
        yield Site(daemon, ports)


def east(site: Site, folder: Path, status: int) -> Sipp:
    return Sipp("uas_refuse", folder, "-p", str(site.ports["east"]), "-m", "1", status=status)


def west(site: Site, folder: Path) -> Sipp:
    by_tcp = ("-t", "t1", "-p", str(site.ports["west"]))
    return Sipp("uas_talk", folder, *by_tcp, "-m", "1", address="127.0.0.2")


def test_a_call_that_one_carrier_cannot_take_goes_by_the_next_over_tcp(site: Site, tmp_path: Path) -> None:
    with west(site, tmp_path), east(site, tmp_path, 503):
        id = site.call()
        story = site.daemon.reaches(id, "answered", "failed")
    assert (story["status"], story["carrier"]) == ("answered", "west")
    until(lambda: site.tried(id) == [("east", 503), ("west", 200)], "a record for each carrier")


@pytest.mark.parametrize("status", [486, 600, 603])
def test_one_who_declined_is_not_rung_by_another_carrier(site: Site, tmp_path: Path, status: int) -> None:
    with east(site, tmp_path, status):
        id = site.call()
        story = site.daemon.reaches(id, "answered", "failed")
    assert (story["status"], story["code"]) == ("failed", str(status))
    assert site.tried(id) == [("east", status)]


def test_a_missed_call_comes_by_tcp(site: Site, tmp_path: Path) -> None:
    caller = ("-t", "t1", "-p", str(free_port()), "-m", "3", "-r", "50", "-s", OURS)
    Sipp("uac_busy", tmp_path, *caller, f"127.0.0.1:{site.ports['sip']}").done()
    query = "SELECT count(*) FROM calls WHERE direction = 'in' AND status = 486"
    until(lambda: site.daemon.rows(query) == [(3,)], "their records")


def test_a_stranger_hears_nothing_and_is_muted_once(site: Site) -> None:
    options = (
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:9;rport;branch=z9hG4bK{0}\r\n"
        "From: <sip:a@h>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {0}\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as prober:
        prober.bind(("127.0.0.9", 0))
        prober.settimeout(0.2)
        for n in range(60):
            prober.sendto(options.format(n).encode(), ("127.0.0.1", site.ports["sip"]))
        with pytest.raises(TimeoutError):
            prober.recv(1)
    until(lambda: site.daemon.metric("trunkline_sip_strangers_total") == 60, "they are counted")
    assert [line["peer"] for line in site.daemon.log("sip.muted")] == ["127.0.0.9"]
    assert site.daemon.metric("trunkline_sip_strangers_muted") == 1
