from __future__ import annotations

import pytest

from gateway.outbound.notify.receivers import (
    FLYING,
    FLYING_MOST,
    IN_MEMORY,
    PER_RECEIVER,
    Receiver,
    Receivers,
    receiver_of,
)
from gateway.values.work import Notification

made = iter(range(10**9))


def one(
    ref: str = "m1", *, url: str = "http://a/", service: str = "s", reason: str = "", body: bytes = b"{}"
) -> Notification:
    return Notification(
        id=f"{next(made):09d}",
        ref=ref,
        service=service,
        url=url,
        receiver=receiver_of(url),
        body=body,
        reason=reason,
        due=0.0,
        created_at=0.0,
    )


def filled(*notifications: Notification) -> Receiver:
    receiver = Receiver("r")
    for notification in notifications:
        receiver.add(notification)
    return receiver


def singly(notification: Notification) -> int:
    return 1


def by_three(notification: Notification) -> int:
    return 3


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("http://example.org/dlr?id=1", "http:example.org"),
        ("http://example.org/mo/x/y", "http:example.org"),
        ("http://Example.ORG", "http:example.org"),
        ("http://example.org?x=/y", "http:example.org"),
        ("http://user:secret@example.org/", "http:example.org"),
        ("http://example.org:8080/", "http:example.org:8080"),
        ("https://example.org/", "https:example.org"),
        ("http://[::1]:80/x", "http:[::1]:80"),
        ("smpp:acme", "smpp:acme"),
        ("http://[bad/", "http://[bad"),
        ("nonsense", ":nonsense"),
    ],
)
def test_a_receiver_is_a_host_or_an_account(url: str, receiver: str) -> None:
    assert receiver_of(url) == receiver


def test_of_a_transaction_one_goes_out_at_a_time() -> None:
    first, second, third, other = one(), one(), one(), one("m2")
    receiver = filled(first, second, third, other)
    assert receiver.next(singly) == [first]
    assert receiver.next(singly) == [other]
    assert receiver.next(singly) == []
    receiver.taken(first)
    assert receiver.next(singly) == [second]
    assert "m1" in receiver and list(receiver.put_off(second)) == [third]
    assert "m1" not in receiver and receiver.next(singly) == []


def test_as_many_go_out_at_once_as_the_receiver_has_shown_to_be_good_for() -> None:
    receiver = filled(*[one(f"m{n}") for n in range(200)])

    def out() -> int:
        begun = receiver.flying
        while receiver.next(singly):
            receiver.flying += 1
        return receiver.flying - begun

    assert out() == FLYING
    for n in range(3):
        receiver.flying -= 1
        receiver.learn(0.01, ok=True)
        assert receiver.flying + out() == FLYING + n + 1
    for _ in range(100):
        receiver.learn(0.01, ok=True)
    out()
    assert receiver.flying == FLYING_MOST
    for seconds, ok in ((0.01, False), (2.0, True)):
        for _ in range(100):
            receiver.learn(0.01, ok=True)
        receiver.learn(seconds, ok=ok)
        receiver.flying = FLYING
        assert out() == 0


def test_what_may_go_together_does_while_another_is_under_way() -> None:
    notes = [one(f"m{n}") for n in range(5)]
    receiver = filled(notes[0])
    assert receiver.next(by_three) == notes[:1]  # nothing is under way: nothing to wait for
    receiver.flying = 1
    for note in notes[1:3]:
        receiver.add(note)
        assert receiver.next(by_three) == []
    receiver.add(notes[3])
    assert receiver.next(by_three) == notes[1:4]  # as many as may be
    receiver.add(notes[4])
    assert receiver.next(by_three) == []
    receiver.flying = 0
    assert receiver.next(by_three) == notes[4:]


def test_only_what_is_of_one_service_and_url_goes_together_and_the_others_keep_their_places() -> None:
    notes = [
        one("m0"),
        one("m1", url="http://a/x"),
        one("m2", service="t"),
        one("m3"),
        one("m4", url="http://a/x"),
        one("m5"),
        one("m6"),
    ]
    receiver = filled(*notes)
    assert receiver.next(by_three) == [notes[0], notes[3], notes[5]]
    assert receiver.next(by_three) == [notes[1], notes[4]]
    assert receiver.next(by_three) == [notes[2]]
    assert receiver.next(by_three) == [notes[6]]


@pytest.mark.parametrize(
    ("reason", "alone"),
    [("HTTP 400", True), ("HTTP 422", True), ("HTTP 429", False), ("HTTP 408", False), ("HTTP 503", False)],
)
def test_what_was_refused_goes_alone_so_that_one_bad_one_does_not_take_others_along(
    reason: str, alone: bool
) -> None:
    notes = [one("m0", reason=reason), one("m1", reason=reason), one("m2")]
    receiver = filled(*notes)
    together = receiver.next(by_three)
    assert together == (notes[:1] if alone else notes)
    later = filled(notes[2], notes[0])
    assert later.next(by_three) == ([notes[2]] if alone else [notes[2], notes[0]])


def test_what_goes_together_is_no_more_than_a_mebibyte() -> None:
    notes = [one(f"m{n}", body=b"x" * 400_000) for n in range(3)]
    receiver = filled(*notes)
    assert receiver.next(by_three) == notes[:2]
    assert receiver.next(by_three) == notes[2:]


def test_each_leaves_room_to_others() -> None:
    memory = Receivers()
    assert memory.room("http:a") == PER_RECEIVER
    for n in range(PER_RECEIVER):
        memory.hold(one(f"m{n}"))
    assert memory.room("http:a") == 0
    hosts = 0
    while (room := memory.room(f"http:h{hosts}")) > FLYING:
        for n in range(room):
            memory.hold(one(f"m{n}", url=f"http://h{hosts}/"))
        hosts += 1
    assert hosts > 5 and len(memory.held) < IN_MEMORY
    assert memory.room("http:new") > 0


def test_what_is_recorded_makes_room() -> None:
    memory = Receivers()
    note = one()
    receiver = memory.hold(note)
    assert (memory.load("http:a"), memory.held) == (1, {note.id})
    assert memory.has("http:a", "m1") and not memory.has("http:a", "m2") and not memory.has("http:b", "m1")
    receiver.next(singly)
    receiver.taken(note)
    memory.release(note)
    assert (memory.load("http:a"), memory.held) == (0, set())
    assert not memory.has("http:a", "m1")
