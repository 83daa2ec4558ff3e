"""The messages of RFC 4475, each followed by a good call: none of them costs the next caller anything.

What each is answered by is the affair of tests/protocol/sip/test_agent_torture.py.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.processes import KEY, Daemon, free_port
from tests.protocol.sip.torture import MESSAGES

pytestmark = pytest.mark.e2e

OURS = "+442079460000"
PATIENCE_SECONDS = 10.0

SETTINGS = """
[sip]
listen = ["udp:127.0.0.1:{sip}"]

[sip.trunks.east]
host = "127.0.0.1"
port = {east}
numbers = ["+442079460000"]
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["{OURS}"]

[numbers."{OURS}"]
policy = "reject-at-once"
reject = 486
duplicates = 0
"""


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Daemon, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.1", 0))
        carrier.settimeout(PATIENCE_SECONDS)
        sip = free_port(socket.SOCK_DGRAM)
        carrier.connect(("127.0.0.1", sip))
        settings = SETTINGS.format(sip=sip, east=carrier.getsockname()[1])
        with Daemon(tmp_path / "site", settings, {"shop": SHOP}) as daemon:
            yield daemon, carrier


def test_a_good_call_after_each_is_served_at_once(line: tuple[Daemon, socket.socket]) -> None:
    daemon, carrier = line
    for name, message in MESSAGES.items():
        carrier.send(message)
        carrier.send(request("INVITE", name))
        assert final(carrier, name) == 486, name
        carrier.send(request("ACK", name))
    assert daemon.is_up
    [(calls,)] = daemon.rows("SELECT count(*) FROM calls WHERE called = ? AND status = 486", OURS)
    assert calls == len(MESSAGES)
    assert daemon.log("sip.datagram_failed") == []


def request(method: str, name: str) -> bytes:
    lines = (
        f"{method} sip:{OURS}@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKgood-{name};rport",
        "Max-Forwards: 70",
        f"From: <sip:+41795550102@127.0.0.1>;tag={name}",
        f"To: <sip:{OURS}@127.0.0.1>",
        f"Call-ID: good-{name}",
        f"CSeq: 1 {method}",
        "Contact: <sip:127.0.0.1>",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def final(carrier: socket.socket, name: str) -> int:
    """The status that ends the good call; what else is answered goes elsewhere, or is not looked at."""
    while True:
        answer = carrier.recv(65_535)
        if f"Call-ID: good-{name}\r\n".encode() in answer and (status := int(answer.split()[1])) >= 200:
            return status
