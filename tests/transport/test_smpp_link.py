"""The shell around a session: when it reads, when its timers count, and client and server back to back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config.model import Account, Bind, Listen, Seconds, Secret
from gateway.protocol.smpp.codec import Framer, decode
from gateway.protocol.smpp.constants import ESME_ROK, ESME_RSYSERR, ESME_RX_T_APPN
from gateway.protocol.smpp.events import BindRequested, Event, Requested
from gateway.protocol.smpp.pdu import BindTransmitter, Request, Response, SubmitSm, SubmitSmResp
from gateway.protocol.smpp.session import SmppSession
from gateway.protocol.smpp.states import Role
from gateway.transport import smpp_link
from gateway.transport.smpp_client import BindGroup, Inbound
from gateway.transport.smpp_link import Answer, Respond, SmppLink
from gateway.transport.smpp_server import SmppServer
from gateway.transport.smpp_submission import Submission, SubmitResult
from tests.peers.callbacks import answering


class Wire(asyncio.Transport):
    """What a link sees of a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.closing = False
        self.aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.7", 4711) if name == "peername" else default

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Slow:
    """An SMSC's link that answers each request when `gate` opens."""

    def __init__(self, pending_limit: int) -> None:
        loop = asyncio.get_running_loop()
        session = SmppSession(Role.SMSC, now=loop.time(), enquire_link=0.05, response_timeout=0.05)
        self.gate = asyncio.Event()
        self.wire = Wire()
        self.link = SmppLink(
            session, "slow", self.handle, lambda link: None, lambda link: None, pending_limit=pending_limit
        )
        self.link.connection_made(self.wire)
        self.link.data_received(BindTransmitter().encode(1))

    def handle(self, link: SmppLink, event: Event) -> None:
        match event:
            case BindRequested(pdu=request):
                link.session.answer_bind(request, ESME_ROK)
            case Requested(pdu=request):
                link.ask(request, answering(self.answer), ESME_RX_T_APPN)

    async def answer(self) -> Answer:
        await self.gate.wait()
        return ESME_ROK, "id"


async def test_one_read_gives_one_write() -> None:
    slow = Slow(100)
    slow.wire.written.clear()
    slow.gate.set()
    slow.link.data_received(b"".join(SubmitSm().encode(number) for number in range(1, 51)))
    await slow.link.finish()
    await asyncio.sleep(0)
    assert len(slow.wire.written) == 1
    assert len(slow.wire.written[0]) == 50 * 19
    slow.link.connection_lost(None)


async def test_a_peer_that_asks_too_much_waits_and_is_not_blamed_for_it() -> None:
    slow = Slow(4)
    slow.link.data_received(b"".join(SubmitSm().encode(number) for number in range(1, 5)))
    assert not slow.wire.reading
    await asyncio.sleep(0.15)  # longer than enquire_link and its answer may take
    assert not slow.link.session.closed
    slow.gate.set()
    await slow.link.finish()
    assert slow.wire.reading
    slow.link.connection_lost(None)
    await asyncio.wait_for(slow.link.gone.wait(), 30)


class Prompt:
    """An SMSC's link whose requests are answered as `ask` says."""

    def __init__(self, ask: Callable[[Respond], None]) -> None:
        self.ask = ask
        self.answered = 0
        self.wire = Wire()
        session = SmppSession(Role.SMSC, now=asyncio.get_running_loop().time())
        self.link = SmppLink(session, "prompt", self.handle, lambda link: None, lambda link: None)
        self.link.connection_made(self.wire)
        self.link.data_received(BindTransmitter().encode(1))
        self.wire.written.clear()

    def handle(self, link: SmppLink, event: Event) -> None:
        match event:
            case BindRequested(pdu=request):
                link.session.answer_bind(request, ESME_ROK)
            case Requested(pdu=request):
                link.ask(request, self.ask, ESME_RX_T_APPN, self.count)

    def count(self) -> None:
        self.answered += 1

    def answers(self) -> list[Response]:
        octets = b"".join(self.wire.written)
        self.wire.written.clear()
        answers = []
        for frame in Framer().feed(octets):
            answer = decode(frame)
            assert isinstance(answer, Response)
            answers.append(answer)
        return answers


async def test_what_is_known_at_once_is_answered_in_the_same_turn() -> None:
    prompt = Prompt(lambda respond: respond((ESME_ROK, "id")))
    prompt.link.data_received(b"".join(SubmitSm().encode(number) for number in (5, 6)))
    assert len(prompt.wire.written) == 1
    assert prompt.answers() == [SubmitSmResp(sequence_number=n, message_id=b"id") for n in (5, 6)]
    assert prompt.answered == 2
    await prompt.link.finish()


@pytest.mark.parametrize(
    "answer", [ESME_RSYSERR, (ESME_RSYSERR, ""), SubmitSmResp(command_status=ESME_RSYSERR)]
)
async def test_a_status_alone_or_a_whole_response_is_an_answer(answer: Answer) -> None:
    prompt = Prompt(lambda respond: respond(answer))
    prompt.link.data_received(SubmitSm().encode(5))
    [said] = prompt.answers()
    assert (said.sequence_number, said.command_status) == (5, ESME_RSYSERR)


def raises(respond: Respond) -> None:
    raise OSError("broken")


@pytest.mark.parametrize(
    "ask",
    [raises, lambda respond: respond(OSError("broken")), lambda respond: respond((ESME_ROK, "i" * 65))],
)
async def test_a_fault_of_ours_is_answered_with_its_status_and_logged(
    ask: Callable[[Respond], None], caplog: pytest.LogCaptureFixture
) -> None:
    prompt = Prompt(ask)
    prompt.link.data_received(SubmitSm().encode(5))
    [said] = prompt.answers()
    assert (said.sequence_number, said.command_status) == (5, ESME_RX_T_APPN)
    assert prompt.answered == 1
    [record] = caplog.records
    assert (record.message, record.__dict__["peer"]) == ("smpp.request_failed", "192.0.2.7:4711")
    assert record.exc_info is not None


def answers_and_raises(respond: Respond) -> None:
    respond((ESME_ROK, "id"))
    raise OSError("broken")


async def test_a_request_is_answered_once(caplog: pytest.LogCaptureFixture) -> None:
    prompt = Prompt(answers_and_raises)
    prompt.link.data_received(SubmitSm().encode(5))
    assert prompt.answers() == [SubmitSmResp(sequence_number=5, message_id=b"id")]
    assert prompt.answered == 1
    assert [record.message for record in caplog.records] == ["smpp.answered_twice"]
    await prompt.link.finish()


async def test_who_waits_for_the_last_answer_is_told_of_it_also_when_the_link_is_gone() -> None:
    pending: list[Respond] = []
    prompt = Prompt(pending.append)
    prompt.link.data_received(SubmitSm().encode(5))
    finished = asyncio.create_task(prompt.link.finish())
    prompt.link.connection_lost(None)
    await asyncio.sleep(0)
    assert not finished.done()
    pending[0](ESME_ROK)
    await asyncio.wait_for(finished, 30)
    assert prompt.answered == 1


async def test_a_peer_that_does_not_read_is_not_read_from() -> None:
    slow = Slow(100)
    slow.link.pause_writing()
    assert not slow.wire.reading and not slow.link.writable
    slow.link.resume_writing()
    assert slow.wire.reading and slow.link.writable
    slow.link.connection_lost(None)


async def test_a_peer_that_shuts_down_its_side_gets_its_answers_first() -> None:
    slow = Slow(100)
    slow.wire.written.clear()
    slow.link.data_received(SubmitSm().encode(2))
    assert slow.link.eof_received()  # the connection stays open
    assert not slow.wire.closing
    slow.gate.set()
    await slow.link.finish()
    await asyncio.sleep(0)
    assert [len(data) for data in slow.wire.written] == [19]
    assert slow.wire.closing
    slow.link.connection_lost(None)


async def test_a_peer_that_asked_nothing_and_shuts_down_is_closed() -> None:
    slow = Slow(100)
    assert not slow.link.eof_received()
    assert slow.wire.closing
    slow.link.connection_lost(None)


async def test_a_link_that_cannot_say_goodbye_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_link, "CLOSE_SECONDS", 0.01)
    slow = Slow(100)
    slow.link.data_received(b"GET / HTTP/1.1\r\n")
    assert slow.wire.closing and not slow.wire.aborted
    await asyncio.sleep(0.05)
    assert slow.wire.aborted
    slow.link.connection_lost(None)
    assert slow.link.reason.startswith("command_length")


async def test_malformed_pdus_are_logged_ever_less_often(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow(100)
    bad = bytes.fromhex("00000010 00000077 00000000 00000001")
    slow.link.data_received(bad * 1000)
    assert len(caplog.records) == 10
    assert {record.__dict__["peer"] for record in caplog.records} == {"192.0.2.7:4711"}
    slow.link.connection_lost(None)


class Both:
    """Our bind to our server."""

    def __init__(self) -> None:
        self.results: list[SubmitResult] = []
        self.inbound: list[Inbound] = []
        self.done = asyncio.Event()
        self.up = asyncio.Event()
        account = Account(system_id="gw", password=Secret("pw"), service="alerts", window=1000)
        self.server = SmppServer(
            Listen(address="127.0.0.1:0"),
            {"gw": account},
            on_request=answering(self.on_request),
            on_state=lambda account, sessions, reason: None,
        )

    async def on_request(self, account: str, request: Request) -> tuple[int, str]:
        assert isinstance(request, SubmitSm)
        return ESME_ROK, request.short_message.decode()

    async def hand_over(self, batch: list[Submission]) -> None:
        pass

    async def on_deliver(self, inbound: Inbound) -> int:
        self.inbound.append(inbound)
        return ESME_ROK

    def bind(self, port: int, context: ssl.SSLContext | None = None) -> BindGroup:
        return BindGroup(
            "north",
            Bind(
                host="localhost",
                port=port,
                system_id="gw",
                password=Secret("pw"),
                window=100,
                sessions=2,
                tls=context is not None,
                reconnect=Seconds(0.01),
            ),
            hand_over=self.hand_over,
            on_result=lambda submission, result: self.results.append(result),
            on_deliver=answering(self.on_deliver),
            on_state=lambda name, up, reason: self.up.set() if up else self.up.clear(),
            ssl_context=context,
        )


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    both = Both()
    await both.server.start()
    yield both
    await both.server.stop(1)


async def _traffic(both: Both, group: BindGroup) -> None:
    group.start()
    texts = [str(number) for number in range(1000)]
    waiting = set(texts)

    def done(submission: Submission) -> None:
        waiting.remove(submission.ref)  # type: ignore[arg-type]
        if not waiting:
            both.done.set()

    for text in texts:
        assert group.enqueue(Submission(text, [SubmitSm(short_message=text.encode())], done))
    await asyncio.wait_for(both.done.wait(), 30)
    assert {result.kind for result in both.results} == {"accepted"}
    assert sorted(result.message_id for result in both.results) == sorted(texts)
    assert await group.stop(1) == []


async def test_a_thousand_messages_from_our_bind_to_our_server(both: Both) -> None:
    await _traffic(both, both.bind(both.server.port))


async def test_a_bind_over_tls(both: Both) -> None:
    """TLS ends in a proxy of the test's own, since the server speaks it not."""
    files = Path(__file__).parent
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(files / "localhost.crt", files / "localhost.key")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection("127.0.0.1", both.server.port)
        await asyncio.gather(copy(reader, back), copy(to, writer))

    server = await asyncio.start_server(proxy, "localhost", 0, ssl=there)
    async with server:
        context = ssl.create_default_context(cafile=str(files / "localhost.crt"))
        await _traffic(both, both.bind(server.sockets[0].getsockname()[1], context))


async def test_a_certificate_that_is_not_trusted_is_a_reason(both: Both) -> None:
    files = Path(__file__).parent
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(files / "localhost.crt", files / "localhost.key")
    tried = asyncio.Event()

    class Chance:
        def random(self) -> float:
            tried.set()
            return 0.0

    server = await asyncio.start_server(lambda reader, writer: None, "localhost", 0, ssl=there)
    async with server:
        group = both.bind(server.sockets[0].getsockname()[1], ssl.create_default_context())
        group._rng = Chance()  # type: ignore[assignment]
        group.start()
        await asyncio.wait_for(tried.wait(), 30)
        assert "certificate verify failed" in group.reason.lower()
        await group.stop(0)
