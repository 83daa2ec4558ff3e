"""systemd/gateway.service: what it must say, and what systemd itself thinks of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path("systemd/gateway.service")
README = Path("systemd/README.md")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)


def directives() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if match := re.fullmatch(r"([A-Za-z]+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("directive", "value"),
    [
        ("Type", "notify"),
        ("WatchdogSec", "30s"),
        ("ExecStart", "/opt/trunkline/.venv/bin/gateway run -c /etc/trunkline/gateway.toml"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "78"),
        ("User", "trunkline"),
        ("StateDirectory", "trunkline"),
        ("ConfigurationDirectory", "trunkline"),
        ("TimeoutStopSec", "60s"),
        ("KillMode", "mixed"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("CapabilityBoundingSet", ""),
        ("WantedBy", "multi-user.target"),
    ],
)
def test_the_unit_says(directive: str, value: str) -> None:
    assert directives()[directive] == [value]


def test_the_sandbox_leaves_what_a_gateway_is_for() -> None:
    said = directives()
    assert "PrivateNetwork" not in said
    assert said["RestrictAddressFamilies"] == ["AF_INET AF_INET6 AF_UNIX"]
    assert said["SystemCallFilter"][0] == "@system-service"


def test_the_unit_shows_how_secrets_come_in() -> None:
    assert re.search(r"^#LoadCredential=north:/etc/trunkline/secrets/north$", UNIT.read_text(), re.MULTILINE)
    assert "$credential:north" in README.read_text()


@pytest.mark.peer
@needs_systemd
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    # what it runs is not installed where the tests are
    unit = tmp_path / "gateway.service"
    unit.write_text(UNIT.read_text().replace("/opt/trunkline/.venv/bin/gateway", "/bin/true"))
    verdict = analyze("verify", "--man=no", str(unit))
    assert (verdict.returncode, verdict.stdout + verdict.stderr) == (0, "")


@pytest.mark.peer
@needs_systemd
def test_systemd_rates_the_sandbox_2_0_or_better() -> None:
    verdict = analyze("security", "--offline=true", str(UNIT))
    exposure = re.search(r"Overall exposure level for gateway\.service: ([0-9.]+)", verdict.stdout)
    assert exposure, verdict.stderr
    assert float(exposure[1]) <= 2.0
