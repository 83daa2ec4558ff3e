from __future__ import annotations

from typing import Any

import pytest

from gateway.daemon.held import held


def test_without_a_gateway_it_is_noted_for_the_next_start(place: Any) -> None:
    place.fill()
    result = place.run("bind", "north", "drain")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "north is to be down when the gateway starts" in result.stdout
    assert held(place.store.parent) == {"north": "drain"}
    assert "north is to be up" in place.run("bind", "north", "up").stdout
    assert held(place.store.parent) == {}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nort", "down"), 1, "no bind is named 'nort' (there are: north)"),
        (("north", "sideways"), 2, "'up', 'down', 'drain'"),
        (("north",), 2, "Missing argument"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], code: int, says: str, place: Any) -> None:
    result = place.run("bind", *arguments)
    assert result.exit_code == code and says in result.stderr


def test_a_state_directory_that_is_not_there_is_named(place: Any) -> None:
    result = place.run("bind", "north", "down")
    assert result.exit_code == 1 and str(place.store.parent) in result.stderr
