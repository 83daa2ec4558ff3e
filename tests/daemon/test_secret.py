from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.model import Secret
from gateway.daemon.secret import FILE, secret_of
from gateway.values.errors import StoreUnusable


def test_it_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = secret_of(Secret(""), tmp_path / "state")
    assert len(first) == 64 and secret_of(Secret(""), tmp_path / "state") == first
    assert (tmp_path / "state" / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [FILE]


def test_what_the_configuration_says_comes_first(tmp_path: Path) -> None:
    assert secret_of(Secret("written"), tmp_path) == b"written"
    assert list(tmp_path.iterdir()) == []


def test_a_broken_one_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("short")
    with pytest.raises(StoreUnusable, match="is no key: restore it"):
        secret_of(Secret(""), tmp_path)


def test_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreUnusable, match=FILE):
        secret_of(Secret(""), tmp_path)
