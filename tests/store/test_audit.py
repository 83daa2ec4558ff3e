from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.store import audit as auditing
from gateway.store.audit import audit
from gateway.store.base import Write
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import StoreUnusable
from gateway.values.outcome import Status


async def stored(folder: Path, *writes: Write) -> Path:
    store = SqliteStore(folder / "gateway.db")
    await store.open()
    await store.commit(writes)
    await store.close()
    return store.path


def stuck(path: Path) -> list[tuple[str, str]]:
    return [(each.id, each.status) for each in audit(path).stuck]


def test_every_status_is_counted_in_its_direction() -> None:
    assert {*auditing.OUTBOUND, *auditing.INBOUND} == set(Status)


async def test_messages_are_counted_by_service_and_status(tmp_path: Path, records: Any) -> None:
    path = await stored(
        tmp_path,
        records.message("m1", status=Status.DELIVERED),
        records.message("m2", status=Status.DELIVERED),
        records.message("m3", status=Status.IN_DOUBT),
        records.message("m4", service="pizza", status=Status.FAILED),
        records.message("m5", service="pizza", status=Status.HANDLED, direction="mo"),
        records.message("m6", service="", status=Status.RECEIVED, direction="mo"),
    )
    found = audit(path)
    assert found.services == {
        "": {"received": 1},
        "alerts": {"delivered": 2, "in-doubt": 1},
        "pizza": {"failed": 1, "handled": 1},
    }
    assert auditing.accepted(found.total) == 4
    assert (found.stuck, found.stuck_count) == ([], 0)
    assert not any(found.left_over.values())


@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_pages_leave_nothing_out_and_take_nothing_twice(
    tmp_path: Path, records: Any, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(auditing, "_PAGE", page)
    ids = [f"m{n}" for n in range(7)]
    seen: list[tuple[str, int]] = []
    path = await stored(
        tmp_path,
        *(records.message(id, status=Status.QUEUED) for id in ids),
        *(records.effect(f"gone{n}/0", ref=f"gone{n}") for n in range(5)),
        *(records.timer(f"gone{n}", kind=kind) for n in range(3) for kind in ("held", "run", "step")),
        *(records.segment(f"gone{n}") for n in range(4)),
    )
    found = audit(path, lambda what, rows: seen.append((what, rows)))
    assert found.total == {"queued": 7}
    assert sorted(each.id for each in found.stuck) == ids
    assert found.left_over == {"effects": 5, "timers": 9, "segments": 4}
    assert {("messages", 7), ("queued", 7), ("timers", 9)} <= set(seen)


async def test_a_queued_message_needs_a_carrier_or_a_timer(tmp_path: Path, records: Any) -> None:
    path = await stored(
        tmp_path,
        *(records.message(id, status=Status.QUEUED) for id in ("m10", "m2", "m3", "m4")),
        records.message("m1", status=Status.QUEUED, waits="north"),
        records.timer("m2", kind="held"),
        records.timer("m3", kind="step"),
        records.segment("m4"),  # what it has sent says nothing about what it is to do
    )
    assert stuck(path) == [("m10", "queued"), ("m4", "queued")]
    assert "carrier" in audit(path).stuck[0].lacks


async def test_a_sent_message_needs_a_segment_a_call_or_a_timer(tmp_path: Path, records: Any) -> None:
    path = await stored(
        tmp_path,
        *(records.message(id, status=Status.SENT) for id in ("m1", "m2", "m3", "m4", "m5")),
        records.segment("m1", state="accepted"),
        records.call("c1", message="m2", state="ringing"),
        records.call("c2", message="m3", state="ended"),
        records.timer("m4", kind="step"),
    )
    assert stuck(path) == [("m3", "sent"), ("m5", "sent")]


async def test_a_final_message_needs_nothing_and_should_have_nothing(tmp_path: Path, records: Any) -> None:
    path = await stored(
        tmp_path,
        records.message("m1", status=Status.DELIVERED),
        records.segment("m1", state="delivered"),
        records.effect("m1/0", ref="m1"),
        records.timer("m1", kind="step"),
        records.run("r1"),
        records.effect("r1/1", ref="r1", kind="http"),
        records.timer("r1", kind="run"),
    )
    found = audit(path)
    assert found.stuck_count == 0
    assert found.left_over == {"effects": 1, "timers": 1, "segments": 0}


async def test_a_status_that_does_not_fit_the_direction_is_unaccounted_for(
    tmp_path: Path, records: Any
) -> None:
    path = await stored(tmp_path, records.message("m1", status=Status.HANDLED))
    found = audit(path)
    assert (found.total, found.stuck_count) == ({"mt handled": 1}, 1)


async def test_a_running_gateway_is_not_in_the_way(tmp_path: Path, records: Any) -> None:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await store.commit([records.message("m1", status=Status.QUEUED, waits="north")])
    assert audit(store.path).total == {"queued": 1}
    await store.commit([records.message("m2", status=Status.SENT)])
    assert audit(store.path).stuck_count == 1
    await store.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "does not exist"), (b"no database at all, whatever its name says" * 100, "cannot be read")],
)
def test_what_is_no_store_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "gateway.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreUnusable, match=reason):
        audit(path)


def test_a_database_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE something (x)")
    with pytest.raises(StoreUnusable, match="other"):
        audit(tmp_path / "other.db")
