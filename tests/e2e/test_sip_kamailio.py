"""The daemon, registered with Kamailio and calling through it, by UDP and TLS: digest, routes, a fork."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.kamailio import PASSWORD, TLS, Kamailio
from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, until
from tests.peers.sipp_process import Sipp
from tests.peers.sounds import write_tone

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

OURS = "+442079460000"

SETTINGS = """
[sip]
listen = ["udp:127.0.0.1:{sip}", "tls:127.0.0.1:{sip}"]
tls_certificate = "{tls}/localhost.pem"
tls_key = "{tls}/key.pem"
rtp_ports = "{rtp}-{rtp_last}"

[sip.trunks.east]
host = "127.0.0.1"
port = {place}
transport = "{transport}"
tls_ca = "{tls}/ca.pem"
auth = "register"
username = "trunkuser"
password = "{password}"
keepalive = "2s"
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
    def __init__(self, daemon: Daemon, kamailio: Kamailio, ports: dict[str, int]) -> None:
        self.daemon = daemon
        self.kamailio = kamailio
        self.ports = ports

    def trunk(self) -> dict[str, object]:
        _, ready = self.daemon.get("/readyz")
        return ready["trunks"][0]


def settings_of(ports: dict[str, int], transport: str = "udp", password: str = PASSWORD) -> str:
    place = ports["secure" if transport == "tls" else "kamailio"]
    return SETTINGS.format(
        **ports, place=place, transport=transport, rtp_last=ports["rtp"] + 40, password=password, tls=TLS
    )


def carrier(folder: Path, ports: dict[str, int]) -> Kamailio:
    return Kamailio(
        folder,
        port=ports["kamailio"],
        secure=ports["secure"],
        gateway=ports["sip"],
        talker=ports["talker"],
        refuser=ports["refuser"],
    )


def free_ports() -> dict[str, int]:
    names = ("sip", "kamailio", "secure", "talker", "refuser")
    ports = {name: free_port(socket.SOCK_DGRAM) for name in names}
    return {**ports, "rtp": free_port(socket.SOCK_DGRAM, span=42)}


@pytest.fixture(scope="module", params=["udp", "tls"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    ports = free_ports()
    folder = tmp_path_factory.mktemp("kamailio")
    settings = settings_of(ports, request.param)
    daemon = Daemon(folder / "site", settings, {"shop": SHOP})
    write_tone(daemon.folder / "services" / "tone.wav")
    with carrier(folder, ports) as proxy, daemon:
        one = Site(daemon, proxy, ports)
        until(lambda: one.trunk()["up"], "the trunk is registered")
        yield one


def is_listened_on(port: int) -> bool:
    """Without connecting: SIPp would take that for a call."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


def test_a_registered_trunk_is_up_and_its_round_trip_is_known(site: Site) -> None:
    [host] = until(
        lambda: [h for h in site.trunk()["hosts"] if h["rtt_ms"] is not None], "OPTIONS was answered"
    )
    assert host["up"]
    assert 0 < host["rtt_ms"] < 30_000
    line = f'trunkline_trunk_host_up{{host="{host["address"]}",trunk="east"}}'
    assert site.daemon.metric(line) == 1


def test_a_call_is_forked_over_tcp_answered_and_hung_up_along_the_recorded_route(
    site: Site, tmp_path: Path
) -> None:
    """Both BYE and INVITE are challenged; the branch over UDP is busy, the one over TCP answers."""
    talker = Sipp("uas_talk", tmp_path, "-t", "t1", "-p", str(site.ports["talker"]), "-m", "1")
    refusing = tmp_path / "refuser"
    refusing.mkdir()
    refuser = Sipp("uas_refuse", refusing, "-p", str(site.ports["refuser"]), "-m", "1", status=486)
    with talker, refuser:
        until(lambda: is_listened_on(site.ports["talker"]), "SIPp takes connections")
        id = site.daemon.send(to="+447700900300", sender=OURS, channel="voice", template="tone")
        story = site.daemon.reaches(id, "answered", "failed")
    assert (story["status"], story["carrier"], story["code"]) == ("answered", "east", "200")
    query = "SELECT state, cause, status FROM calls WHERE message = ?"
    until(lambda: site.daemon.rows(query, id) == [("ended", "answered", 200)], "the call's record")


def test_a_call_that_finds_us_by_our_registration_is_a_missed_call_of_the_number_in_to(
    site: Site, tmp_path: Path
) -> None:
    caller = ("-p", str(free_port(socket.SOCK_DGRAM)), "-m", "1", "-s", OURS)
    Sipp("uac_busy", tmp_path, *caller, f"127.0.0.1:{site.ports['kamailio']}").done()
    query = "SELECT called, cause, status, trunk FROM calls WHERE direction = 'in'"
    until(lambda: site.daemon.rows(query) == [(OURS, "rejected-by-policy", 486, "east")], "the record")


def test_stopping_takes_the_registration_back(tmp_path: Path) -> None:
    ports = free_ports()
    settings = settings_of(ports)
    daemon = Daemon(tmp_path / "site", settings, {"shop": SHOP})
    write_tone(daemon.folder / "services" / "tone.wav")
    with carrier(tmp_path, ports):
        with daemon:
            one = Site(daemon, None, ports)  # type: ignore[arg-type]
            until(lambda: one.trunk()["up"], "the trunk is registered")
        caller = ("-p", str(free_port(socket.SOCK_DGRAM)), "-m", "1", "-s", OURS)
        with pytest.raises(AssertionError, match="404 Not Registered"):
            Sipp("uac_busy", tmp_path, *caller, f"127.0.0.1:{ports['kamailio']}").done()


def test_a_wrong_password_is_told_and_not_tried_again_and_again(tmp_path: Path) -> None:
    ports = free_ports()
    settings = settings_of(ports, password="wrong")
    daemon = Daemon(tmp_path / "site", settings, {"shop": SHOP})
    write_tone(daemon.folder / "services" / "tone.wav")
    with carrier(tmp_path, ports), daemon:
        one = Site(daemon, None, ports)  # type: ignore[arg-type]
        trunk = until(lambda: (t := one.trunk())["reason"].startswith("REGISTER: 401") and t, "it is told")
        assert not trunk["up"]
