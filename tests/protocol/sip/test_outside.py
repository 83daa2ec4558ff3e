"""Requests of ours that belong to no call."""

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import OptionsAnswered, RegisterAnswered
from gateway.protocol.sip.digest import read_challenges
from gateway.protocol.sip.manner import Binding
from tests.protocol.sip.test_manner import PEER, challenge, is_authorised, manner


def test_a_probe_tells_the_answer_or_its_absence(wire) -> None:
    first = wire.agent.options(Address("192.0.2.2", 5070), wire.now)
    (options,) = wire.sent()
    assert (options.method, options.uri) == ("OPTIONS", "sip:192.0.2.2:5070")
    wire.reply(options, 100, tag="")
    wire.reply(options, 200)
    assert wire.events() == [OptionsAnswered(first, 200)]
    second = wire.agent.options(Address("192.0.2.2", 5070), wire.now)
    wire.pass_time(40)
    assert wire.events() == [OptionsAnswered(second, None)]


def test_a_challenged_probe_is_answered(wire) -> None:
    probe = wire.agent.options(PEER, wire.now, manner())
    (options,) = wire.sent()
    assert options.uri == "sip:carrier.example"
    (again,) = challenge(wire, options)
    assert is_authorised(again)
    wire.reply(again, 200)
    assert wire.events() == [OptionsAnswered(probe, 200)]


def binding() -> Binding:
    return Binding("u", manner(), "call-id", "tag")


def test_a_registration_keeps_its_call_id_and_counts_on(wire) -> None:
    one = binding()
    wire.agent.register(one, PEER, 600, wire.now)
    (first,) = wire.sent()
    assert first.uri == "sip:carrier.example"
    assert first.headers.get("To") == "<sip:u@carrier.example>"
    assert first.headers.get("Contact") == "<sip:u@192.0.2.1:5060>;expires=600"
    (again,) = challenge(wire, first, status=401)
    (credentials,) = read_challenges(again.headers.lines("Authorization"))
    assert (credentials.realm, credentials.nonce) == ("carrier, ltd", "n1")
    wire.reply(again, 200)
    wire.agent.register(one, PEER, 0, wire.now)
    (last,) = wire.sent()
    assert [(r.call_id, r.from_tag, r.cseq) for r in (first, again, last)] == [
        ("call-id", "tag", n) for n in (1, 2, 3)
    ]
    assert "nc=00000002" in last.headers.get("Authorization")


@pytest.mark.parametrize("status", [200, 403, 423, 503])
def test_what_a_registrar_says_in_the_end_is_told(wire, status: int) -> None:
    one = binding()
    wire.agent.register(one, PEER, 600, wire.now)
    (register,) = wire.sent()
    wire.reply(register, status)
    (event,) = wire.events()
    assert isinstance(event, RegisterAnswered)
    assert (event.binding, event.response and event.response.status) == (one, status)


def test_a_registrar_that_is_silent_is_told_too(wire) -> None:
    one = binding()
    wire.agent.register(one, PEER, 600, wire.now)
    wire.pass_time(40)
    assert wire.events() == [RegisterAnswered(one, None)]


def test_over_tls_the_contact_says_so(wire) -> None:
    one = binding()
    wire.agent.register(one, Address("192.0.2.2", 5061, "tls"), 600, wire.now)
    (register,) = wire.sent()
    assert one.contact == "sip:u@192.0.2.1:5060;transport=tls"
    assert register.via.transport == "TLS"
