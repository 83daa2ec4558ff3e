"""gateway.transport.rtp_udp, on loopback sockets with prompts of a few frames."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import cast

import pytest

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.packet import RtpPacket, pack, parse
from gateway.protocol.rtp.telephone_event import TelephoneEvent, pack_event
from gateway.protocol.sdp import Direction, Negotiated
from gateway.transport.rtp_udp import MediaPump, MediaStream, NoPortFree, PeerUnreachable, RtpPorts

LOOPBACK = "127.0.0.1"


class Phone(asyncio.DatagramProtocol):
    """The far end: collects what it gets and can be awaited for a number of packets."""

    def __init__(self) -> None:
        self.heard: list[RtpPacket] = []
        self.arrived = asyncio.Event()
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(parse(data))
        self.arrived.set()

    def send(self, stream: MediaStream, data: bytes) -> None:
        self.transport.sendto(data, (LOOPBACK, stream.local_port))

    async def hear(self, count: int) -> list[RtpPacket]:
        while len(self.heard) < count:
            self.arrived.clear()
            await self.arrived.wait()
        return self.heard


@asynccontextmanager
async def a_phone(host: str = LOOPBACK) -> AsyncIterator[Phone]:
    transport, phone = await asyncio.get_running_loop().create_datagram_endpoint(Phone, local_addr=(host, 0))
    try:
        yield phone
    finally:
        transport.close()
        await asyncio.sleep(0)


def free_even_ports(count: int) -> list[int]:
    """Even ports that were free a moment ago, from wherever the system has them."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
        if port % 2 == 0 and port not in found:
            found.append(port)
    return found


@asynccontextmanager
async def a_pump(ports: int = 4) -> AsyncIterator[MediaPump]:
    pump = MediaPump(RtpPorts(LOOPBACK, free_even_ports(ports)), chance=Random(1))
    try:
        yield pump
    finally:
        await pump.close()


def media_to(
    port: int,
    *,
    codec: Codec = Codec.PCMA,
    dtmf: int | None = 96,
    direction: Direction = Direction.SENDRECV,
    address: str = LOOPBACK,
) -> Negotiated:
    return Negotiated(codec, codec.static_payload_type, dtmf, address, port, direction, 0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so; the test's own time-out is the limit."""
    while not condition():  # noqa: ASYNC110  the product has no event for a counter
        await asyncio.sleep(0.001)


def test_ports_are_even_bound_in_the_order_given_and_bounded() -> None:
    first, second = free_even_ports(2)
    ports = RtpPorts(LOOPBACK, [first + 1, second, first])
    with ports.bind() as one, ports.bind() as two:
        assert [sock.getsockname()[1] for sock in (one, two)] == [second, first]
        with pytest.raises(NoPortFree) as refused:
            ports.bind()
        assert refused.value.retryable
    ports.release(second)
    with ports.bind() as again:
        assert again.getsockname()[1] == second


def test_a_port_that_another_program_holds_is_passed_over_and_tried_again_later() -> None:
    taken, free = free_even_ports(2)
    ports = RtpPorts(LOOPBACK, [taken, free])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, taken))
        with ports.bind() as sock:
            assert sock.getsockname()[1] == free
        with pytest.raises(NoPortFree):
            ports.bind()
    with ports.bind() as sock:
        assert sock.getsockname()[1] == taken


def test_an_address_that_is_not_ours_is_no_matter_of_ports() -> None:
    ports = RtpPorts("192.0.2.1", [30_000])
    with pytest.raises(OSError, match="assign"):
        ports.bind()


async def test_a_prompt_arrives_whole_in_20_ms_frames() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port))
        prompt = bytes(range(160)) + b"b" * 160 + b"c" * 80
        began = asyncio.get_running_loop().time()
        assert await stream.play(prompt) is True
        assert asyncio.get_running_loop().time() - began >= 0.055
        heard = await phone.hear(4)
        start = next(at for at, packet in enumerate(heard) if packet.payload[:1] == b"\x00")
        assert b"".join(packet.payload for packet in heard[start : start + 3]) == prompt + b"\xd5" * 80
        assert heard[0].marker
        assert {packet.payload_type for packet in heard} == {8}
        steps = {(b.sequence - a.sequence, b.timestamp - a.timestamp) for a, b in pairwise(heard)}
        assert steps == {(1, 160)}
        assert stream.stats().sent >= 4


async def test_silence_keeps_flowing_between_prompts() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port, codec=Codec.PCMU))
        heard = await phone.hear(3)
        assert {packet.payload for packet in heard} == {b"\xff" * 160}


async def test_a_cut_prompt_says_so() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port))
        first = stream.play(bytes(16_000))
        second = stream.play(bytes(16_000))
        assert await first is False
        stream.stop()
        assert await second is False
        third = stream.play(bytes(16_000))
        stream.close()
        assert await third is False
        assert await stream.play(bytes(160)) is False


async def test_cancelling_the_wait_stops_the_prompt() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port))
        playing = stream.play(b"p" * 160_000)
        await phone.hear(1)
        playing.cancel()
        await until(lambda: phone.heard[-1].payload == b"\xd5" * 160)


async def test_keys_of_the_peer_are_told_once_under_its_number_and_under_ours() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port, dtmf=96))
        for number, payload_type in enumerate([101, 96]):
            payload = pack_event(TelephoneEvent(5 + number, True, 10, 800))
            for copy in range(3):
                sequence = number * 3 + copy
                phone.send(stream, pack(payload_type, sequence, number * 8000, 9, payload))
        await until(lambda: stream.stats().packets == 6)
        assert [stream.digits.get_nowait() for _ in range(2)] == ["5", "6"]
        assert stream.digits.empty() and stream.stats().dtmf == 2


async def test_a_key_by_info_and_as_an_event_is_one_press_and_cuts_a_prompt_that_allows_it() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port))
        patient = stream.play(bytes(16_000))
        stream.press("1")
        assert not patient.done()
        playing = stream.play(bytes(16_000), bytes(16_000), barge_in=True)
        phone.send(stream, pack(96, 1, 0, 9, pack_event(TelephoneEvent(2, False, 10, 160))))
        assert await playing is False
        stream.press("2")
        assert [stream.digits.get_nowait() for _ in range(2)] == ["1", "2"]
        assert stream.digits.empty()


async def test_keys_that_nobody_asks_for_do_not_pile_up() -> None:
    async with a_pump() as pump:
        stream = await pump.open()
        for _ in range(200):
            stream.press("1")
        assert stream.digits.qsize() == 64 and stream.stats().dtmf == 200


async def test_keys_are_sent_under_the_peers_number() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port, dtmf=96))
        stream.send_digits("1")
        await phone.hear(1)
        assert {packet.payload_type for packet in phone.heard} == {96}
        stream.connect(media_to(phone.port, dtmf=None))
        with pytest.raises(ValueError, match="telephone events"):
            stream.send_digits("1")


async def test_audio_follows_the_port_the_peer_really_sends_from() -> None:
    async with a_pump() as pump, a_phone() as signalled, a_phone() as real, a_phone() as late:
        stream = await pump.open()
        stream.connect(media_to(signalled.port))
        real.send(stream, pack(8, 1, 0, 9, b""))
        await real.hear(2)
        late.send(stream, pack(8, 2, 0, 9, b""))
        await until(lambda: stream.stats().foreign == 1)
        assert late.heard == []
        signalled.send(stream, pack(8, 3, 0, 9, b""))  # the port that SDP named wins over any other
        before = len(signalled.heard)
        await signalled.hear(before + 2)


async def test_another_address_cannot_draw_the_audio_to_itself() -> None:
    async with a_pump() as pump, a_phone() as phone, a_phone("127.0.0.2") as thief:
        stream = await pump.open()
        stream.connect(media_to(phone.port))
        thief.send(stream, pack(8, 1, 0, 9, b""))
        await until(lambda: stream.stats().foreign == 1)
        await phone.hear(len(phone.heard) + 2)
        assert thief.heard == []
        assert stream.stats().packets == 0


async def test_nothing_is_taken_before_the_peer_is_known() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        phone.send(stream, pack(8, 1, 0, 9, b""))
        await until(lambda: stream.stats().foreign == 1)
        assert (phone.heard, stream.stats().sent) == ([], 0)


async def test_what_is_no_rtp_is_counted_and_hurts_nobody() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port))
        phone.send(stream, b"hello")
        phone.send(stream, pack(101, 1, 0, 9, b"\x01"))
        await until(lambda: stream.stats().malformed == 2)


async def test_hold_is_silent_and_the_prompt_goes_on_after_it() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port, direction=Direction.RECVONLY, address="127.0.0.1"))
        playing = stream.play(b"p" * 320)
        phone.send(stream, pack(8, 1, 0, 9, b""))
        await until(lambda: stream.stats().packets == 1)
        assert stream.stats().sent == 0
        stream.connect(media_to(phone.port))
        assert await playing is True
        await phone.hear(2)
        assert phone.heard[0].marker
        assert [packet.payload[:1] for packet in phone.heard[:2]] == [b"p", b"p"]


async def test_a_full_range_refuses_and_a_closed_stream_gives_its_port_back() -> None:
    async with a_pump(ports=1) as pump:
        stream = await pump.open()
        port = stream.local_port
        with pytest.raises(NoPortFree):
            await pump.open()
        stream.close()
        stream.close()
        await stream.closed
        await asyncio.sleep(0)
        assert len(pump) == 0
        assert (await pump.open()).local_port == port


async def test_many_streams_share_one_timer_and_are_spread_over_its_phases() -> None:
    async with a_pump(ports=8) as pump, a_phone() as phone:
        streams = [await pump.open() for _ in range(8)]
        for stream in streams:
            stream.connect(media_to(phone.port))
        tasks = asyncio.all_tasks()
        assert all(await asyncio.gather(*(stream.play(bytes(480)) for stream in streams)))
        assert asyncio.all_tasks() == tasks == {asyncio.current_task()}
        sent = [stream.stats().sent for stream in streams]
        assert min(sent) >= 3 and max(sent) - min(sent) <= 1


async def test_one_broken_stream_is_closed_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MediaStream):
        def tick(self) -> None:
            raise RuntimeError("a defect")

    async with a_pump() as pump, a_phone() as phone:
        broken, sound = await pump.open(), await pump.open()
        broken.__class__ = Broken
        sound.connect(media_to(phone.port))
        await broken.closed
        assert await sound.play(bytes(320)) is True
        assert "a defect" in caplog.text


async def test_a_peer_of_the_other_ip_version_is_refused_and_changes_nothing() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = await pump.open()
        stream.connect(media_to(phone.port))
        with pytest.raises(PeerUnreachable, match="::1"):
            stream.connect(media_to(phone.port, address="::1"))
        assert await stream.play(bytes(320)) is True


async def test_what_the_system_reports_is_counted_and_the_stream_goes_on() -> None:
    async with a_pump() as pump:
        async with a_phone() as phone:
            port = phone.port
        stream = await pump.open()
        stream.connect(media_to(port))  # nobody listens there any more: ICMP says so, or not
        stream.error_received(ConnectionRefusedError())
        assert await stream.play(bytes(320)) is True
        assert stream.stats().errors >= 1


async def test_a_closed_pump_opens_nothing() -> None:
    async with a_pump() as pump:
        await pump.close()
        with pytest.raises(NoPortFree):
            await pump.open()
