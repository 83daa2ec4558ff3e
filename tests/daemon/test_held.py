from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gateway.daemon.held import FILE, held, hold


def test_what_is_taken_down_stays_so_until_it_is_brought_back(tmp_path: Path) -> None:
    assert held(tmp_path) == {}
    hold(tmp_path, "north", "down")
    hold(tmp_path, "south", "drain")
    assert held(tmp_path) == {"north": "down", "south": "drain"}
    hold(tmp_path, "north", None)
    hold(tmp_path, "east", None)
    assert held(tmp_path) == {"south": "drain"}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("octets", [b"", b"[]", b'{"north": "sideways"}', b"\xff"])
def test_a_file_that_cannot_be_read_holds_nobody_and_is_said(
    octets: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(octets)
    assert held(tmp_path) == {}
    [record] = caplog.records
    assert (record.msg, record.levelno) == ("bind.held_unreadable", logging.WARNING)
