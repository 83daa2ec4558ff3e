from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Secret, Service
from gateway.http import front as fronts
from gateway.http.auth import Keys
from gateway.http.deps import Deps
from gateway.http.front import AHEAD_OCTETS, IDLE_SECONDS, REQUEST_SECONDS, Connection, Front
from gateway.observe.metrics import Metrics
from gateway.outbound.accept import SendRequest
from gateway.outbound.pipeline import Submitted
from gateway.values.errors import StoreError, Throttled
from gateway.values.message import Message, StepPlan, StepRecord

if TYPE_CHECKING:
    from conftest import Api


def request(text: str = "Hi", path: str = "/v2/messages", *, more: str = "", key: str = "one") -> bytes:
    body = b'{"to":"+447700900123","text":"%s"}' % text.encode()
    if path.endswith("batch"):
        body = b'{"messages":[%s,%s]}' % (body, body)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nkey: {key}\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Wire:
    """A client's end of a transport, and aiohttp: what either is given."""

    def __init__(self) -> None:
        self.sent = b""
        self.aiohttp = b""
        self.calls: list[str] = []
        self.closed = False
        self.paused = False

    # asyncio.Transport
    def get_extra_info(self, name: str) -> None:
        return None

    def write(self, octets: bytes) -> None:
        assert not self.closed
        self.sent += octets

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        assert not self.closed and not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert not self.closed and self.paused
        self.paused = False

    def close(self) -> None:
        self.calls.append("close")
        self.closed = True

    def abort(self) -> None:
        self.calls.append("abort")
        self.closed = True

    def set_protocol(self, protocol: object) -> None:
        assert protocol is self
        self.calls.append("set_protocol")

    # aiohttp's protocol
    def connection_made(self, transport: object) -> None:
        assert transport is self and not self.paused
        self.calls.append("connection_made")

    def data_received(self, octets: bytes) -> None:
        self.aiohttp += octets

    def answers(self) -> list[tuple[int, Any]]:
        """Status and body of each answer."""
        found, rest = [], self.sent
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:])
            length = int(fields["Content-Length"])
            found.append((int(lines[0].split()[1]), msgspec.json.decode(rest[:length])))
            rest = rest[length:]
        return found


class Bench:
    """A front whose store is the test: `pending` are the commits under way."""

    def __init__(self) -> None:
        self.pending: list[Callable[[Exception | None], None]] = []
        self.accepted: list[str] = []  # texts
        self.at_once = False
        self.refusal: Exception | None = None
        self.services = {"s": Service(name="S", key=Secret("one"), assets=["12345"])}
        self.metrics = Metrics()
        deps = Deps(
            submit_soon=self.submit_soon,
            store=cast(Any, None),
            services=self.services,
            clock=cast(Any, None),
            consents=cast(Any, None),
            customers=cast(Any, None),
            offences=cast(Any, None),
            events=cast(Any, None),
            devices=cast(Any, None),
            apps=cast(Any, None),
            dialler=cast(Any, None),
            app_texts=cast(Any, None),
            message=cast(Any, None),
            segments=lambda text, bind: 1,
            preview=cast(Any, None),
            carriers=list,
            health=list,
            metrics=self.metrics,
            accepting=cast(Any, None),
            otps=cast(Any, None),
            links=cast(Any, None),
        )
        self.wires: list[Wire] = []
        self.front = Front(deps, Keys(self.services), lambda: cast(asyncio.Protocol, self.wires[-1]))

    def submit_soon(self, requests: Sequence[SendRequest], done: Submitted) -> None:
        if self.refusal is not None:
            raise self.refusal

        def settle(error: Exception | None) -> None:
            self.accepted += [] if error else [request.text for request in requests]
            done(error or [message(request) for request in requests])

        if self.at_once:
            settle(None)
        else:
            self.pending.append(settle)

    def connect(self) -> tuple[Connection, Wire]:
        wire, connection = Wire(), self.front()
        self.wires.append(wire)
        connection.connection_made(cast(asyncio.BaseTransport, wire))
        return connection, wire

    def commit(self, error: Exception | None = None) -> None:
        self.pending.pop(0)(error)

    def count(self, name: str) -> float:
        lines = self.metrics.text().decode().splitlines()
        [value] = [line.rsplit(" ", 1)[1] for line in lines if line.startswith(f"trunkline_{name}")]
        return float(value)


def message(request: SendRequest) -> Message:
    return Message(
        id=request.text,
        direction="mt",
        service=request.service,
        sender="12345",
        recipient=request.to,
        plan=(StepPlan(channel="sms", text=request.text),),
        steps=(StepRecord(),),
        created_at=1.0,
        updated_at=1.0,
    )


@pytest.fixture
async def bench() -> Bench:
    return Bench()


# one request after the other


async def test_answer_comes_after_the_commit(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request())
    assert wire.sent == b""
    bench.commit()
    [(status, body)] = wire.answers()
    assert (status, body["id"], body["to"]) == (202, "Hi", "+447700900123")
    connection.data_received(request("again"))
    bench.commit()
    assert [body["id"] for _, body in wire.answers()] == ["Hi", "again"]
    assert wire.calls == []


async def test_request_may_be_cut_anywhere(bench: Bench) -> None:
    bench.at_once = True
    octets = request()
    for at in range(1, len(octets)):
        connection, wire = bench.connect()
        connection.data_received(octets[:at])
        assert wire.sent == b""
        connection.data_received(octets[at:])
        assert [status for status, _ in wire.answers()] == [202]
        assert wire.calls == []


async def test_request_may_come_octet_by_octet(bench: Bench) -> None:
    bench.at_once = True
    connection, wire = bench.connect()
    for octet in request() + request("two", "/v2/messages/batch"):
        connection.data_received(bytes((octet,)))
    assert [status for status, _ in wire.answers()] == [202, 202]
    assert bench.accepted == ["Hi", "two", "two"]


async def test_a_thousand_requests_in_one_segment_are_answered_in_order(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(b"".join(request(str(n)) for n in range(1000)))
    assert wire.paused
    for _ in range(1000):
        assert len(bench.pending) == 1
        bench.commit()
    assert [body["id"] for _, body in wire.answers()] == [str(n) for n in range(1000)]
    assert not wire.paused


async def test_a_thousand_wrong_requests_in_one_segment_leave_others_their_turn(bench: Bench) -> None:
    bench.at_once = True
    connection, wire = bench.connect()
    connection.data_received(request("").replace(b'"text"', b'"test"') * 1000)
    assert wire.paused and len(wire.answers()) < 100
    other, quick = bench.connect()
    other.data_received(request())
    assert len(quick.answers()) == 1
    for _ in range(1000):
        await asyncio.sleep(0)
    assert {(status, body["code"]) for status, body in wire.answers()} == {(400, "unknown_field")}
    assert len(wire.answers()) == 1000
    assert not wire.paused


async def test_client_that_leaves_between_two_turns_is_forgotten(bench: Bench) -> None:
    bench.at_once = True
    connection, _ = bench.connect()
    connection.data_received(request() * 100)
    assert connection.eof_received()
    before = len(bench.accepted)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    assert len(bench.accepted) == before < 100


async def test_what_is_sent_ahead_is_bounded(bench: Bench) -> None:
    connection, wire = bench.connect()
    big = request("x" * AHEAD_OCTETS)
    connection.data_received(request())
    connection.data_received(big[:AHEAD_OCTETS])
    assert not wire.paused
    connection.data_received(big[AHEAD_OCTETS:])
    assert wire.paused
    bench.commit()
    assert not wire.paused
    bench.commit()
    assert len(wire.answers()) == 2


async def test_client_that_takes_no_answers_gets_no_further_request_accepted(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request("one"))
    connection.pause_writing()
    bench.commit()
    connection.data_received(request("two") * 2000)
    assert (bench.pending, wire.paused) == ([], True)
    connection.resume_writing()
    assert len(bench.pending) == 1
    bench.commit()
    assert len(wire.answers()) == 2


async def test_body_larger_than_what_may_be_sent_ahead_is_read(bench: Bench) -> None:
    bench.at_once = True
    connection, wire = bench.connect()
    octets = request("x" * 3 * AHEAD_OCTETS)
    for at in range(0, len(octets), 10_000):
        connection.data_received(octets[at : at + 10_000])
    assert (wire.paused, len(wire.answers())) == (False, 1)


# what goes to aiohttp


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00\x00\x00\x10\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x01",
        request(more="Transfer-Encoding: chunked\r\n"),
        request(more="Connection: close\r\n"),
        request(more="Content-Length: 5\r\n"),
        request(key="unknown"),
        request().replace(b"\r\n", b"\n"),
        b"POST /v2/messages HTTP/1.1\r\n" + b"X-Y: %s\r\n" % (b"x" * 9_000),
        b"POST /v2/messages HTTP/1.1\r\n" + b"X: 1\r\n" * 2_000,
    ],
)
async def test_what_is_not_plain_goes_to_aiohttp_whole(octets: bytes, bench: Bench) -> None:
    for chunks in ([octets], [octets[:1], octets[1:]], [octets[n : n + 1] for n in range(len(octets))]):
        connection, wire = bench.connect()
        for chunk in chunks:
            (wire if wire.calls else connection).data_received(chunk)
        assert (wire.aiohttp, wire.sent) == (octets, b"")
        assert wire.calls == ["set_protocol", "connection_made"]
        assert connection not in bench.front.connections


async def test_plain_requests_before_it_are_answered_first(bench: Bench) -> None:
    connection, wire = bench.connect()
    rest = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + request("late")
    connection.data_received(request("one") + request("two") + rest)
    bench.commit()
    assert wire.aiohttp == b""
    bench.commit()
    assert [body["id"] for _, body in wire.answers()] == ["one", "two"]
    assert wire.aiohttp == rest


async def test_reading_goes_on_for_aiohttp(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request() + b"GET / HTTP/1.1\r\n\r\n" + b"x" * AHEAD_OCTETS)
    assert wire.paused
    bench.commit()
    assert not wire.paused and wire.aiohttp.startswith(b"GET / ")


async def test_body_shorter_than_its_length_takes_from_the_next_request(bench: Bench) -> None:
    """As with any reader: where a body ends is what Content-Length says, and no request hides in it."""
    bench.at_once = True
    connection, wire = bench.connect()
    hidden = request("hidden")
    body = b'{"to":"+447700900123","text":"a"}'
    lie = request().partition(b"Content-Length")[0] + b"Content-Length: %d\r\n\r\n%s" % (
        len(body) + len(hidden),
        body,
    )
    connection.data_received(lie + hidden + request("next"))
    assert [status for status, _ in wire.answers()] == [400, 202]
    assert bench.accepted == ["next"]


async def test_body_longer_than_its_length_is_no_request(bench: Bench) -> None:
    bench.at_once = True
    connection, wire = bench.connect()
    connection.data_received(request() + b'{"to": 1}')
    assert (bench.accepted, wire.aiohttp) == (["Hi"], b'{"to": 1}')


@given(
    st.lists(
        st.sampled_from(
            [
                *(request("a"), request("b", "/v2/messages/batch"), request("c", more="X-Y: 1\r\n")),
                *(b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"\0", b"POST /v2/messages", b"{}"),
            ]
        ),
        max_size=6,
    ),
    st.lists(st.integers(0, 900), max_size=8),
    st.lists(st.integers(0, 8), max_size=12),
)
def test_no_octet_is_lost_or_read_twice(pieces: list[bytes], cuts: list[int], commits: list[int]) -> None:
    async def run() -> None:
        bench = Bench()
        connection, wire = bench.connect()
        octets = b"".join(pieces)
        places = sorted({0, len(octets), *(min(cut, len(octets)) for cut in cuts)})
        turns = iter(commits)
        for begin, end in pairwise(places):
            (wire if wire.calls else connection).data_received(octets[begin:end])
            for _ in range(next(turns, 0)):
                if bench.pending:
                    bench.commit()
        while bench.pending:
            bench.commit()
        plain = 0
        while plain < len(pieces) and pieces[plain].endswith(b"}") and pieces[plain] != b"{}":
            plain += 1
        assert [status for status, _ in wire.answers()] == [202] * plain
        rest = b"".join(pieces[plain:])
        if wire.calls:
            assert wire.aiohttp == rest
        else:
            assert b"POST /v2/messages".startswith(rest[:17]) and b"\0" not in rest

    asyncio.run(run())


# errors


async def test_errors_are_answered_and_the_connection_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    connection, wire = bench.connect()
    connection.data_received(request(""))
    connection.data_received(request("x"))
    bench.commit(StoreError("the disk is full"))
    bench.refusal = Throttled("too much", wait_seconds=1.2)
    connection.data_received(request("x"))
    bench.refusal = RuntimeError("a defect")
    connection.data_received(request("x"))
    bench.refusal = None
    connection.data_received(request("x"))
    bench.commit()
    assert [status for status, _ in wire.answers()] == [400, 503, 429, 500, 202]
    assert b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\n" in wire.sent
    assert [record.msg for record in caplog.records] == ["http.failed"]


async def test_defect_in_the_answer_is_a_500(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("gateway.http.models.accepted", broken)
    connection, wire = bench.connect()
    connection.data_received(request())
    bench.commit()
    assert [status for status, _ in wire.answers()] == [500]


async def test_requests_and_messages_are_counted(bench: Bench) -> None:
    bench.at_once = True
    connection, _ = bench.connect()
    connection.data_received(request() + request(path="/v2/messages/batch") + request(""))
    assert bench.count('http_requests_total{method="POST",route="/v2/messages",status="202"}') == 1
    assert bench.count('http_requests_total{method="POST",route="/v2/messages",status="400"}') == 1
    assert bench.count('http_requests_total{method="POST",route="/v2/messages/batch",status="202"}') == 1
    assert bench.count('messages_accepted_total{by="http",service="s"}') == 3


async def test_key_that_has_changed_is_refused_on_an_old_connection(bench: Bench) -> None:
    bench.at_once = True
    connection, wire = bench.connect()
    connection.data_received(request())
    bench.services["s"] = Service(name="S", key=Secret("two"), assets=["12345"])
    connection.data_received(request())
    assert wire.aiohttp == request()


async def test_few_heads_are_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.at_once = True
    connection, wire = bench.connect()
    monkeypatch.setattr(fronts, "_MAX_HEADS", 20)
    for n in range(30):
        connection.data_received(request(more=f"X-Request-ID: {n}\r\n"))
    connection.data_received(request(more=f"X-Y: {'y' * 2000}\r\n"))
    assert len(wire.answers()) == 31
    assert 0 < len(bench.front._heads) <= 10
    other, _ = bench.connect()
    other.data_received(request(key="unknown"))
    assert len(bench.front._heads) <= 10


# the end of a connection


async def test_client_that_leaves_early_loses_nothing_that_was_committed(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request("one") + request("two"))
    connection.connection_lost(ConnectionResetError())
    bench.commit()
    assert (bench.accepted, wire.sent, bench.pending) == (["one"], b"", [])
    assert bench.count('http_requests_total{method="POST",route="/v2/messages",status="202"}') == 1
    assert bench.front.connections == set()


async def test_connection_that_is_closing_goes_to_nobody(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request() + b"GET / HTTP/1.1\r\n\r\n" + b"x" * AHEAD_OCTETS)

    def write(octets: bytes) -> None:  # a write that fails closes a transport at once
        wire.closed = True

    wire.write = write  # type: ignore[method-assign]
    bench.commit()
    assert "set_protocol" not in wire.calls
    assert (bench.pending, connection._held) == ([], b"")


async def test_client_that_says_no_more_still_gets_its_answers(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request("one") + request("two"))
    assert connection.eof_received()
    bench.commit()
    bench.commit()
    assert len(wire.answers()) == 2
    assert wire.calls == ["close"]


@pytest.mark.parametrize("octets", [b"", request()[:-1], request()[:30]])
async def test_client_that_says_no_more_in_the_middle_is_closed(octets: bytes, bench: Bench) -> None:
    connection, wire = bench.connect()
    if octets:
        connection.data_received(octets)
    assert not connection.eof_received()
    assert (wire.calls, wire.sent) == (["close"], b"")


async def test_idle_connection_is_closed_in_the_end(bench: Bench) -> None:
    _, wire = bench.connect()
    now = asyncio.get_running_loop().time()
    bench.front.sweep(now + IDLE_SECONDS - 1)
    assert wire.calls == []
    bench.front.sweep(now + IDLE_SECONDS + 1)
    assert (wire.calls, wire.sent) == (["close"], b"")


@pytest.mark.parametrize("octets", [b"P", request()[:100], request().partition(b"{")[0], request()[:-1]])
async def test_request_that_does_not_come_to_its_end_is_408(octets: bytes, bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(octets)
    now = asyncio.get_running_loop().time()
    bench.front.sweep(now + REQUEST_SECONDS - 1)
    assert wire.calls == []
    bench.front.sweep(now + REQUEST_SECONDS + 1)
    [(status, body)] = wire.answers()
    assert (status, body["code"], wire.calls) == (408, "timeout", ["close"])
    assert b"\r\nConnection: close\r\n" in wire.sent
    assert bench.count("http_requests_total{") == 1


async def test_request_under_way_is_not_late(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request())
    bench.front.sweep(asyncio.get_running_loop().time() + 10 * IDLE_SECONDS)
    assert wire.calls == []
    bench.commit()
    assert len(wire.answers()) == 1


async def test_client_that_never_takes_its_answers_is_cut_off(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.pause_writing()
    bench.front.sweep(asyncio.get_running_loop().time() + REQUEST_SECONDS - 1)
    assert wire.calls == []
    bench.front.sweep(asyncio.get_running_loop().time() + REQUEST_SECONDS + 1)
    assert wire.calls == ["abort"]


async def test_connections_are_looked_after_from_the_start_on(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection._since -= IDLE_SECONDS + 1
    bench.front.start()
    await bench.front.stop(0.0)
    assert wire.calls[0] == "close"


async def test_stop_closes_the_idle_and_lets_the_busy_finish(bench: Bench) -> None:
    (_, idle), (busy, answered), (half, partial) = bench.connect(), bench.connect(), bench.connect()
    busy.data_received(request("one") + request("two"))
    half.data_received(request("three")[:-1])
    stopping = asyncio.create_task(bench.front.stop(60.0))
    await asyncio.sleep(0)
    assert (idle.calls, answered.calls, partial.calls) == (["close"], [], [])
    half.data_received(request("three")[-1:])
    bench.commit()
    bench.commit()
    assert bench.pending == []
    for wire in (answered, partial):
        assert wire.calls == ["close"]
        assert [status for status, _ in wire.answers()] == [202]
        assert b"\r\nConnection: close\r\n" in wire.sent
    for connection in list(bench.front.connections):
        connection.connection_lost(None)
    await stopping
    _, wire = bench.connect()
    assert wire.calls == ["close"]


async def test_stop_waits_no_longer_than_it_may(bench: Bench) -> None:
    connection, wire = bench.connect()
    connection.data_received(request())
    await bench.front.stop(0.001)
    assert wire.calls == ["abort"]
    bench.commit()
    assert wire.sent == b""


# beside aiohttp, over real sockets


async def exchange(port: int, octets: bytes) -> bytes:
    """The one answer to a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length
    body = await reader.readexactly(int(length[1]))
    writer.close()
    await writer.wait_closed()
    return head + body


def raw(body: bytes, path: str = "/v2/messages", **changed: str) -> bytes:
    fields = {"Host": "x", "key": "alerts-key", "Content-Type": "application/json"} | changed
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


HELLO = b'{"to": "+447700900123", "text": "Hello"}'
SAME = {
    "accepted": raw(HELLO),
    "batch": raw(b'{"messages": [%s, %s]}' % (HELLO, HELLO), "/v2/messages/batch"),
    "batch with a bad one": raw(b'{"messages": [%s, {}, 5]}' % HELLO, "/v2/messages/batch"),
    "batch of bad ones": raw(b'{"messages": [{"to": "?", "text": "x"}, {}]}', "/v2/messages/batch"),
    "empty batch": raw(b'{"messages": []}', "/v2/messages/batch"),
    "no batch": raw(b"[]", "/v2/messages/batch"),
    "no json": raw(b"nonsense"),
    "cut off": raw(HELLO[:-1]),
    "no utf-8": raw(b'{"to": "\xff"}'),
    "unknown field": raw(b'{"to": "+447700900123", "test": "Hello"}'),
    "bad number": raw(b'{"to": "?", "text": "Hello"}'),
    "foreign sender": raw(b'{"to": "+447700900123", "text": "x", "from": "PIZZA"}'),
    "chain": raw(b'{"to": "+447700900123", "chain": "alert", "variables": {"name": "\xc3\x89va"}}'),
    "suspended": raw(HELLO, key="off-key"),
    "wrong key": raw(HELLO, key="wrong"),
    "no key": raw(HELLO, key=""),
    "another type": raw(HELLO, **{"Content-Type": "text/plain"}),
    "type with a parameter": raw(HELLO, **{"Content-Type": "application/json; charset=utf-8"}),
    "no body": raw(b""),
    "too large": raw(b" " * 262_145),
}


async def same(api: Api, octets: bytes) -> bytes:
    """The answer, which is the same from both up to the id and the time; the second is told apart by TE."""
    answers = []
    for sent in (octets, octets.replace(b"Host: x\r\n", b"Host: x\r\nTE: trailers\r\n")):
        answer = await exchange(api.server.port, sent)
        answer = re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", b"ID", answer)
        answers.append(re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", b"Date: NOW", answer))
    assert answers[0] == answers[1]
    assert answers[0].count(b"Date: NOW") == 1
    return answers[0]


@pytest.mark.parametrize("name", SAME)
async def test_answer_is_octet_for_octet_that_of_aiohttp(name: str, api: Api) -> None:
    await same(api, SAME[name])


async def test_refusals_are_octet_for_octet_those_of_aiohttp(api: Api) -> None:
    api.store.crowded = True
    assert (await same(api, raw(HELLO))).startswith(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\n")
    assert b" 429 " in await same(api, SAME["batch"])
    api.store.crowded, api.store.full = False, True
    assert (await same(api, raw(HELLO))).startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: ")
    assert b" 503 " in await same(api, SAME["batch with a bad one"])


async def test_what_clients_send_is_plain(api: Api) -> None:
    """aiohttp's client for one; the tests of http.messages take both ways because of that."""
    for _ in range(3):
        status, *_ = await api.post("/v2/messages", msgspec.Raw(HELLO))
        assert status == 202
    await api.post("/v2/messages/batch", {"messages": [msgspec.Raw(HELLO)]})
    assert api.server._runner.server is not None
    assert api.server._runner.server.requests_count == 0


async def test_both_count_the_same(api: Api) -> None:
    await same(api, SAME["accepted"])
    await same(api, SAME["batch with a bad one"])
    await same(api, SAME["bad number"])
    counted = api.metrics.text().decode()
    for line in (
        'trunkline_http_requests_total{method="POST",route="/v2/messages",status="202"} 2.0',
        'trunkline_http_requests_total{method="POST",route="/v2/messages",status="400"} 2.0',
        'trunkline_http_requests_total{method="POST",route="/v2/messages/batch",status="202"} 2.0',
        'trunkline_messages_accepted_total{by="http",service="alerts"} 4.0',
    ):
        assert line in counted


async def test_one_connection_serves_both_kinds_of_request(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    other = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(raw(HELLO) + raw(HELLO) + other + raw(HELLO) + other)
    statuses = []
    for _ in range(5):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        statuses.append(int(head.split()[1]))
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length
        await reader.readexactly(int(length[1]))
    assert statuses == [202, 202, 200, 202, 200]
    writer.close()
    await writer.wait_closed()
    assert len(api.channel.sent) == 3


async def test_fifty_requests_in_one_segment_are_all_durable(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    writer.write(b"".join(raw(HELLO.replace(b"Hello", b"%d" % n)) for n in range(50)))
    writer.write_eof()
    answers = await asyncio.wait_for(reader.read(), 30)
    assert answers.count(b"HTTP/1.1 202 Accepted\r\n") == 50
    ids = re.findall(rb'"id":"([^"]+)"', answers)
    assert [id.decode() for id in ids] == api.channel.sent
    stored = [await api.store.message(id) for id in api.channel.sent]
    assert [message and message.text for message in stored] == [str(n) for n in range(50)]
    writer.close()
    await writer.wait_closed()


async def test_connections_that_go_at_once_leave_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    for octets in (b"", b"P", raw(HELLO)[:50], raw(HELLO)[:-1], b"\0", b"GET / HT"):
        with socket.create_connection(("127.0.0.1", api.server.port)) as client:
            client.send(octets)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with RST
    await exchange(api.server.port, raw(HELLO))
    async with asyncio.timeout(30):
        while api.server._front.connections:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.001)
    assert [record.msg for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_answers_are_not_delayed_by_nagle(api: Api) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", api.server.port)
    writer.write(raw(HELLO)[:20])
    async with asyncio.timeout(30):
        while not api.server._front.connections:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.001)
    [connection] = api.server._front.connections
    server_socket = connection._transport.get_extra_info("socket")
    assert server_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert server_socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    writer.close()
    await writer.wait_closed()
