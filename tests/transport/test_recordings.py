"""gateway.transport.recordings, in a temporary directory."""

import asyncio
from pathlib import Path

import pytest

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.ear import Heard
from gateway.protocol.rtp.recording import Ended, RecordingLimits, wav_header
from gateway.transport.recordings import ActiveRecording, Recordings


async def test_a_recording_is_one_private_whole_file_under_its_name(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "recordings")
    file = recordings.open("call-1", Codec.PCMA)
    for number in range(1000):  # several pieces
        file.append(bytes([number % 256]) * 160)
    path = Path(await file.finish())
    assert path == tmp_path / "recordings" / "call-1.wav"
    octets = b"".join(bytes([number % 256]) * 160 for number in range(1000))
    assert path.read_bytes() == wav_header(Codec.PCMA, 160_000) + octets
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
    assert recordings.waiting_octets == 0
    await recordings.close()


async def test_nothing_said_is_no_file(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    assert await recordings.open("a", Codec.PCMU).finish() == ""
    await recordings.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_a_killed_daemon_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".old.part").write_bytes(b"half")
    (tmp_path / "kept.wav").write_bytes(b"whole")
    recordings = Recordings(tmp_path)
    file = recordings.open("new", Codec.PCMU)
    file.append(bytes(160))
    await file.finish()
    await recordings.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.wav", "new.wav"]


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a\0b", "x" * 200])
async def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        Recordings(tmp_path).open(name, Codec.PCMU)


async def test_a_disk_that_refuses_ends_the_recording_with_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "no-directory").write_text("")
    recordings = Recordings(tmp_path / "no-directory")
    active = ActiveRecording(
        recordings.open("a", Codec.PCMU), Codec.PCMU, RecordingLimits(60.0), skip_frames=0
    )
    for _ in range(1000):
        if active.ended:
            break
        active.hear(Heard(bytes(160), Codec.PCMU, bytes(160)))
        await asyncio.sleep(0)
    else:
        active.end(Ended.STOPPED)
    recording = await active.done
    assert (recording.file, recording.cause) == ("", Ended.ERROR)
    assert "recording.failed" in caplog.text
    await recordings.close()


async def test_a_disk_that_is_too_slow_ends_it_before_memory_does(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    recordings.waiting_octets = 64 * 1024 * 1024
    active = ActiveRecording(
        recordings.open("a", Codec.PCMU), Codec.PCMU, RecordingLimits(600.0), skip_frames=0
    )
    heard = 0
    while not active.ended:
        active.hear(Heard(bytes(160), Codec.PCMU, bytes(160)))
        heard += 1
    assert heard < 300
    assert (await active.done).cause is Ended.ERROR
    recordings.waiting_octets = 0
    await recordings.close()
    assert list(tmp_path.glob("*.wav")) == []


async def test_the_beep_is_not_kept_and_the_cause_is_told(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    active = ActiveRecording(
        recordings.open("a", Codec.PCMU), Codec.PCMU, RecordingLimits(0.1, terminators="#"), skip_frames=3
    )
    for number in range(6):
        active.hear(Heard(b"", Codec.G722, bytes([number]) * 160))
    assert not active.press("1") and active.press("#")
    active.end(Ended.HANGUP)  # too late to be the cause
    recording = await active.done
    assert (recording.seconds, recording.cause) == (0.06, Ended.DIGIT)
    assert Path(recording.file).read_bytes()[-480:] == b"".join(bytes([n]) * 160 for n in (3, 4, 5))
    await recordings.close()
