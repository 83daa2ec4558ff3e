"""Which hosts of a trunk are asked, on a virtual clock."""

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.hosts import ANSWER_SECONDS, Hosts

A, B = Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)


def hosts(keepalive: float = 30.0) -> Hosts:
    one = Hosts(keepalive)
    one.replace([A, B], 0.0)
    return one


def test_the_first_host_is_preferred_and_unknown_is_up() -> None:
    assert hosts().choose(0.0) == A
    assert hosts().choose(0.0, avoid=[A]) == B
    assert hosts().choose(0.0, avoid=[A, B]) is None


def test_a_host_that_does_not_answer_is_down_until_it_does() -> None:
    one = hosts()
    assert one.due(0.0) == [A, B]
    one.answered(B, 404, 0.02)
    assert one.deadline() == ANSWER_SECONDS
    assert one.due(ANSWER_SECONDS) == []
    assert [(host.reason, host.rtt) for host in one] == [("no answer to OPTIONS", None), ("", 0.02)]
    assert one.choose(7.0) == B
    assert one.due(16.0) == [A]
    one.answered(A, 200, 16.5)
    assert one.choose(17.0) == A
    assert one.due(30.02) == [B]


def test_a_trunk_of_which_no_host_answers_is_down() -> None:
    one = hosts()
    one.due(0.0)
    one.answered(A, None, 0.1)
    assert one.why_not(1.0) == ""
    one.answered(B, 503, 0.1)
    assert one.why_not(1.0) == "cannot be reached; answers 503 to OPTIONS"
    assert one.choose(1.0) is None


def test_retry_after_is_obeyed() -> None:
    one = hosts()
    one.failed(A, 120, 0.0)
    assert one.choose(1.0) == B
    one.failed(B, 60, 0.0)
    assert one.why_not(10.0) == (
        "asked for 110 s without calls (Retry-After); asked for 50 s without calls (Retry-After)"
    )
    assert one.choose(61.0) == B
    one.failed(A, 999_999, 200.0)
    assert one.choose(200.0 + 3600, avoid=[B]) == A


def test_without_keepalive_nothing_is_sent_and_a_failure_only_changes_the_order() -> None:
    one = hosts(0)
    assert (one.due(0.0), one.deadline()) == ([], None)
    one.failed(A, None, 0.0)
    assert one.choose(1.0) == B
    assert one.choose(1.0, avoid=[B]) == A
    assert one.choose(31.0) == A


def test_what_is_known_of_a_host_survives_another_look_at_dns() -> None:
    one = hosts()
    one.due(0.0)
    one.answered(A, None, 0.1)
    one.replace([A, A, Address("192.0.2.3", 5060)], 1.0)
    assert [host.reason for host in one] == ["cannot be reached", ""]


def test_news_of_unknown_hosts_is_no_news() -> None:
    one = Hosts(30)
    one.answered(A, 200, 0.0)
    one.failed(A, None, 0.0)
    assert one.why_not(0.0) == "its address is not known"
