from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.flows.nodes import TYPES


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["flow", "nodes", *arguments])


def test_each_type_is_listed_with_its_effect_and_what_it_does() -> None:
    result = run()
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == list(TYPES)
    assert all(effect in ("pure", "idempotent", "external") and does for _, effect, does in rows)


@pytest.mark.parametrize("name", TYPES)
def test_each_type_is_shown_with_its_table_events_and_outputs(name: str) -> None:
    result = run(name)
    assert result.exit_code == 0, result.output
    assert all(part in result.stdout for part in ("settings  ", "left by   ", "outputs   ", "effect    "))
    shown: dict[str, Any] = json.loads(run(name, "--json").stdout)
    assert shown["events"] == list(TYPES[name].events)
    assert set(shown) == {"type", "effect", "waits", "settings", "events", "outputs", "about"}


def test_what_a_log_node_is_told_can_be_found() -> None:
    shown = run("log").stdout
    assert "settings  id, value, book, row; on, enter, leave" in shown
    assert "left by   done" in shown and 'type = "log"' in shown


def test_a_misspelt_type_is_answered_with_the_near_one() -> None:
    result = run("send-sm")
    assert result.exit_code == 1 and 'did you mean "send-sms"?' in result.stderr
