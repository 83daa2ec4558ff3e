"""One connection over a transport that only notes what it is asked."""

from __future__ import annotations

import asyncio

import pytest

from gateway.outbound.webhook.connection import ANSWER_OCTETS, BODY_SECONDS, Connection, Exchange

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.unsent = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Bench:
    """A connection, its owner, and what became of its exchanges."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.connection = Connection(self)
        self.connection.connection_made(self.wire)
        self.outcomes: list[tuple[int, str]] = []
        self.freed = self.gone = 0
        self.repeated: list[Exchange] = []

    def free(self, connection: Connection) -> None:
        self.freed += 1

    def lost(self, connection: Connection) -> None:
        self.gone += 1

    def repeat(self, exchange: Exchange) -> None:
        self.repeated.append(exchange)

    def ask(self, request: bytes = b"POST") -> Exchange:
        exchange = Exchange(request, lambda status, reason: self.outcomes.append((status, reason)), 1e12)
        self.connection.ask(exchange)
        return exchange

    def answer(self, *data: bytes) -> None:
        for some in data:
            self.connection.data_received(some)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


# What is complete by itself, and whether the connection is worth keeping
ANSWERS: dict[str, tuple[bytes, int, bool]] = {
    "with a body": (OK, 200, True),
    "without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
    "not modified, with a length and no body": (b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", 304, True),
    "chunked": (b"HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 202, True),
    "chunked with a trailer": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\nA: b\r\n\r\n",
        200,
        True,
    ),
    "after an interim one": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, True),
    "after many": (b"HTTP/1.1 102 X\r\nA: b\r\n\r\n" * 9 + b"HTTP/1.1 103 X\r\n\r\n" + OK, 200, True),
    "a refusal": (b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 503, True),
    "a redirect": (b"HTTP/1.1 301 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 301, True),
    "closing": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, False),
    "HTTP/1.0 kept": (b"HTTP/1.0 200 X\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, True),
    "without a reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, True),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("octetwise", [False, True])
async def test_an_answer_gives_its_status_and_the_connection_is_kept_if_it_may_be(
    name: str, octetwise: bool, bench: Bench
) -> None:
    answer, status, kept = ANSWERS[name]
    for turn in range(2 if kept else 1):
        bench.ask()
        bench.answer(*([answer[i : i + 1] for i in range(len(answer))] if octetwise else [answer]))
        assert bench.outcomes == [(status, "")] * (turn + 1)
    assert bench.wire.closed is not kept
    assert bench.connection.usable is kept
    assert bench.freed == (2 if kept else 0)


async def test_a_body_that_ends_with_the_connection_counts_when_that_ends(bench: Bench) -> None:
    bench.ask()
    bench.answer(b"HTTP/1.1 200 OK\r\n\r\n", b"some")
    assert bench.outcomes == []
    bench.connection.connection_lost(None)
    assert (bench.outcomes, bench.gone) == ([(200, "")], 1)


async def test_a_status_counts_even_if_the_body_is_cut_off(bench: Bench) -> None:
    bench.ask()
    bench.answer(b"HTTP/1.1 500 X\r\nContent-Length: 1000\r\n\r\nsome")
    bench.connection.connection_lost(ConnectionResetError(104, "reset"))
    assert bench.outcomes == [(500, "")]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x00\x02",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA\x00: b\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_a_fault_and_ends_the_connection(answer: bytes, bench: Bench) -> None:
    bench.ask()
    bench.answer(answer)
    [(status, reason)] = bench.outcomes
    assert status == 0 and reason.startswith("the answer ")
    assert bench.wire.closed and not bench.freed


async def test_more_than_was_asked_for_ends_the_connection_but_not_the_answer(bench: Bench) -> None:
    for extra in (OK, b"garbage", b"H"):
        bench.ask()
        bench.answer(OK + extra)
        assert bench.outcomes.pop() == (200, "")
        assert bench.wire.closed and not bench.freed
        bench.__init__()  # type: ignore[misc]


async def test_what_is_said_unasked_ends_the_connection(bench: Bench) -> None:
    bench.ask()
    bench.answer(OK)
    bench.answer(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
    assert bench.wire.closed and not bench.connection.usable
    assert bench.outcomes == [(200, "")]


async def test_an_endless_body_is_cut_and_the_status_counts(bench: Bench) -> None:
    bench.ask()
    bench.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    fed = 0
    while not bench.outcomes:
        bench.answer(b"x" * 4096)
        fed += 4096
    assert bench.outcomes == [(200, "")] and fed <= ANSWER_OCTETS + 4096
    assert bench.wire.closed


@pytest.mark.parametrize("endless", [b"X-Pad: " + b"x" * 1000 + b"\r\n", b"x" * 1000])
async def test_an_endless_head_is_cut(endless: bytes, bench: Bench) -> None:
    bench.ask()
    bench.answer(b"HTTP/1.1 200 OK\r\nA: ")
    while not bench.outcomes:
        bench.answer(endless)
    [(status, reason)] = bench.outcomes
    assert status == 0 and "head" in reason
    assert bench.wire.closed


async def test_endless_interim_answers_are_cut(bench: Bench) -> None:
    bench.ask()
    while not bench.outcomes:
        bench.answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)
    assert bench.outcomes[0][0] == 0
    assert bench.wire.closed


async def test_a_body_that_dribbles_is_not_waited_for(bench: Bench) -> None:
    now = asyncio.get_running_loop().time()
    bench.ask()
    bench.connection.expire(now + 1e6, 15.0, "late")
    assert bench.outcomes == []  # the deadline of the exchange is far
    bench.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na")
    bench.connection.expire(now, 15.0, "late")
    assert bench.outcomes == []
    bench.answer(b"b")
    bench.connection.expire(now + BODY_SECONDS + 10, 15.0, "late")
    assert bench.outcomes == [(200, "")] and bench.wire.closed


async def test_an_answer_that_does_not_come_is_given_up_at_the_deadline(bench: Bench) -> None:
    bench.ask().deadline = 1e12
    bench.connection.expire(1e12, 15.0, "late")
    assert bench.outcomes == [(0, "late")] and bench.wire.closed


async def test_a_connection_that_nobody_needs_is_closed(bench: Bench) -> None:
    bench.ask()
    bench.answer(OK)
    bench.connection.expire(bench.connection.idle_since + 14.9, 15.0, "late")
    assert bench.connection.usable
    bench.connection.expire(bench.connection.idle_since + 15.0, 15.0, "late")
    assert not bench.connection.usable
    assert bench.outcomes == [(200, "")]


async def test_a_kept_connection_that_was_closed_meanwhile_has_the_request_repeated_once(
    bench: Bench,
) -> None:
    bench.ask()
    bench.answer(OK)
    exchange = bench.ask()
    bench.connection.connection_lost(None)
    assert (bench.repeated, bench.gone) == ([exchange], 1)
    assert bench.outcomes == [(200, "")]
    again = Bench()
    again.ask()
    again.answer(OK)
    again.connection.ask(exchange)
    again.connection.connection_lost(None)
    assert again.repeated == []
    assert bench.outcomes[1:] == [(0, "the connection was closed before an answer")]


async def test_nothing_is_repeated_on_a_new_connection_or_once_an_answer_has_begun(bench: Bench) -> None:
    bench.ask()
    bench.connection.connection_lost(ConnectionResetError(104, "reset by peer"))
    assert bench.outcomes == [(0, "the connection was closed before an answer: [Errno 104] reset by peer")]
    begun = Bench()
    begun.ask()
    begun.answer(OK)
    begun.ask()
    begun.answer(b"H")
    begun.connection.connection_lost(None)
    assert begun.outcomes[1:] == [(0, "the connection was closed before an answer")]
    assert bench.repeated == begun.repeated == []


async def test_an_answer_to_a_request_that_has_not_left_completely_ends_the_connection(bench: Bench) -> None:
    bench.ask()
    bench.wire.unsent = 1
    bench.answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert bench.outcomes == [(413, "")] and bench.wire.closed and not bench.freed


async def test_closing_tells_nobody(bench: Bench) -> None:
    bench.ask()
    bench.connection.close()
    bench.connection.connection_lost(None)
    assert (bench.outcomes, bench.repeated, bench.gone) == ([], [], 1)
