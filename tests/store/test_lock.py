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
