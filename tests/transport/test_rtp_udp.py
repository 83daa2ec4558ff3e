"""gateway.transport.rtp_udp, on loopback sockets with prompts of a few frames."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from gateway.transport.recordings import Recordings
from gateway.transport.rtp_ports import NoPortFree, RtpPorts
from gateway.transport.rtp_stream import MediaStream
from gateway.transport.rtp_udp import MediaPump
from tests.peers.rtp_phone import LOOPBACK, a_phone, a_pump, free_even_ports, media_to, until


async def test_a_full_range_refuses_and_a_closed_stream_gives_its_port_back() -> None:
    async with a_pump(ports=1) as pump:
        stream = pump.open()
        port = stream.local_port
        with pytest.raises(NoPortFree):
            pump.open()
        stream.close()
        stream.close()
        assert len(pump) == 0
        assert (pump.open()).local_port == port


async def test_many_streams_share_one_timer_and_are_spread_over_its_phases() -> None:
    async with a_pump(ports=8) as pump, a_phone() as phone:
        streams = [pump.open() for _ in range(8)]
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
        broken, sound = pump.open(), pump.open()
        broken.__class__ = Broken
        sound.connect(media_to(phone.port))
        await until(lambda: not broken.path.is_open)
        assert await sound.play(bytes(320)) is True
        assert "a defect" in caplog.text


async def test_a_closed_pump_opens_nothing() -> None:
    async with a_pump() as pump:
        await pump.close()
        with pytest.raises(NoPortFree):
            pump.open()


async def test_who_made_the_pump_is_told_when_calls_are_up_and_when_none_is(tmp_path: Path) -> None:
    told: list[bool] = []
    ports = RtpPorts(LOOPBACK, free_even_ports(2))
    pump = MediaPump(ports, chance=Random(1), recordings=Recordings(tmp_path), in_use=told.append)
    one, two = pump.open(), pump.open()
    one.close()
    assert told == [True]
    two.close()
    await until(lambda: told == [True, False])
    pump.open()
    await pump.close()
    assert told == [True, False, True, False]


async def test_a_machine_that_is_too_slow_leaves_out_what_is_late_and_says_so_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        for _ in range(3):
            await phone.hear(len(phone.heard) + 1)
            time.sleep(0.15)  # noqa: ASYNC251  something keeps the loop from its work
        await phone.hear(len(phone.heard) + 1)
        assert caplog.text.count("media.late") == 1
        steps = [
            (late.sequence - early.sequence, (late.timestamp - early.timestamp) // 160)
            for early, late in pairwise(phone.heard)
            if late.marker
        ]
        assert len(steps) >= 3
        assert all(packets == 1 and frames > 5 for packets, frames in steps)  # no burst of what is owed
