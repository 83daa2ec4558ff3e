"""`gateway demo`, as a person or CI runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

SCENES = {
    "1. A customer texts a keyword": [
        "PIZZA",
        "Which size? S, M or L",
        "m please",
        "One medium pizza, on its way!",
    ],
    "2. A customer gives a missed call": ["hangs up", "We will call you back."],
    "3. An alert that carrier north rejects": [
        "by north: rejected, invalid number",
        "status delivered, by south",
    ],
    "4. An alert that nobody can text": [
        "receipt UNDELIV",
        "s of speech",
        "0 lost",
        "status answered, by east",
    ],
    "5. A customer says STOP": ["Stop", "failed: the customer has opted out"],
}


def test_every_scene_comes_out_as_it_should(demo: Any) -> None:
    assert demo.status == 0, demo.transcript
    assert "5 of 5 scenes came out as they should." in demo.transcript
    at = 0
    for title, lines in SCENES.items():
        for line in (title, *lines):
            at = demo.transcript.find(line, at)
            assert at >= 0, f"{line!r} is missing or out of order in:\n{demo.transcript}"
    assert demo.transcript.count("signature good") == 2


def test_a_configuration_with_a_mistake_ends_it_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    shutil.copytree("conf", folder)
    service = folder / "services" / "pizza.toml"
    service.write_text(service.read_text().replace('status = "live"', 'statsu = "live"'))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gateway",
            "demo",
            "--once",
            "--any-ports",
            "-c",
            str(folder / "gateway.toml"),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    transcript = done.stdout + done.stderr
    assert done.returncode == 1
    assert 'statsu: unknown key; did you mean "status"?' in transcript
    assert "Traceback" not in transcript
