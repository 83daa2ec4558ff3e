"""The demo's traffic as Wireshark's decoders see it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

ESME_RINVDSTADR = "0x0000000b"
FIELDS = (
    "frame.protocols",
    "smpp.command_status",
    "sip.Method",
    "sip.Status-Code",
    "sdp.media",
    "rtp.p_type",
)


@pytest.fixture(scope="module")
def ours(demo: Any) -> str:
    """A display filter for the demo's own packets: others may talk on loopback too."""
    if demo.capture is None:
        pytest.skip(demo.no_capture)
    ports = [f"tcp.port == {port}" for port in demo.smpp] + [f"udp.port == {port}" for port in demo.sip]
    return f"({' or '.join(ports)} or rtp)"


def test_everything_that_the_gateway_sent_is_there_and_understood(demo: Any, ours: str) -> None:
    packets = demo.capture.read(f"{ours} and (smpp or sip or rtp)", FIELDS, smpp=demo.smpp, sip=demo.sip)
    kinds = Counter(protocol for packet in packets for protocol in set(packet[0].split(":")))
    # three binds with their answers, seven texts and four from customers with theirs, receipts
    assert kinds["smpp"] > 30, kinds
    assert kinds["sip"] >= 12 and kinds["sdp"] >= 3, kinds
    assert kinds["rtp"] > 250, kinds
    methods, statuses = Counter(packet[2] for packet in packets), Counter(packet[3] for packet in packets)
    assert (methods["INVITE"], methods["CANCEL"], methods["BYE"], methods["ACK"]) == (2, 1, 1, 2)
    assert (statuses["487"], statuses["180"]) == (1, 2)
    refused = {status for packet in packets for status in packet[1].split(",")} - {"", "0x00000000"}
    assert refused == {ESME_RINVDSTADR}


def test_no_packet_is_malformed(demo: Any, ours: str) -> None:
    wrong = f"{ours} and (_ws.malformed or _ws.expert.severity == error)"
    fields = ("frame.number", "frame.protocols", "_ws.expert.message")
    assert demo.capture.read(wrong, fields, smpp=demo.smpp, sip=demo.sip) == []
