from __future__ import annotations

from pathlib import Path

import pytest

from gateway.store.mark import Mark, beside


def marked(path: Path, boot: str) -> str | None:
    mark = Mark(path, boot)
    found = mark.read()
    mark.close()
    return found


def test_the_last_id_is_known_until_the_machine_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db.mark"
    mark = Mark(path, "first")
    assert mark.read() is None, "what was written before is not known"
    mark.set("0193-a")
    mark.set("0193-b")
    assert mark.read() == "0193-b" and marked(path, "first") == "0193-b"
    assert marked(path, "second") is None
    mark.close()


def test_ids_only_grow(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "mark", "first")
    mark.set("2")
    mark.set("1")
    mark.set("")
    assert mark.read() == "2"
    mark.close()


def test_after_a_new_start_the_first_id_counts(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    for boot, id in (("first", "5"), ("second", "3")):
        mark = Mark(path, boot)
        mark.set(id)
        mark.close()
    assert marked(path, "second") == "3" and marked(path, "first") is None


def test_a_machine_that_does_not_tell_its_starts_apart_knows_nothing(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "mark", "")
    mark.set("1")
    assert mark.read() is None
    mark.close()


def test_it_lies_in_the_runtime_directory_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, runtime = tmp_path / "state", tmp_path / "run"
    state.mkdir()
    runtime.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{runtime}:/run/other")
    for expected in (None, "7"):
        mark = beside(state / "gateway.db")
        assert mark.read() == expected
        mark.set("7")
        mark.close()
    assert [file.name for file in runtime.iterdir()] == ["gateway.db.mark"] and not list(state.iterdir())


def test_elsewhere_it_lies_beside_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    mark = beside(tmp_path / "gateway.db")
    mark.set("7")
    mark.close()
    assert [file.name for file in tmp_path.iterdir()] == ["gateway.db.mark"]
    assert marked(tmp_path / "gateway.db.mark", Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def test_an_id_that_has_no_room_is_refused(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "mark", "first")
    with pytest.raises(ValueError, match="too long"):
        mark.set("x" * 49)
    mark.close()
