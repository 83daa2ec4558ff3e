"""The transaction layer on a virtual clock: every timer, and a network that loses, doubles and reorders."""

import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.layer import TransactionLayer
from gateway.protocol.sip.message import Request, Response, make_request, parse, respond
from gateway.protocol.sip.timers import LIFETIME, T4
from gateway.protocol.sip.transaction import (
    AckReceived,
    ClientTransaction,
    IllegalTransition,
    LayerEvent,
    RequestReceived,
    ResponseReceived,
    State,
    TransactionFailed,
)

US = Address("192.0.2.1", 5060)
PEER = Address("192.0.2.2", 5070)
PEER_TCP = Address("192.0.2.2", 40_000, "tcp")  # its end of a connection


def layer(
    address: Address = US,
    seed: int = 1,
    limit: int = 100,
    strangers: tuple[str, ...] = (),
    stream_for: Callable[[Address], Address | None] = lambda address: None,
) -> TransactionLayer:
    return TransactionLayer(
        *address[:2],
        rng=random.Random(seed),
        limit=limit,
        admit=lambda source: source not in strangers,
        stream_for=stream_for,
    )


def ask(ours: TransactionLayer, method: str, now: float = 0.0, target: Address = PEER) -> ClientTransaction:
    request = make_request(
        method,
        f"sip:b@{target[0]}",
        via=ours.via(target.transport),
        from_="<sip:a@h>;tag=1",
        to="<sip:b@h>",
        call_id=ours.token(),
        cseq=1,
        headers=[("Route", "<sip:192.0.2.2;lr>")],
    )
    return ours.request(request, target, now, user="user")


def sent(ours: TransactionLayer) -> list[Request | Response]:
    messages = [parse(datagram.data) for datagram in ours.datagrams()]
    return [message for message in messages if message is not None]


def events(ours: TransactionLayer) -> list[LayerEvent]:
    out: list[LayerEvent] = []
    while (event := ours.next_event()) is not None:
        out.append(event)
    return out


def run(ours: TransactionLayer, until: float) -> list[tuple[float, str]]:
    """Follow the deadlines; (time, start line word) of everything sent."""
    out = [(0.0, _word(message)) for message in sent(ours)]
    while (deadline := ours.deadline()) is not None and deadline <= until:
        ours.tick(deadline)
        out += [(deadline, _word(message)) for message in sent(ours)]
    return out


def _word(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else str(message.status)


def answer(
    ours: TransactionLayer, client: ClientTransaction, status: int, now: float, tag: str = "t"
) -> None:
    ours.receive(bytes(respond(client.request, status, to_tag=tag)), PEER, now)


def arrive(
    ours: TransactionLayer,
    method: str,
    branch: str = "z9hG4bKx",
    now: float = 0.0,
    source: Address = PEER,
    old: bool = False,
    to_tag: str = "",
) -> bytes:
    to = f";tag={to_tag}" if to_tag else ""
    parameter = "" if old else f";branch={branch};rport"
    data = (
        f"{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5070{parameter}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:us@h>{to}\r\nCall-ID: {branch}\r\n"
        f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    ours.receive(data, source, now)
    return data


def only_request(ours: TransactionLayer) -> RequestReceived:
    (event,) = events(ours)
    assert isinstance(event, RequestReceived)
    return event


# --- INVITE client


def test_timers_a_and_b_repeat_the_invite_and_give_up_after_64_t1() -> None:
    ours = layer()
    client = ask(ours, "INVITE")
    assert run(ours, 100) == [(t, "INVITE") for t in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert events(ours) == [TransactionFailed(client, unreachable=False)]
    assert (ours.clients, len(ours.timers)) == ({}, 0)


def test_a_provisional_response_stops_the_repetition() -> None:
    ours = layer()
    client = ask(ours, "INVITE")
    answer(ours, client, 180, 0.2)
    answer(ours, client, 180, 0.4)
    assert run(ours, 500) == [(0, "INVITE")]
    assert [type(event) for event in events(ours)] == [ResponseReceived, ResponseReceived]


def test_a_failure_is_acknowledged_each_time_it_comes_until_timer_d() -> None:
    ours = layer()
    client = ask(ours, "INVITE")
    sent(ours)
    answer(ours, client, 486, 1.0, tag="busy")
    answer(ours, client, 486, 2.0, tag="busy")
    first, second = sent(ours)
    assert isinstance(first, Request) and bytes(first) == bytes(second)
    assert (first.method, first.via.branch, first.cseq, first.to_tag) == ("ACK", client.key[0], 1, "busy")
    assert first.headers.lines("Via") == [client.request.headers.get("Via")]
    assert first.headers.lines("Route") == ["<sip:192.0.2.2;lr>"]
    assert len(events(ours)) == 1
    assert ours.deadline() == 1.0 + LIFETIME
    assert run(ours, 100) == []
    assert ours.clients == {}
    answer(ours, client, 486, 101)
    assert sent(ours) == []


def test_each_success_goes_to_the_user_until_timer_m() -> None:
    ours = layer()
    client = ask(ours, "INVITE")
    answer(ours, client, 200, 1.0)
    answer(ours, client, 200, 1.5, tag="fork")
    answer(ours, client, 486, 1.6)
    assert [event.response.to_tag for event in events(ours) if isinstance(event, ResponseReceived)] == [
        "t",
        "fork",
    ]
    assert ours.deadline() == 1.0 + LIFETIME
    run(ours, 100)
    assert ours.clients == {}


def test_a_transport_error_ends_a_client_at_once() -> None:
    for method in ("INVITE", "OPTIONS"):
        ours = layer()
        client = ask(ours, method)
        ours.send_failed(client, 0.0)
        ours.send_failed(client, 0.0)
        assert events(ours) == [TransactionFailed(client, unreachable=True)]
        assert (ours.clients, len(ours.timers)) == ({}, 0)


TCP = Address("192.0.2.2", 5070, "tcp")


def large_request(ours: TransactionLayer) -> ClientTransaction:
    request = make_request(
        "INVITE", "sip:b@h", via=ours.via(), from_="<sip:a@h>;tag=1", to="<sip:b@h>", call_id="c", cseq=1,
        body=b"v" * 2000, content_type="application/sdp",
    )  # fmt: skip
    return ours.request(request, PEER, 0.0, "user")


def test_a_request_too_large_for_a_datagram_is_one_where_no_connection_can_be_opened() -> None:
    ours = layer(stream_for={PEER: TCP}.get)
    client = large_request(ours)
    (by_stream,) = ours.datagrams()
    assert (by_stream.address, client.request.via.transport) == (TCP, "TCP")
    ours.connection_lost(TCP, 0.1, opened=False)
    (datagram,) = ours.datagrams()
    assert datagram.address == PEER
    assert b"Via: SIP/2.0/UDP" in datagram.data
    assert ours.deadline() == 0.6  # repeated as any datagram is
    ours.send_failed(client, 0.2)
    assert events(ours) == [TransactionFailed(client, unreachable=True)]
    assert (ours.clients, len(ours.timers)) == ({}, 0)


def test_a_large_request_is_not_said_again_where_a_connection_broke() -> None:
    ours = layer(stream_for={PEER: TCP}.get)
    client = large_request(ours)
    ours.datagrams()
    ours.connection_lost(TCP, 0.1, opened=True)  # it may have been heard
    assert events(ours) == [TransactionFailed(client, unreachable=True)]
    assert ours.datagrams() == []


def test_a_cancel_shares_branch_number_and_route_with_its_invite() -> None:
    ours = layer()
    client = ask(ours, "INVITE")
    cancel = ours.cancel(client, 1.0, "user", ("Reason", "Q.850;cause=19")).request
    assert (cancel.method, cancel.cseq, cancel.via.branch) == ("CANCEL", 1, client.key[0])
    assert cancel.headers.get("Reason") == "Q.850;cause=19"
    assert cancel.headers.lines("Route") == ["<sip:192.0.2.2;lr>"]
    assert cancel.headers.get("To") == "<sip:b@h>"
    answer(ours, client, 487, 1.0)
    assert [event.transaction for event in events(ours) if isinstance(event, ResponseReceived)] == [client]


# --- non-INVITE client


def test_timers_e_and_f_repeat_a_request_up_to_t2_apart_and_give_up() -> None:
    ours = layer()
    client = ask(ours, "OPTIONS")
    times = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run(ours, 100) == [(t, "OPTIONS") for t in times]
    assert events(ours) == [TransactionFailed(client, unreachable=False)]


def test_a_provisional_response_slows_a_request_but_timer_f_still_ends_it() -> None:
    ours = layer()
    client = ask(ours, "OPTIONS")
    answer(ours, client, 100, 0.1)
    assert run(ours, 100) == [
        (0, "OPTIONS"),
        *((t, "OPTIONS") for t in (0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5)),
    ]
    assert isinstance(events(ours)[-1], TransactionFailed)


def test_timer_k_swallows_late_copies_of_the_final_response() -> None:
    ours = layer()
    client = ask(ours, "BYE")
    answer(ours, client, 200, 1.0)
    answer(ours, client, 200, 1.5)
    assert len(events(ours)) == 1
    assert ours.deadline() == 1.0 + T4
    run(ours, 100)
    assert ours.clients == {}


@pytest.mark.parametrize("branch", ["z9hG4bKforeign", ""])
def test_a_response_that_nobody_waits_for_is_dropped(branch: str) -> None:
    ours = layer()
    client = ask(ours, "BYE")
    client.request.via.parameters["branch"] = branch
    client.request.headers.set("Via", str(client.request.via))
    answer(ours, client, 200, 1.0)
    assert events(ours) == []


def test_a_response_with_two_vias_is_dropped() -> None:
    ours = layer()
    client = ask(ours, "BYE")
    client.request.headers.add("Via", "SIP/2.0/UDP elsewhere")
    answer(ours, client, 200, 1.0)
    assert events(ours) == []


# --- over TCP and TLS nothing is repeated and nothing comes late (timers A, E, G; D, I, J, K)


def test_a_request_by_tcp_is_sent_once_and_given_up_after_64_t1() -> None:
    for method in ("INVITE", "OPTIONS"):
        ours = layer()
        client = ask(ours, method, target=PEER_TCP)
        assert client.request.headers.get("Via").startswith("SIP/2.0/TCP 192.0.2.1:5060;branch=")
        assert (run(ours, LIFETIME - 0.1), events(ours)) == ([(0, method)], [])
        assert run(ours, LIFETIME) == []
        assert events(ours) == [TransactionFailed(client, unreachable=False)]
        assert (ours.clients, len(ours.timers)) == ({}, 0)


@pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("OPTIONS", 200)])
def test_a_client_by_tcp_is_over_with_its_final_response(method: str, status: int) -> None:
    ours = layer()
    client = ask(ours, method, target=PEER_TCP)
    answer(ours, client, status, 1.0)
    ours.tick(1.0)
    assert [_word(message) for message in sent(ours)] == [method, "ACK"][: 2 if method == "INVITE" else 1]
    assert (ours.clients, len(ours.timers)) == ({}, 0)


def test_a_refusal_by_tcp_is_sent_once_by_its_connection_and_ends_with_the_ack_or_timer_h() -> None:
    for acknowledged in (True, False):
        ours = layer()
        arrive(ours, "INVITE", source=PEER_TCP)
        event = only_request(ours)
        ours.respond(event.transaction, respond(event.request, 486, to_tag="t"), 0.0)
        (datagram,) = ours.datagrams()
        # the connection of the request, or else one to the port that its Via tells
        assert (datagram.address, datagram.otherwise) == (PEER_TCP, Address("192.0.2.2", 5070, "tcp"))
        assert run(ours, 31.9) == []
        if acknowledged:
            arrive(ours, "ACK", source=PEER_TCP, now=31.9)
            ours.tick(31.9)
        else:
            run(ours, LIFETIME)
            assert events(ours) == [TransactionFailed(event.transaction, unreachable=False)]
        assert (ours.servers, len(ours.timers)) == ({}, 0)


def test_an_answer_by_tcp_ends_its_transaction_and_a_2xx_keeps_it_for_the_acks() -> None:
    ours = layer()
    arrive(ours, "OPTIONS", source=PEER_TCP)
    event = only_request(ours)
    ours.respond(event.transaction, respond(event.request, 200, to_tag="t"), 1.0)
    ours.tick(1.0)
    assert ours.servers == {}
    arrive(ours, "INVITE", source=PEER_TCP)
    event = only_request(ours)
    ours.respond(event.transaction, respond(event.request, 200, to_tag="t"), 1.0)
    ours.tick(1.0)
    assert (event.transaction.state, ours.deadline()) == (State.ACCEPTED, 1.0 + LIFETIME)


def test_a_stateless_refusal_by_tcp_goes_back_by_the_connection() -> None:
    ours = layer(strangers=("192.0.2.2",))
    arrive(ours, "INVITE", source=PEER_TCP)
    (datagram,) = ours.datagrams()
    assert (datagram.address, datagram.otherwise) == (PEER_TCP, Address("192.0.2.2", 5070, "tcp"))


# --- INVITE server


def test_the_latest_response_answers_a_repeated_invite() -> None:
    ours = layer()
    arrive(ours, "INVITE")
    event = only_request(ours)
    arrive(ours, "INVITE", now=0.1)
    assert sent(ours) == []
    for status in (100, 180):
        ours.respond(event.transaction, respond(event.request, status, to_tag="t"), 0.2)
        arrive(ours, "INVITE", now=0.5)
        first, again = sent(ours)
        assert bytes(first) == bytes(again)
    assert events(ours) == []


def test_timer_g_repeats_a_failure_until_timer_h_reports_the_missing_ack() -> None:
    ours = layer()
    arrive(ours, "INVITE")
    event = only_request(ours)
    ours.respond(event.transaction, respond(event.request, 486, to_tag="t"), 0.0)
    times = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run(ours, 100) == [(t, "486") for t in times]
    assert events(ours) == [TransactionFailed(event.transaction, unreachable=False)]
    assert ours.servers == {}


@pytest.mark.parametrize("old", [False, True], ids=["RFC 3261", "RFC 2543"])
def test_an_ack_ends_the_repetition_and_timer_i_the_transaction(old: bool) -> None:
    ours = layer()
    arrive(ours, "INVITE", old=old)
    event = only_request(ours)
    ours.respond(event.transaction, respond(event.request, 486, to_tag="t"), 0.0)
    arrive(ours, "INVITE", now=0.1, old=old)
    arrive(ours, "ACK", now=0.2, old=old)
    arrive(ours, "ACK", now=0.3, old=old)
    assert event.transaction.state is State.CONFIRMED
    assert run(ours, 100) == [(0, "486"), (0, "486")]
    assert events(ours) == []
    assert ours.servers == {}


def test_an_accepted_invite_swallows_repetitions_and_passes_acks_until_timer_l() -> None:
    ours = layer()
    arrive(ours, "INVITE")
    event = only_request(ours)
    ours.respond(event.transaction, respond(event.request, 200, to_tag="t"), 0.0)
    ours.respond(event.transaction, respond(event.request, 200, to_tag="t"), 0.5)
    arrive(ours, "INVITE", now=0.6)
    arrive(ours, "ACK", now=0.7)
    assert run(ours, 0.7) == [(0, "200"), (0, "200")]
    assert isinstance(events(ours)[0], AckReceived)
    with pytest.raises(IllegalTransition):
        ours.respond(event.transaction, respond(event.request, 487, to_tag="t"), 0.8)
    assert ours.deadline() == LIFETIME
    run(ours, 100)
    assert ours.servers == {}


def test_an_ack_of_its_own_branch_goes_to_the_user() -> None:
    ours = layer()
    arrive(ours, "ACK", "z9hG4bKown")
    assert isinstance(events(ours)[0], AckReceived)
    assert sent(ours) == []


# --- non-INVITE server


def test_a_request_is_delivered_once_and_its_copies_get_the_same_answer_until_timer_j() -> None:
    ours = layer()
    arrive(ours, "OPTIONS")
    arrive(ours, "OPTIONS", now=0.1)
    event = only_request(ours)
    assert sent(ours) == []
    ours.respond(event.transaction, respond(event.request, 100), 0.2)
    ours.respond(event.transaction, respond(event.request, 200, to_tag="t"), 0.3)
    arrive(ours, "OPTIONS", now=0.5)
    assert [_word(message) for message in sent(ours)] == ["100", "200", "200"]
    with pytest.raises(IllegalTransition):
        ours.respond(event.transaction, respond(event.request, 404, to_tag="t"), 0.6)
    assert ours.deadline() == 0.3 + LIFETIME
    run(ours, 100)
    assert ours.servers == {}


def test_a_cancel_finds_its_invite() -> None:
    ours = layer()
    arrive(ours, "INVITE")
    invite = only_request(ours).transaction
    arrive(ours, "CANCEL")
    cancel = only_request(ours).transaction
    assert cancel is not invite
    assert ours.invite_of(cancel) is invite
    arrive(ours, "CANCEL", "z9hG4bKother")
    assert ours.invite_of(only_request(ours).transaction) is None


def test_the_answer_goes_to_the_source() -> None:
    ours = layer()
    arrive(ours, "OPTIONS", source=Address("192.0.2.77", 1234))
    event = only_request(ours)
    ours.respond(event.transaction, respond(event.request, 200, to_tag="t"), 0.0)
    (datagram,) = ours.datagrams()
    assert datagram.address == Address("192.0.2.77", 1234)
    assert b"received=192.0.2.77" in datagram.data


def test_an_invite_that_is_answered_at_once_gets_no_100() -> None:
    ours = layer()
    for branch in ("z9hG4bK1", "z9hG4bK2"):
        arrive(ours, "INVITE", branch)
    first, second = (event for event in events(ours) if isinstance(event, RequestReceived))
    ours.trying(first.transaction)
    ours.trying(second.transaction)
    ours.respond(first.transaction, respond(first.request, 180, to_tag="t"), 0.0)
    assert [_word(message) for message in sent(ours)] == ["180", "100"]
    arrive(ours, "INVITE", "z9hG4bK2")
    assert [_word(message) for message in sent(ours)] == ["100"]
    ours.respond(second.transaction, respond(second.request, 486, to_tag="t"), 0.0)
    assert [_word(message) for message in sent(ours)] == ["486"]


# --- what the layer answers by itself


def test_above_the_limit_a_new_invite_gets_503_without_a_transaction() -> None:
    ours = layer(limit=2)
    for number in range(3):
        arrive(ours, "INVITE", f"z9hG4bK{number}")
    assert len(events(ours)) == 2
    (refusal,) = sent(ours)
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.headers.get("Retry-After")) == (503, "5")
    assert refusal.to_tag
    arrive(ours, "INVITE", "z9hG4bK2")
    assert bytes(sent(ours)[0]) == bytes(refusal)
    arrive(ours, "ACK", "z9hG4bK2")
    assert sent(ours) == []
    arrive(ours, "OPTIONS", "z9hG4bKo1")
    arrive(ours, "OPTIONS", "z9hG4bKo2")
    assert sent(ours) == []
    arrive(ours, "OPTIONS", "z9hG4bKo3")
    assert _word(sent(ours)[0]) == "503"
    assert (len(ours.servers), ours.shed) == (4, 3)


def test_while_it_is_overloaded_new_calls_get_503_and_nothing_else_does() -> None:
    ours = layer()
    arrive(ours, "INVITE", "z9hG4bK1")
    known = only_request(ours)
    ours.respond(known.transaction, respond(known.request, 180, to_tag="t"), 0.0)
    sent(ours)
    ours.overloaded = 2
    arrive(ours, "INVITE", "z9hG4bK2")
    (refusal,) = sent(ours)
    assert (refusal.status, refusal.headers.get("Retry-After")) == (503, "2")
    arrive(ours, "INVITE", "z9hG4bK1")  # again
    assert _word(sent(ours)[0]) == "180"
    arrive(ours, "INVITE", "z9hG4bK3", to_tag="t")  # within a call
    arrive(ours, "OPTIONS", "z9hG4bK4")
    assert [event.request.method for event in events(ours)] == ["INVITE", "OPTIONS"]
    assert (sent(ours), ours.shed) == ([], 1)
    ours.overloaded = 0
    arrive(ours, "INVITE", "z9hG4bK2")
    assert len(events(ours)) == 1


def test_strangers_get_403_and_their_acks_and_rubbish_nothing() -> None:
    ours = layer(strangers=("192.0.2.66",))
    arrive(ours, "INVITE", source=Address("192.0.2.66", 5060))
    arrive(ours, "ACK", source=Address("192.0.2.66", 5060))
    ours.receive(b"INVITE x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n", Address("192.0.2.66", 5060), 0.0)
    assert [_word(message) for message in sent(ours)] == ["403"]
    assert events(ours) == []
    assert ours.servers == {}
    assert (ours.strangers.requests, ours.malformed) == (1, 1)


def test_malformed_requests_are_answered_and_nothing_else_happens() -> None:
    ours = layer()
    data = arrive(ours, "OPTIONS")
    events(ours)
    ours.receive(data.replace(b"1 OPTIONS", b"1 BYE"), PEER, 0.0)
    ours.receive(b"\xff\x00 rubbish", PEER, 0.0)
    ours.receive(b"\r\n\r\n", PEER, 0.0)
    (refusal,) = sent(ours)
    assert isinstance(refusal, Response)
    assert refusal.status == 400
    assert "CSeq of BYE" in refusal.headers.get("Warning")
    assert events(ours) == []


# --- a bad network


@given(st.integers(0, 2**32), st.floats(0, 0.6), st.sampled_from([180, 200, 302, 404, 486, 603]))
@settings(max_examples=120, deadline=None)
def test_whatever_the_network_does_every_transaction_ends(seed: int, loss: float, status: int) -> None:
    rng = random.Random(seed)
    ends = {US: layer(US, seed + 1), PEER: layer(PEER, seed + 2)}
    wires: list[tuple[float, int, Address, Address, bytes]] = []
    delivered: list[str] = []
    finals: dict[ClientTransaction, int] = {}
    clients = [ask(ends[US], rng.choice(["INVITE", "OPTIONS", "BYE"])) for _ in range(4)]
    now, serial, quiet_from = 0.0, 0, 0.0
    while True:
        for address, end in ends.items():
            for event in events(end):
                match event:
                    case RequestReceived(transaction, request):
                        delivered.append(request.via.branch)
                        if rng.random() < 0.5:
                            end.respond(transaction, respond(request, 100), now)
                        final = max(status, 200)
                        if request.method == "INVITE" and status == 180:
                            end.respond(transaction, respond(request, 180, to_tag="t"), now)
                        end.respond(transaction, respond(request, final, to_tag="t"), now)
                    case ResponseReceived(transaction, response):
                        if response.status >= 200:
                            finals[transaction] = finals.get(transaction, 0) + 1
                    case TransactionFailed(ClientTransaction() as transaction):
                        finals[transaction] = finals.get(transaction, 0) + 1
                    case _:
                        pass
            for datagram in end.datagrams():
                for _ in range(rng.choice([1, 1, 2])):
                    if rng.random() >= loss:
                        serial += 1
                        delay = rng.choice([0.01, 0.2, 1.5])
                        heapq.heappush(wires, (now + delay, serial, address, datagram.address, datagram.data))
        times = [
            t
            for t in (wires[0][0] if wires else None, *(e.deadline() for e in ends.values()))
            if t is not None
        ]
        if not times:
            break
        now = max(now, min(times))
        if wires and wires[0][0] <= now:
            _, _, source, target, data = heapq.heappop(wires)
            ends[target].receive(data, source, now)
        for end in ends.values():
            end.tick(now)
        quiet_from = now
    assert quiet_from < 4 * LIFETIME
    for client in list(ends[US].clients.values()):
        # an INVITE that rang and whose final response was lost for good: its user's to give up
        assert client.state is State.PROCEEDING and client.request.method == "INVITE"
        ends[US].abandon(client)
    assert len(delivered) == len(set(delivered)) or loss > 0  # a copy may outlive timer I of its transaction
    for end in ends.values():
        assert (end.clients, end.servers, len(end.timers)) == ({}, {}, 0)
    for client in clients:
        assert client.state is State.TERMINATED
        if finals.get(client, 0) > 1:
            assert client.request.method == "INVITE" and 200 <= max(status, 200) < 300
