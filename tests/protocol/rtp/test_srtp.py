"""gateway.protocol.rtp.srtp."""

import pytest

from gateway.protocol.rtp.packet import RtpError, pack
from gateway.protocol.rtp.rtcp import Report
from gateway.protocol.rtp.rtcp import pack as pack_rtcp
from gateway.protocol.rtp.srtp import Protector, Unprotector
from gateway.protocol.sdp.crypto import SUITES

PACKET = pack(8, 1, 160, 7, b"hello" * 32)


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_protected_is_unreadable_on_the_way_and_whole_behind_it(suite: str) -> None:
    key = bytes(range(SUITES[suite]))
    there, back = Protector(suite, key), Unprotector(suite, key)
    wire = there.rtp(PACKET)
    assert b"hello" not in wire and wire[:12] == PACKET[:12]
    assert back.rtp(wire) == PACKET
    report = pack_rtcp(Report(7, None, ()), "me")
    assert back.rtcp(there.rtcp(report)) == report


def test_forged_repeated_and_plain_packets_are_no_rtp() -> None:
    suite, key = "AES_CM_128_HMAC_SHA1_80", bytes(30)
    back = Unprotector(suite, key)
    wire = Protector(suite, key).rtp(PACKET)
    for bad in (wire[:-1] + bytes([wire[-1] ^ 1]), PACKET, b"", bytes(2000), wire[:14]):
        with pytest.raises(RtpError):
            back.rtp(bad)
        with pytest.raises(RtpError):
            back.rtcp(bad)
    assert back.rtp(wire) == PACKET
    with pytest.raises(RtpError, match="replay"):
        back.rtp(wire)
