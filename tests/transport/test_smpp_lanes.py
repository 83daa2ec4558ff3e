"""Which session writes what, without sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from gateway.protocol.smpp.pdu import SubmitSm
from gateway.transport.smpp_lanes import Lane, Lanes
from gateway.transport.smpp_link import SmppLink
from gateway.transport.smpp_submission import Begun, Submission


@dataclass
class Session:
    room: int
    outstanding: int = 0


@dataclass
class Link:
    session: Session
    writable: bool = True


@dataclass
class Bind:
    lanes: Lanes = field(default_factory=lambda: Lanes(3))
    order: int = 0

    def up(self, number: int, room: int = 10) -> Lane:
        lane = self.lanes[number]
        lane.link, lane.bound = cast(SmppLink, Link(Session(room))), True
        return lane

    def down(self, lane: Lane) -> None:
        lane.link, lane.bound = None, False
        self.lanes.lost(lane)

    def begin(self, lane: int, parts: int = 1) -> Begun:
        self.order += 1
        begun = Begun(Submission(self.order, [SubmitSm()] * parts), self.order, lane)
        self.lanes.wait([begun])
        return begun


@pytest.fixture
def bind() -> Bind:
    return Bind()


def entries(lane: Lane) -> list[tuple[int, int]]:
    return [entry[:2] for entry in sorted(lane.ready, key=lambda entry: entry[:2])]


def test_the_oldest_segment_of_a_session_with_room_goes_first(bind: Bind) -> None:
    first, second = bind.up(0), bind.up(1, room=0)
    bind.begin(1, parts=2)
    bind.begin(0)
    assert bind.lanes.next() is first
    bind.up(1)
    assert bind.lanes.next() is second
    assert second.first() == (1, 0)


def test_what_cannot_be_written_now_has_no_room(bind: Bind) -> None:
    lane = bind.up(0)
    bind.begin(0)
    assert lane.link is not None
    lane.link = cast(SmppLink, Link(Session(10), writable=False))
    assert lane.room == 0 and bind.lanes.next() is None


def test_what_was_given_up_or_rests_has_no_turn(bind: Bind) -> None:
    lane = bind.up(0)
    rests, given_up, goes = (bind.begin(0) for _ in range(3))
    rests.held = True
    given_up.unwritten.clear()
    assert lane.first() == (goes.order, 0)
    assert bind.lanes.waiting == 1


def test_segments_of_a_lost_session_move_together_to_the_one_with_most_room(bind: Bind) -> None:
    lost, small, large = bind.up(0), bind.up(1, room=1), bind.up(2, room=5)
    whole = bind.begin(0, parts=3)
    bind.down(lost)
    assert bind.lanes.waiting == 3
    bind.lanes.house()
    assert entries(large) == [(1, 0), (1, 1), (1, 2)] and whole.lane == 2
    assert not small.ready and not lost.ready


def test_the_oldest_message_gets_a_session_first_and_the_next_what_has_most_room_then(bind: Bind) -> None:
    first = bind.begin(0, parts=4)
    second = bind.begin(0)
    bind.lanes.house()  # nobody is up
    assert bind.lanes.waiting == 5
    bind.up(1, room=2)
    bind.up(2, room=3)
    bind.lanes.house()
    assert (first.lane, second.lane) == (2, 1)


def test_what_rests_without_a_session_comes_back_as_a_whole(bind: Bind) -> None:
    rests, stays = bind.begin(0, parts=2), bind.begin(0)
    bind.lanes.forget(rests)
    assert bind.lanes.waiting == 1
    lane = bind.up(0)
    bind.lanes.house()
    assert entries(lane) == [(stays.order, 0)]
    bind.lanes.wait([rests])
    assert entries(lane) == [(1, 0), (1, 1), (2, 0)]


def test_outstanding_counts_the_sessions_that_are_there(bind: Bind) -> None:
    for number, outstanding in ((0, 2), (2, 3)):
        lane = bind.lanes[number]
        lane.link = cast(SmppLink, Link(Session(0, outstanding)))
    assert bind.lanes.outstanding == 5
