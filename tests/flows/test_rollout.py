from typing import Any

import pytest
from msgspec.structs import replace

from gateway.flows import rollout
from gateway.flows.rollout import Written, chosen, taken
from gateway.values.errors import BadInput
from gateway.values.work import FlowState, FlowVersion

CUSTOMERS = [f"+4477009{n:05}" for n in range(1000)]


def written(version: str = "aaa", **table: Any) -> Written:
    return Written(service="pizza", flow="order", version=version, table={"start": "a", **table})


def state(**fields: Any) -> FlowState:
    return FlowState(service="pizza", flow="order", updated_at=1.0, **fields)


def test_the_first_definition_is_version_one_and_live_and_who_wrote_it_is_kept() -> None:
    now, fresh = taken(written(author="Ann", note="first", tests=[{}]), None, {}, 5.0)
    assert now == replace(state(live=1, file="aaa"), updated_at=5.0)
    assert fresh is not None
    assert (fresh.number, fresh.version, fresh.author, fresh.note, fresh.created_at) == (
        1,
        "aaa",
        "Ann",
        "first",
        5.0,
    )
    assert fresh.definition == {"start": "a", "tests": [{}]}


def test_a_changed_file_is_the_next_version_and_live() -> None:
    before = state(live=1, other=2, percent=10, draft=2, file="aaa")
    now, fresh = taken(written("ccc"), before, {1: "aaa", 2: "bbb"}, 5.0)
    assert (now.live, now.other, now.percent, now.draft, now.file) == (3, 0, 0, 0, "ccc")
    assert fresh is not None and fresh.number == 3


def test_a_file_that_is_as_it_was_leaves_what_an_operator_has_chosen() -> None:
    chosen_since = state(live=3, file="bbb")
    assert taken(written("bbb"), chosen_since, {1: "aaa", 2: "bbb", 3: "aaa"}, 5.0) == (chosen_since, None)


def test_a_file_that_goes_back_to_what_was_there_before_makes_no_new_number() -> None:
    now, fresh = taken(written("aaa"), state(live=2, file="bbb"), {1: "aaa", 2: "bbb"}, 5.0)
    assert (now.live, now.file, fresh) == (1, "aaa", None)


def test_a_draft_is_a_version_and_what_was_live_stays_so() -> None:
    now, fresh = taken(written("bbb", draft=True), state(live=1, file="aaa"), {1: "aaa"}, 5.0)
    assert (now.live, now.draft, now.file) == (1, 2, "bbb draft")
    assert fresh is not None and fresh.number == 2
    ready, none = taken(written("bbb"), now, {1: "aaa", 2: "bbb"}, 6.0)
    assert (ready.live, ready.draft, none) == (2, 0, None)


def test_test_numbers_get_the_draft_and_nobody_else() -> None:
    both = state(live=1, draft=2)
    assert chosen(both, "+1", tester=True) == 2
    assert chosen(both, "+1", tester=False) == 1
    with pytest.raises(BadInput, match="no live version"):
        chosen(state(draft=2), "+1", tester=False)


def test_a_split_sends_its_share_of_the_customers_always_the_same() -> None:
    half = rollout.split(state(live=1), 2, 30, 5.0)
    got = [chosen(half, customer, tester=False) for customer in CUSTOMERS]
    assert got == [chosen(half, customer, tester=False) for customer in CUSTOMERS]
    assert 250 < got.count(2) < 350
    more = rollout.split(state(live=1), 2, 60, 5.0)
    assert all(chosen(more, c, tester=False) == 2 for c, g in zip(CUSTOMERS, got, strict=True) if g == 2)
    assert (rollout.standing(half, 1), rollout.standing(half, 2)) == ("live 70 %", "live 30 %")


@pytest.mark.parametrize(("live", "other", "percent"), [(1, 2, 0), (1, 2, 100), (1, 1, 50), (0, 2, 50)])
def test_a_split_is_between_two_versions(live: int, other: int, percent: int) -> None:
    with pytest.raises(BadInput):
        rollout.split(state(live=live), other, percent, 5.0)


def test_a_roll_back_forks_the_old_version_under_a_new_number() -> None:
    old = FlowVersion(
        service="pizza", flow="order", number=1, version="aaa", definition={"start": "a"}, created_at=1.0
    )
    now, fork = rollout.rolled_back(state(live=2), old, {1: "aaa", 2: "bbb"}, "Ann", 9.0)
    assert (now.live, fork.number, fork.version, fork.author) == (3, 3, "aaa", "Ann")
    assert (fork.note, fork.created_at, fork.definition) == ("rolled back to version 1", 9.0, old.definition)


def test_what_is_made_live_is_no_draft_any_more() -> None:
    now = rollout.made_live(state(live=1, other=3, percent=5, draft=2), 2, 9.0)
    assert (now.live, now.other, now.percent, now.draft) == (2, 0, 0, 0)
    assert rollout.made_live(state(live=1, draft=2), 3, 9.0).draft == 2
    assert [rollout.standing(state(live=1, draft=2), n) for n in (1, 2, 3)] == ["live", "draft", ""]
    assert rollout.standing(None, 1) == ""
