import random
from collections import Counter

from gateway.protocol.sip.locate import Naptr, Srv, in_order, services


def test_naptr_records_are_taken_in_their_order_as_far_as_both_sides_have_the_transport() -> None:
    records = [
        Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com."),
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
        Naptr(90, 40, "S", "sip+d2u", "_sip._udp.example.com."),
        Naptr(10, 10, "u", "E2U+sip", "."),
        Naptr(20, 10, "s", "SIP+D2S", "_sip._sctp.example.com."),
    ]
    assert [transport for transport, _ in services(records, ("udp", "tcp", "tls"))] == ["tls", "udp", "tcp"]
    assert services(records, ("tcp",)) == [("tcp", "_sip._tcp.example.com.")]


def test_srv_records_come_by_priority() -> None:
    records = [Srv(20, 9, 5060, "c."), Srv(10, 0, 5060, "a."), Srv(10, 0, 5061, "b.")]
    assert [record.target for record in in_order(records, lambda: 0.0)][-1] == "c."


def test_within_a_priority_the_weight_decides_how_often_a_host_is_first() -> None:
    records = [Srv(1, 0, 5060, "none."), Srv(1, 10, 5060, "some."), Srv(1, 30, 5060, "most.")]
    rng = random.Random(1)
    first = Counter(in_order(records, rng.random)[0].target for _ in range(4100))
    assert 50 < first["none."] < 160
    assert 2.5 < first["most."] / first["some."] < 3.5
    assert all(len(in_order(records, rng.random)) == 3 for _ in range(10))


def test_a_domain_may_say_that_it_has_no_such_service() -> None:
    assert in_order([Srv(0, 0, 0, ".")], lambda: 0.0) == []
