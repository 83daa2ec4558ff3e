"""The order in which a bind's messages go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.smpp.pdu import SubmitSm
from gateway.transport.smpp_queue import Queue
from gateway.transport.smpp_submission import Submission


def submission(ref: object, priority: int) -> Submission:
    return Submission(ref, [SubmitSm(priority_flag=priority)])


@given(st.lists(st.integers(0, 3)))
def test_the_highest_priority_goes_first_and_the_oldest_of_it(priorities: list[int]) -> None:
    queue = Queue()
    for age, priority in enumerate(priorities):
        queue.put(submission((-priority, age), priority))
    assert len(queue) == len(priorities)
    assert [one.ref for one in queue.clear()] == sorted((-p, age) for age, p in enumerate(priorities))
    assert len(queue) == 0


@pytest.mark.parametrize("priority", [0, 2])
def test_what_was_taken_goes_back_before_all_others_like_it(priority: int) -> None:
    queue = Queue()
    for ref in range(4):
        queue.put(submission(ref, priority))
    first, second = queue.take(), queue.take()
    queue.put_back(second)
    queue.put_back(first)
    queue.put(submission(4, priority))
    assert [one.ref for one in queue.clear()] == [0, 1, 2, 3, 4]


def test_an_empty_queue_has_none() -> None:
    with pytest.raises(IndexError):
        Queue().take()
