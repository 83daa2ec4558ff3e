"""What a call plays, as the other end of a socket hears it; time is trio's mock clock."""

from collections.abc import Awaitable, Callable

import trio
from trio.testing import MockClock

from simulators import sdp
from simulators.rtp import PCMU, Packet
from simulators.rtp_socket import Audio, sound


def heard(play: Callable[[Audio], Awaitable[None]], *, events: bool = True) -> tuple[list[Packet], list[str]]:
    """The packets that somebody gets whom an Audio plays to, and the errors told."""
    packets: list[Packet] = []
    errors: list[str] = []

    async def listen(own: trio.socket.SocketType) -> None:
        while True:
            packets.append(Packet.parse(await own.recv(2048)))

    def emit(event: str, /, **fields: object) -> None:
        errors.append(str(fields["reason"]))

    async def scenario() -> None:
        own = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        await own.bind(("127.0.0.1", 0))
        audio = await Audio.open("127.0.0.1", emit, lambda: False)
        body = sdp.offer("127.0.0.1", own.getsockname()[1], session=1)
        if not events:
            body = body.replace(b" 101", b"")
        audio.agree(sdp.Description.parse(body))
        with own:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen, own)
                await play(audio)
                await trio.sleep(0.001)
                nursery.cancel_scope.cancel()
        audio.close()

    trio.run(scenario, clock=MockClock(autojump_threshold=0))
    return packets, errors


async def run(audio: Audio, seconds: float) -> None:
    with trio.move_on_after(seconds - 0.01):
        await audio.run()


def test_parts_are_played_for_their_time_and_then_one_sound_for_ever() -> None:
    async def play(audio: Audio) -> None:
        audio.say([("speech", 0.2), ("beep", 0.1)], "silence")
        await run(audio, 0.4)

    packets, _ = heard(play)
    names = [
        next(name for name in ("speech", "beep", "silence") if packet.payload in sound(PCMU, name))
        for packet in packets
    ]
    assert names == ["speech"] * 10 + ["beep"] * 5 + ["silence"] * 5


def test_a_second_run_goes_on_with_the_stream_of_the_first() -> None:
    async def play(audio: Audio) -> None:
        audio.say([], "tone")
        await run(audio, 0.1)
        audio.say([], "silence")
        await run(audio, 0.1)

    packets, _ = heard(play)
    first = packets[0]
    assert {packet.ssrc for packet in packets} == {first.ssrc}
    assert [(p.sequence - first.sequence) % 2**16 for p in packets] == list(range(10))
    assert [(p.timestamp - first.timestamp) % 2**32 for p in packets] == list(range(0, 1600, 160))
    assert [packet.marker for packet in packets] == [True] + [False] * 9


def test_keys_pressed_while_others_are_still_to_come_follow_them() -> None:
    async def play(audio: Audio) -> None:
        audio.press("1", after=0.04)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, audio, 0.8)
            await trio.sleep(0.1)
            audio.press("2")

    packets, errors = heard(play)
    events = [(packet.timestamp, packet.payload[0]) for packet in packets if packet.payload_type == 101]
    assert [event for _, event in events] == [1] * 8 + [2] * 8
    assert len({timestamp for timestamp, _ in events}) == 2
    assert packets[2].marker and packets[2].payload_type == 101
    assert not errors


def test_keys_for_a_peer_that_takes_none_are_told_once_and_the_sound_goes_on() -> None:
    async def play(audio: Audio) -> None:
        audio.press("123")
        await run(audio, 0.4)

    packets, errors = heard(play, events=False)
    assert [packet.payload_type for packet in packets] == [0] * 20
    assert errors == ["the peer takes no telephone events; digits not sent"]
