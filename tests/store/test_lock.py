import os
from pathlib import Path

import pytest

from gateway.store import lock
from gateway.values.errors import StoreUnusable


def test_the_second_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    held = lock.take(tmp_path / "gateway.db")
    with pytest.raises(StoreUnusable, match=rf"in use by another gateway \(process {os.getpid()}\)"):
        lock.take(tmp_path / "gateway.db")
    os.close(held)
    os.close(lock.take(tmp_path / "gateway.db"))


def test_the_note_of_a_dead_holder_is_overwritten(tmp_path: Path) -> None:
    note = tmp_path / "gateway.db.lock"
    note.write_text("99999999\n")
    held = lock.take(tmp_path / "gateway.db")
    assert note.read_text() == f"{os.getpid()}\n"
    os.close(held)


def test_who_holds_it_is_told_and_a_dead_holders_note_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    assert lock.holder(path) is None
    held = lock.take(path)
    assert lock.holder(path) == os.getpid()
    os.close(held)
    assert (tmp_path / "gateway.db.lock").exists() and lock.holder(path) is None
