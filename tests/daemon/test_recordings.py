"""How long recordings stay, and what is told of those that go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config.model import Seconds, Sip
from gateway.daemon.recordings import Kept, expired, tidy
from gateway.store.sqlite import SqliteStore
from gateway.values.call import Call
from gateway.values.message import Message

NOW, DAY = 1_700_000_000.0, 86_400.0


class FakeClock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def kept(*recordings: tuple[float, int]) -> list[Kept]:
    """Each so many days old, of so many octets."""
    return [Kept(Path(f"{at}.wav"), NOW - days * DAY, octets) for at, (days, octets) in enumerate(recordings)]


@pytest.mark.parametrize(
    ("recordings", "days", "limit", "gone"),
    [
        ([(1, 10), (31, 10), (29, 10)], 30, 0, ["1.wav"]),
        ([(1, 10), (31, 10)], 0, 0, []),
        ([(1, 10), (3, 10), (2, 10)], 0, 20, ["1.wav"]),
        ([(1, 10), (3, 10), (2, 10)], 0, 9, ["1.wav", "2.wav", "0.wav"]),
        ([(40, 90), (2, 10), (1, 10)], 30, 20, ["0.wav"]),  # what goes for its age makes room
        ([], 30, 20, []),
    ],
)
def test_the_old_go_and_then_the_oldest(
    recordings: list[tuple[float, int]], days: float, limit: int, gone: list[str]
) -> None:
    assert [one.path.name for one, _ in expired(kept(*recordings), NOW, days * DAY, limit)] == gone


async def test_what_is_deleted_is_told_by_its_call(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, days in (("in-1", 31), ("m-1", 32), ("nobody-1", 33), ("young-1", 1), (".in-2", 40)):
        file = folder / f"{name}.wav"
        file.write_bytes(b"RIFF")
        os.utime(file, (NOW - days * DAY, NOW - days * DAY))
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    try:
        call = Call(
            id="in",
            direction="in",
            service="shop",
            trunk="east",
            caller="",
            called="+442079460000",
            state="ended",
            started_at=1.0,
            recording=str(folder / "in-1.wav"),
        )
        message = Message(
            id="m", direction="mt", service="shop", sender="1", recipient="2", created_at=0.0, updated_at=0.0
        )
        placed = replace(
            call, id="out", direction="out", called="2", message="m", recording=str(folder / "m-1.wav")
        )
        await store.commit([call, message, placed])
        assert await tidy(folder, Sip(keep_recordings=Seconds(30 * DAY)), store, FakeClock()) == 3
        assert sorted(path.name for path in folder.iterdir()) == [".in-2.wav", "young-1.wav"]
        for id in ("in", "out"):
            after = await store.call(id)
            assert after is not None and after.recording == ""
        for ref, name in (("in", "in-1"), ("m", "m-1")):
            [event] = [one for one in await store.events(ref) if one.type == "call.recording-removed"]
            reason = "it is older than keep_recordings"
            assert event.service == "shop"
            assert event.data == {"file": str(folder / f"{name}.wav"), "reason": reason}
    finally:
        await store.close()


async def test_where_nothing_was_ever_recorded_nothing_is_done(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    try:
        assert await tidy(tmp_path / "recordings", Sip(), store, FakeClock()) == 0
    finally:
        await store.close()
