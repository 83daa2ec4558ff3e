"""gateway.transport.rtp_stream, on loopback sockets with prompts of a few frames."""

import asyncio
import gc
import weakref
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.machine import Answerer, Cause
from gateway.protocol.rtp.packet import pack
from gateway.protocol.rtp.recording import Ended, RecordingLimits
from gateway.protocol.rtp.telephone_event import TelephoneEvent, pack_event
from gateway.protocol.rtp.tones import beep, key
from gateway.protocol.sdp import Direction
from gateway.transport.rtp_path import PeerUnreachable
from tests.peers.rtp_phone import a_phone, a_pump, media_to, until


async def test_a_prompt_arrives_whole_in_20_ms_frames() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
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
        stream = pump.open()
        stream.connect(media_to(phone.port, codec=Codec.PCMU))
        heard = await phone.hear(3)
        assert {packet.payload for packet in heard} == {b"\xff" * 160}


async def test_a_cut_prompt_says_so() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
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


async def test_a_call_that_is_over_leaves_nothing_for_the_collector_of_garbage() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        stream.play(bytes(320))
        await phone.hear(1)
        stream.close()
        await asyncio.sleep(0)
        gone = weakref.ref(stream)
        gc.disable()
        try:
            del stream
            assert gone() is None
        finally:
            gc.enable()


async def test_cancelling_the_wait_stops_the_prompt() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        playing = stream.play(b"p" * 160_000)
        await phone.hear(1)
        playing.cancel()
        await until(lambda: phone.heard[-1].payload == b"\xd5" * 160)


async def test_keys_of_the_peer_are_told_once_under_its_number_and_under_ours() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
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
        stream = pump.open()
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
        stream = pump.open()
        for _ in range(200):
            stream.press("1")
        assert stream.digits.qsize() == 64 and stream.stats().dtmf == 200


async def test_keys_are_sent_under_the_peers_number() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port, dtmf=96))
        stream.send_digits("1")
        await phone.hear(1)
        assert {packet.payload_type for packet in phone.heard} == {96}
        stream.connect(media_to(phone.port, dtmf=None))
        with pytest.raises(ValueError, match="telephone events"):
            stream.send_digits("1")


async def test_audio_follows_the_port_the_peer_really_sends_from() -> None:
    async with a_pump() as pump, a_phone() as signalled, a_phone() as real, a_phone() as late:
        stream = pump.open()
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
        stream = pump.open()
        stream.connect(media_to(phone.port))
        thief.send(stream, pack(8, 1, 0, 9, b""))
        await until(lambda: stream.stats().foreign == 1)
        await phone.hear(len(phone.heard) + 2)
        assert thief.heard == []
        assert stream.stats().packets == 0


async def test_nothing_is_taken_before_the_peer_is_known() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        phone.send(stream, pack(8, 1, 0, 9, b""))
        await until(lambda: stream.stats().foreign == 1)
        assert (phone.heard, stream.stats().sent) == ([], 0)


async def test_what_is_no_rtp_is_counted_and_hurts_nobody() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        phone.send(stream, b"hello")
        phone.send(stream, pack(101, 1, 0, 9, b"\x01"))
        await until(lambda: stream.stats().malformed == 2)


async def test_hold_is_silent_and_the_prompt_goes_on_after_it() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
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


async def test_a_peer_of_the_other_ip_version_is_refused_and_changes_nothing() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        with pytest.raises(PeerUnreachable, match="::1"):
            stream.connect(media_to(phone.port, address="::1"))
        assert await stream.play(bytes(320)) is True


async def test_what_the_system_does_not_send_is_counted_and_the_stream_goes_on() -> None:
    async with a_pump() as pump:
        stream = pump.open()
        stream.connect(media_to(9, address="255.255.255.255"))  # to all: not without SO_BROADCAST
        assert await stream.play(bytes(320)) is True
        assert stream.stats().errors >= 2


async def test_a_peer_whose_port_is_closed_ends_nothing() -> None:
    async with a_pump() as pump:
        async with a_phone() as phone:
            port = phone.port
        stream = pump.open()
        stream.connect(media_to(port))
        assert await stream.play(bytes(320)) is True


async def test_what_the_peer_says_is_recorded_until_it_presses_the_terminator(tmp_path: Path) -> None:
    async with a_pump(folder=tmp_path) as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        said = [bytes([number]) * 160 for number in range(1, 16)]
        recording = stream.record("call-1", RecordingLimits(5.0, beep=False))
        for number in (0, 2, 1, *range(3, 15)):
            phone.send(stream, pack(8, number, 160 * number, 9, said[number]))
            await asyncio.sleep(0.018)
        await asyncio.sleep(0.15)
        stream.press("5")
        stream.press("#")
        done = await recording
        assert done.cause is Ended.DIGIT and done.seconds > 0.3
        assert b"".join(said) in Path(done.file).read_bytes()
        assert stream.digits.get_nowait() == "5" and stream.digits.empty()
        assert stream.stats().recording == done.file == str(tmp_path / "call-1.wav")


async def test_the_peer_hears_a_beep_before_it_is_recorded(tmp_path: Path) -> None:
    async with a_pump(folder=tmp_path) as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        recording = stream.record("call-1", RecordingLimits(0.04))
        done = await recording
        assert (done.cause, done.seconds) == (Ended.MAXIMUM, 0.04)
        heard = b"".join(packet.payload for packet in phone.heard)
        assert beep(Codec.PCMA) in heard


async def test_a_recording_ends_with_its_call_and_the_pump_waits_for_the_file(tmp_path: Path) -> None:
    async with a_pump(folder=tmp_path) as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        first = stream.record("first", RecordingLimits(5.0, beep=False))
        await phone.hear(3)
        second = stream.record("second", RecordingLimits(5.0, beep=False))
        await phone.hear(6)
    assert first.done() and second.done()
    assert (first.result().cause, second.result().cause) == (Ended.STOPPED, Ended.HANGUP)
    assert Path(second.result().file).is_file()
    late = stream.record("third", RecordingLimits(5.0))
    assert (await late).cause is Ended.HANGUP


async def test_who_changes_the_codec_within_what_was_agreed_is_still_heard(tmp_path: Path) -> None:
    async with a_pump(folder=tmp_path) as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port, codec=Codec.PCMA))
        recording = stream.record("a", RecordingLimits(0.3, beep=False))
        phone.send(stream, pack(0, 1, 160, 9, b"\x80" * 160))  # PCMU at its loudest
        done = await recording
        assert b"\xaa" * 160 in Path(done.file).read_bytes()


async def test_keys_that_only_sound_are_heard_where_no_events_are_agreed() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(replace(media_to(phone.port, dtmf=None), in_band_keys=True))
        sound = b"".join(key(digit, Codec.PCMA) for digit in "58")
        playing = stream.play(bytes(160_000), barge_in=True)
        for number in range(len(sound) // 160):
            phone.send(stream, pack(8, number, 160 * number, 9, sound[160 * number : 160 * number + 160]))
            await asyncio.sleep(0.02)
        assert [await stream.digits.get(), await stream.digits.get()] == ["5", "8"]
        assert await playing is False
        stream.connect(media_to(phone.port))  # events are agreed now: nobody listens any more
        assert stream.tones is None


async def test_two_calls_are_patched_with_their_own_numbers_and_laws_and_parted_again() -> None:
    async with a_pump() as pump, a_phone() as left, a_phone() as right:
        one, two = pump.open(), pump.open()
        one.connect(media_to(left.port, codec=Codec.PCMA))
        two.connect(media_to(right.port, codec=Codec.PCMU))
        one.patch(two)
        for number in range(10):
            left.send(one, pack(8, 700 + number, 160 * number, 9, b"\xaa" * 160))
            right.send(two, pack(0, 30 + number, 160 * number, 8, b"\x00" * 160))
            await asyncio.sleep(0.02)
        await until(lambda: b"\x80" * 160 in {packet.payload for packet in right.heard})
        await until(lambda: b"\x2a" * 160 in {packet.payload for packet in left.heard})
        for phone in (left, right):
            steps = {(b.sequence - a.sequence) % 2**16 for a, b in pairwise(phone.heard)}
            assert steps == {1} and len({packet.ssrc for packet in phone.heard}) == 1
            assert {packet.ssrc for packet in phone.heard} & {8, 9} == set()
        two.unpatch()
        left.send(one, pack(8, 710, 1600, 9, b"\xaa" * 160))
        await asyncio.sleep(0.1)
        before = len(right.heard)
        await right.hear(before + 5)
        assert {packet.payload for packet in right.heard[before + 1 :]} == {b"\xff" * 160}


async def test_keys_pass_a_patch_as_events_or_as_they_sound() -> None:
    async with a_pump() as pump, a_phone() as left, a_phone() as right:
        one, two = pump.open(), pump.open()
        one.connect(media_to(left.port, dtmf=96))
        two.connect(media_to(right.port, dtmf=None))
        one.patch(two)
        two.press("7")
        await until(lambda: 96 in {packet.payload_type for packet in left.heard})
        one.press("3")
        sound = key("3", Codec.PCMA)[:800]
        await until(lambda: sound in b"".join(packet.payload for packet in right.heard))


async def test_a_patch_ends_with_either_call() -> None:
    async with a_pump() as pump, a_phone() as left, a_phone() as right:
        one, two = pump.open(), pump.open()
        one.connect(media_to(left.port))
        two.connect(media_to(right.port))
        one.patch(two)
        one.close()
        two.press("1")
        await right.hear(len(right.heard) + 3)
        assert two.digits.get_nowait() == "1"


async def test_who_answered_is_told_and_the_calls_end_is_an_answer_too() -> None:
    async with a_pump() as pump, a_phone() as phone:
        stream = pump.open()
        stream.connect(media_to(phone.port))
        verdict = stream.detect_machine()
        for number in range(25):
            phone.send(stream, pack(8, number, 160 * number, 9, beep(Codec.PCMA)[160:320]))
            await asyncio.sleep(0.02)
        assert ((await verdict).answerer, (await verdict).cause) == (Answerer.MACHINE, Cause.BEEP)
        unsure = stream.detect_machine()
        stream.close()
        assert (await unsure).cause is Cause.HANGUP
        assert (await stream.detect_machine()).cause is Cause.HANGUP
