"""gateway.transport.rtp_path: two of our own streams, and what lies between them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.protocol.rtp.control import ControlStream
from gateway.protocol.rtp.packet import pack
from gateway.protocol.rtp.rtcp import BYE, Block, Bye, Report, parse
from gateway.protocol.rtp.rtcp import pack as pack_rtcp
from gateway.protocol.sdp import Srtp
from gateway.transport.rtp_stream import MediaStream
from tests.peers.rtp_phone import LOOPBACK, a_phone, a_pump, media_to, until

SUITE = "AES_CM_128_HMAC_SHA1_80"
OURS, THEIRS, OTHER = (bytes([number]) * 30 for number in (1, 2, 3))


@asynccontextmanager
async def two_streams(
    ours: Srtp | None, theirs: Srtp | None
) -> AsyncIterator[tuple[MediaStream, MediaStream]]:
    async with a_pump() as pump:
        one, two = pump.open(), pump.open()
        one.connect(media_to(two.local_port, srtp=ours, rtcp_port=two.local_port + 1))
        two.connect(media_to(one.local_port, srtp=theirs, rtcp_port=one.local_port + 1))
        yield one, two


async def test_an_encrypted_call_is_heard_by_who_has_the_keys_and_stays_up_when_keys_change() -> None:
    keys, mirrored = Srtp(SUITE, OURS, THEIRS), Srtp(SUITE, THEIRS, OURS)
    async with two_streams(keys, mirrored) as (one, two):
        await until(lambda: one.stats().packets > 3 and two.stats().packets > 3)
        one.send_digits("7")
        assert await two.digits.get() == "7"
        assert one.stats().encrypted and two.stats().malformed == 0
        one.connect(media_to(two.local_port, srtp=Srtp(SUITE, OTHER, THEIRS)))
        two.connect(media_to(one.local_port, srtp=Srtp(SUITE, THEIRS, OTHER)))
        before = two.stats().packets
        await until(lambda: two.stats().packets > before + 3)


async def test_who_has_not_the_keys_hears_nothing() -> None:
    async with two_streams(Srtp(SUITE, OURS, THEIRS), Srtp(SUITE, THEIRS, OTHER)) as (one, two):
        await until(lambda: two.stats().malformed > 3 and one.stats().packets > 3)
        assert two.stats().packets == 0


async def test_nobody_hears_an_encrypted_call_in_the_clear() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port, srtp=Srtp(SUITE, OURS, THEIRS)))
        [packet] = (await phone.hear(1))[:1]
        assert len(packet.payload) == 170 and b"\xd5" * 8 not in packet.payload
        phone.send(stream, pack(8, 1, 0, 9, b"\xd5" * 160))  # nor does anyone speak into it
        await until(lambda: stream.stats().malformed == 1)


@pytest.mark.parametrize("shared", [True, False])
async def test_reports_go_both_ways_and_the_last_one_says_bye(
    shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ControlStream, "_interval", lambda self, seconds: 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind((LOOPBACK, 0))
        far.setblocking(False)
        port = far.getsockname()[1]
        loop = asyncio.get_running_loop()

        async def heard() -> list[Report | Bye]:
            while True:
                data, source = await loop.sock_recvfrom(far, 2000)
                if 192 <= data[1] < 224:
                    assert source[1] == stream.local_port + (0 if shared else 1)
                    return parse(data)

        async with a_pump() as pump, a_phone() as phone:
            stream = pump.open()
            rtp = port if shared else phone.port
            stream.connect(media_to(rtp, rtcp_port=port))
            own = stream._sender.ssrc
            await heard()
            block = Report(9, None, (pack_block(own),))
            far.sendto(pack_rtcp(block, "far"), (LOOPBACK, stream.local_port + (0 if shared else 1)))
            await until(lambda: stream.stats().lost_there == 12)
            [report] = await heard()
            assert isinstance(report, Report) and report.ssrc == own and report.sender is not None
            stream.close()
            while Bye((own,)) not in await heard():
                pass


def pack_block(ssrc: int) -> Block:
    return Block(ssrc, 0, 12, 100, 0, 0, 0)


async def test_reports_of_strangers_and_garbage_are_counted_and_hurt_nobody() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.sendto(bytes([0x80, BYE, 0, 1]) + bytes(4), (LOOPBACK, stream.local_port + 1))
        await until(lambda: stream.stats().foreign == 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind((LOOPBACK, 0))
            peer.sendto(b"\x80\xc8", (LOOPBACK, stream.local_port + 1))
        await until(lambda: stream.stats().malformed == 1)
        await phone.hear(len(phone.heard) + 2)


async def test_reports_are_read_of_a_call_that_is_alone_wherever_it_has_its_turn() -> None:
    async with a_pump() as pump, a_phone() as phone:
        first, second = pump.open(), pump.open()
        second.connect(media_to(phone.port))
        first.close()
        for number in (1, 2):
            phone.transport.sendto(b"\x80\xc8", (LOOPBACK, second.local_port + 1))
            await until(lambda number=number: second.stats().malformed == number)  # type: ignore[misc]


async def test_a_peer_on_hold_by_the_unspecified_address_gets_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind((LOOPBACK, 0))
        far.setblocking(False)
        port = far.getsockname()[1]
        async with a_pump() as pump:
            stream = pump.open()
            stream.connect(media_to(9, rtcp_port=port))
            stream.path.send_rtcp(b"report")
            assert far.recv(100) == b"report"
            stream.connect(media_to(9, address="0.0.0.0", rtcp_port=port))
            stream.path.send_rtcp(b"report")
            with pytest.raises(BlockingIOError):
                far.recv(100)
