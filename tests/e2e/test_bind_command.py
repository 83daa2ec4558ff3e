"""`gateway bind` beside a gateway that runs: a carrier is taken out of use, and into use again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.processes import KEY, Daemon, until
from tests.peers.settings import bind
from tests.peers.smpplib_smsc import Smsc

pytestmark = pytest.mark.e2e

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345"]
routes = ["first", "second"]
"""


def operate(daemon: Daemon, *arguments: str) -> str:
    command = [sys.executable, "-m", "gateway", "bind", *arguments, "-c", str(daemon.config)]
    environ = {**os.environ, "STATE_DIRECTORY": str(daemon.state)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_sent_while_a_bind_is_down_goes_by_another_and_it_stays_down_over_a_restart(
    tmp_path: Path,
) -> None:
    first, second = Smsc(), Smsc()
    settings = bind("first", str(first.port), "12345") + bind("second", str(second.port), "12345")
    try:
        with Daemon(tmp_path / "site", settings, {"shop": SHOP}) as daemon:
            until(lambda: len(daemon.log("bind.up")) == 2, "both binds are up")
            assert "first is down: taken down by an operator" in operate(daemon, "first", "drain")
            id = daemon.send(to="+447700900123", text="hi")
            assert daemon.reaches(id, "sent")["carrier"] == "second"
            daemon.terminate()
            daemon.start()
            until(lambda: daemon.log("bind.up")[-1]["bind"] == "second", "the other is up again")
            _, ready = daemon.get("/readyz")
            assert {one["name"]: one["up"] for one in ready["binds"]}["first"] is False
            assert operate(daemon, "first", "up") == "first is up\n"
    finally:
        first.close()
        second.close()
