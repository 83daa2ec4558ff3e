"""A store that cannot be used: the gateway does not start on it, and names the file and the way out.

Nor is damage that comes later passed over in silence.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.peers.processes import KEY, Daemon

pytestmark = pytest.mark.e2e

SHOP = f'name = "Shop"\nkey = "{KEY}"\nassets = ["12345"]\n'
PAGE = 4096  # octets


SETTINGS = '[smpp.binds.away]\nhost = "127.0.0.1"\nport = 1\nsystem_id = "gw"\naddresses = ["12345"]\n'


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a gateway that has accepted messages, which no carrier took."""
    with Daemon(tmp_path_factory.mktemp("used") / "site", SETTINGS, {"shop": SHOP}) as daemon:
        daemon.send_batch([{"to": f"4477009{n:05}", "text": "x" * 100} for n in range(500)])
    return daemon.state


@pytest.fixture
def daemon(tmp_path: Path, used: Path) -> Daemon:
    daemon = Daemon(tmp_path / "site", SETTINGS, {"shop": SHOP})
    shutil.copytree(used, daemon.state)
    return daemon


def refusal(daemon: Daemon) -> str:
    """What it says when it does not start; it says it in one line, and exits with 1."""
    daemon.launch()
    status, said = daemon.ended(), daemon.tail()
    assert status == 1, said
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    assert last.startswith("gateway: "), said
    return last


def overwrite(file: Path, at: int, octets: bytes) -> None:
    with file.open("r+b") as store:
        store.seek(at)
        store.write(octets)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 // PAGE * PAGE)


def cut_within_a_page(file: Path) -> None:
    os.truncate(file, 100)


def no_header(file: Path) -> None:
    overwrite(file, 0, b"\xa5" * 100)


def bad_pages(file: Path) -> None:
    overwrite(file, 2 * PAGE, b"\xa5" * (file.stat().st_size - 2 * PAGE))


@pytest.mark.parametrize("damage", [cut, cut_within_a_page, no_header, bad_pages])
def test_a_damaged_file_is_refused_and_kept_as_it_is(daemon: Daemon, damage: Callable[[Path], None]) -> None:
    file = daemon.state / "gateway.db"
    damage(file)
    octets = file.read_bytes()
    said = refusal(daemon)
    assert str(file) in said and "restore a backup" in said and ".recover" in said
    assert file.read_bytes() == octets


def test_a_file_of_another_program_is_refused(daemon: Daemon) -> None:
    file = daemon.state / "gateway.db"
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    said = refusal(daemon)
    assert str(file) in said and "another program" in said and "store.url" in said


def test_a_file_of_a_newer_version_is_refused(daemon: Daemon) -> None:
    file = daemon.state / "gateway.db"
    with closing(sqlite3.connect(file)) as later, later:
        later.execute("INSERT INTO migrations VALUES ('9999_later', 0)")
    said = refusal(daemon)
    assert str(file) in said and "newer version" in said and "9999_later" in said


def test_a_file_that_another_process_has_locked_is_refused(daemon: Daemon) -> None:
    file = daemon.state / "gateway.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        said = refusal(daemon)
    assert str(file) in said and "locked" in said and "who else has it open" in said
    with daemon:
        assert daemon.rows("SELECT count(*) FROM messages") == [(500,)]


@pytest.mark.parametrize(
    ("what", "remedy"), [("directory", "needs to read and write"), ("file", "check the rights")]
)
def test_a_place_without_permission_is_refused(daemon: Daemon, what: str, remedy: str) -> None:
    place = daemon.state if what == "directory" else daemon.state / "gateway.db"
    if os.geteuid() == 0:  # permissions do not bind root, unless it gives that up
        daemon.wrapper = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    if what == "directory":
        for file in daemon.state.iterdir():
            file.unlink()
    place.chmod(0o500 if what == "directory" else 0o000)
    try:
        said = refusal(daemon)
    finally:
        place.chmod(0o700)
    assert str(place) in said and remedy in said


def test_a_directory_that_is_a_file_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    daemon.state = tmp_path / "plain"
    daemon.state.write_text("")
    assert str(daemon.state) in refusal(daemon)


def test_damage_while_it_runs_is_told_and_not_passed_over(daemon: Daemon) -> None:
    file = daemon.state / "gateway.db"
    with daemon:
        bad_pages(file)
        writing = daemon.request("POST", "/v2/messages", {"to": "447700900999", "text": "hi"})
        reading = daemon.get("/v2/messages?limit=500")  # what was written makes what was read old
        refused = [answer["code"] for status, answer in (writing, reading) if status == 503]
        assert refused and set(refused) == {"store"}
        status, ready = daemon.get("/readyz")
        assert status == 503 and str(file) in ready["reasons"][-1] and "backup" in ready["reasons"][-1]
        daemon.get("/v2/messages?limit=500")
        [told] = daemon.log("store.damaged")
        assert told["level"] == "critical" and told["path"] == str(file)
