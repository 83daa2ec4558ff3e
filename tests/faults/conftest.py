"""How often and by what seed the faults come."""

from __future__ import annotations

import random

import pytest

SEED = 20_261_123
ROUNDS = 5  # enough to notice; `make faults` asks for more


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--fault-rounds")
    return ROUNDS if given is None else int(given)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Its seed is printed, so that a run can be had again."""
    given = request.config.getoption("--fault-seed")
    seed = SEED if given is None else int(given)
    print(f"seed {seed}")
    return random.Random(seed)
