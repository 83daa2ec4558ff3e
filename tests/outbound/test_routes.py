from __future__ import annotations

import pytest

from gateway.config.model import Bind
from gateway.outbound.routes import Routes

ROUTES = Routes(
    {
        "north": Bind(host="n", system_id="gw", addresses=["12345", "447700900000"]),
        "south": Bind(host="s", system_id="gw", addresses=["12345", "PIZZA"]),
        "east": Bind(host="e", system_id="gw"),
        "in": Bind(host="i", system_id="gw", mode="receiver", addresses=["12345", "99999"]),
    }
)


@pytest.mark.parametrize(
    ("sender", "via", "preferred", "binds"),
    [
        ("12345", "", [], ["north", "south"]),
        ("12345", "", ["south"], ["south", "north"]),
        ("12345", "", ["east", "south", "north"], ["south", "north"]),
        ("+447700900000", "", [], ["north"]),
        ("PIZZA", "", ["north"], ["south"]),
        ("54321", "", ["east", "north"], ["east", "north"]),
        ("54321", "", [], []),
        ("54321", "", ["gone", "in", "east"], ["east"]),
        ("99999", "", [], []),
        ("12345", "east", ["north"], ["east"]),
        ("12345", "in", [], []),
        ("12345", "gone", ["north"], []),
    ],
)
def test_the_binds_that_may_carry_a_message(
    sender: str, via: str, preferred: list[str], binds: list[str]
) -> None:
    assert ROUTES.candidates(sender, via=via, preferred=preferred) == binds
