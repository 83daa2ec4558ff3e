"""outbind both ways: carriers that call us, and accounts that we call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace

from gateway.config.model import Account, Bind, Listen, Seconds, Secret
from gateway.protocol.smpp.constants import ESME_RINVBNDSTS, ESME_RINVPASWD, ESME_ROK
from gateway.protocol.smpp.operations import Outbind
from gateway.protocol.smpp.pdu import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    Request,
    Response,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.protocol.smpp.session import NotBound, SmppSession
from gateway.protocol.smpp.states import Role
from gateway.transport import smpp_outbind, smpp_password
from gateway.transport.smpp_account import Customer
from gateway.transport.smpp_client import BindGroup, Inbound
from gateway.transport.smpp_link import SmppLink
from gateway.transport.smpp_outbind import OutbindCaller
from gateway.transport.smpp_password import hashed
from gateway.transport.smpp_server import SmppServer
from gateway.transport.smpp_submission import Submission, SubmitResult
from tests.peers.callbacks import answering, asked
from tests.peers.raw_smpp import Raw, RawServer

CALL = Outbind(sequence_number=1, system_id=b"smsc", password=b"knock")


# a carrier calls us


class Us:
    """A bind that waits for its carrier."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "system_id": "gw",
            "password": Secret("pw"),
            "outbind": "127.0.0.1:0",
            "outbind_system_id": "smsc",
            "outbind_password": Secret("knock"),
            "mode": "receiver",
        }
        self.inbound: list[Inbound] = []
        self.states: list[tuple[bool, str]] = []
        self.raws: list[Raw] = []
        self.group = BindGroup(
            "north",
            Bind(**(defaults | options)),
            hand_over=self.hand_over,
            on_result=lambda submission, result: None,
            on_deliver=answering(self.deliver),
            on_state=lambda name, up, reason: self.states.append((up, reason)),
        )

    async def hand_over(self, batch: list[Submission]) -> None: ...

    async def deliver(self, inbound: Inbound) -> int:
        self.inbound.append(inbound)
        return ESME_ROK

    async def start(self) -> None:
        self.group.start()
        await self.heard()

    async def heard(self) -> None:
        assert self.group._outbind is not None
        while self.group._outbind._server is None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)

    async def carrier(self, *first: Request) -> Raw:
        assert self.group._outbind is not None
        raw = await Raw.connect(self.group._outbind.port, *first)
        self.raws.append(raw)
        return raw

    async def bound(self) -> Raw:
        """A carrier that has called and granted the bind."""
        carrier = await self.carrier(CALL)
        bind = await carrier.next()
        assert isinstance(bind, BindReceiver)
        await carrier.send(BindReceiverResp(sequence_number=bind.sequence_number, system_id=b"smsc"))
        return carrier

    async def stop(self) -> None:
        for raw in self.raws:
            raw.hang_up()
        await self.group.stop(0.1)


Waiter = Callable[..., Awaitable[Us]]


@pytest.fixture
async def wait() -> AsyncIterator[Waiter]:
    all_of_us: list[Us] = []

    async def waiter(**options: Any) -> Us:
        us = Us(**options)
        all_of_us.append(us)
        await us.start()
        return us

    yield waiter
    for us in all_of_us:
        await us.stop()


async def test_a_carrier_calls_and_is_bound_to_on_its_connection(wait: Waiter) -> None:
    us = await wait()
    assert (us.group.up, us.group.reason) == (False, "no outbind has come yet")
    carrier = await us.carrier(CALL)
    bind = await carrier.next()
    assert isinstance(bind, BindReceiver)
    assert (bind.system_id, bind.password) == (b"gw", b"pw")
    await carrier.send(
        BindReceiverResp(sequence_number=bind.sequence_number),
        DeliverSm(sequence_number=7, short_message=b"hi"),
    )
    assert await carrier.next() == DeliverSmResp(sequence_number=7)
    assert us.states == [(True, "bound as receiver")]
    assert [(inbound.bind, inbound.pdu.payload) for inbound in us.inbound] == [("north", b"hi")]
    await carrier.send(Unbind(sequence_number=8))
    assert await carrier.next() == UnbindResp(sequence_number=8)
    assert await carrier.next() is None
    assert us.group.reason == "peer unbound"
    assert (await us.bound()) is not None  # it may call again


async def test_messages_go_out_over_a_carriers_connection(wait: Waiter) -> None:
    us = await wait(mode="transceiver")
    carrier = await us.carrier(CALL)
    bind = await carrier.next()
    assert isinstance(bind, BindTransceiver)
    await carrier.send(BindTransceiverResp(sequence_number=bind.sequence_number))
    done = asyncio.Event()
    submission = Submission("ref", [SubmitSm(short_message=b"hello")], done=lambda _: done.set())
    assert us.group.enqueue(submission)
    submit = await carrier.next()
    assert isinstance(submit, SubmitSm)
    await carrier.send(SubmitSmResp(sequence_number=submit.sequence_number, message_id=b"id"))
    await asyncio.wait_for(done.wait(), 30)
    assert submission.results == [SubmitResult(0, "accepted", "id")]


@pytest.mark.parametrize(
    "call",
    [replace(CALL, password=b"guess"), replace(CALL, password=b""), replace(CALL, system_id=b"other")],
)
@pytest.mark.parametrize("kept", ["knock", hashed("knock")])
async def test_who_does_not_show_what_is_agreed_is_shown_out(
    wait: Waiter, call: Outbind, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    us = await wait(outbind_password=Secret(kept))
    carrier = await us.carrier(call)
    assert await carrier.next() is None
    said = [record.__dict__["reason"] for record in caplog.records if record.msg == "smpp.outbind_refused"]
    assert said == ["wrong system_id or password"]
    assert us.states == []
    assert (await us.bound()) is not None


async def test_who_keeps_guessing_is_answered_slowly(wait: Waiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_password, "FIRST_SECONDS", 0.2)
    us = await wait()
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(5):
        began = loop.time()
        assert await (await us.carrier(replace(CALL, password=b"guess"))).next() is None
        took.append(loop.time() - began)
    assert took[3] >= 0.2 and took[4] >= 0.4
    carrier = await us.carrier(CALL, CALL, CALL)  # once judged is enough
    assert isinstance(await carrier.next(), BindReceiver)  # late, but in


async def test_only_its_addresses_may_call(wait: Waiter) -> None:
    us = await wait(outbind_allow=["192.0.2.0/24"], outbind_password=Secret(""))
    assert await (await us.carrier(CALL)).next() is None
    friends = await wait(outbind_allow=["127.0.0.0/8"], outbind_password=Secret(""))
    assert isinstance(await (await friends.carrier(replace(CALL, password=b"any"))).next(), BindReceiver)


async def test_a_carrier_has_as_many_sessions_as_the_bind_may_have(wait: Waiter) -> None:
    us = await wait(sessions=2)
    first = await us.bound()
    await us.bound()
    assert await (await us.carrier(CALL)).next() is None
    await first.send(Unbind(sequence_number=2))
    assert isinstance(await first.next(), UnbindResp)
    assert await first.next() is None
    await us.bound()


async def test_who_calls_and_says_nothing_or_nonsense_is_cut(
    wait: Waiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_outbind, "OUTBIND_SECONDS", 0.1)
    us = await wait()
    silent = await us.carrier()
    halves = await us.carrier()
    halves.writer.write(CALL.encode(1)[:20])
    web = await us.carrier()
    web.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert isinstance(await web.next(), GenericNack)
    assert await web.next() is None
    assert await silent.next() is None
    assert await halves.next() is None
    busy = await us.carrier(
        EnquireLink(sequence_number=1),
        DeliverSm(sequence_number=2),
        BindTransceiver(sequence_number=3),
        SubmitSm(sequence_number=4),
    )
    for sequence_number in range(1, 5):
        answer = await busy.next()
        assert isinstance(answer, Response)
        assert (answer.sequence_number, answer.command_status) == (sequence_number, ESME_RINVBNDSTS)
    assert await busy.next() is None
    await us.bound()


async def test_a_flood_of_callers_keeps_nobody_out(wait: Waiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_outbind, "WAITING_LIMIT", 2)
    us = await wait()
    waiting = [await us.carrier() for _ in range(4)]
    for oldest in waiting[:2]:
        with pytest.raises(ConnectionError):
            assert await oldest.next() is None
            raise ConnectionError  # a clean end is as good as a reset
    await waiting[2].send(CALL)
    assert isinstance(await waiting[2].next(), BindReceiver)
    await waiting[3].send(CALL)
    assert await waiting[3].next() is None  # heard, but there is no session left


async def test_a_refused_bind_ends_the_call(wait: Waiter) -> None:
    us = await wait()
    carrier = await us.carrier(CALL)
    bind = await carrier.next()
    assert bind is not None
    await carrier.send(BindReceiverResp(sequence_number=bind.sequence_number, command_status=ESME_RINVPASWD))
    assert await carrier.next() is None
    assert us.group.reason.startswith("bind refused: ESME_RINVPASWD")
    await us.bound()


async def test_an_address_that_is_taken_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(smpp_outbind, "LISTEN_SECONDS", 0.01)
    taken = await RawServer().start()
    us = Us(outbind=f"127.0.0.1:{taken.port}")
    us.group.start()
    async with asyncio.timeout(30):
        while not any(record.msg == "smpp.outbind_unheard" for record in caplog.records):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await taken.close()
        await us.heard()
    await us.bound()
    await us.stop()


async def test_a_bind_may_do_both() -> None:
    smsc = await RawServer().start()
    us = Us(host="127.0.0.1", port=smsc.port, reconnect=Seconds(0.01))
    await us.start()
    ours = await smsc.next()
    bind = await ours.next()
    assert bind is not None
    await ours.send(BindReceiverResp(sequence_number=bind.sequence_number))
    theirs = await us.bound()
    for number, raw in ((5, ours), (6, theirs)):
        await raw.send(DeliverSm(sequence_number=number))
        assert await raw.next() == DeliverSmResp(sequence_number=number)
    assert [inbound.session for inbound in us.inbound] == [0, 1]
    assert us.states == [(True, "bound as receiver")]
    await us.stop()
    await smsc.close()


# we call an account


class Them:
    """A server with an account that waits to be called."""

    def __init__(self, port: int, **options: Any) -> None:
        account = Account(
            system_id="acme",
            password=Secret("sesame"),
            service="alerts",
            outbind=f"127.0.0.1:{port}",
            outbind_password=Secret("ours"),
            **options,
        )
        self.sessions: list[int] = []
        self.server = SmppServer(
            Listen(address="127.0.0.1:0", bind_timeout=Seconds(0.5)),
            {"acme": account, "other": replace(account, system_id="other", outbind="")},
            on_request=answering(self.request),
            on_state=lambda name, sessions, reason: self.sessions.append(sessions),
        )

    async def request(self, account: str, request: Request) -> tuple[int, str]:
        return ESME_ROK, "id"

    async def owe(self) -> None:
        with pytest.raises(NotBound):
            await asked(self.server.deliver, "acme", DeliverSm())


@pytest.fixture
async def esme() -> AsyncIterator[RawServer]:
    server = await RawServer().start()
    yield server
    await server.close()


@pytest.fixture
async def them(esme: RawServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Them]:
    monkeypatch.setattr(smpp_outbind, "FIRST_SECONDS", 0.02)
    monkeypatch.setattr(smpp_outbind, "LONGEST_SECONDS", 0.05)
    them = Them(esme.port)
    await them.server.start()
    yield them
    await them.server.stop(0.1)


async def called(esme: RawServer) -> Raw:
    peer = await esme.next()
    outbind = await peer.next()
    assert outbind == Outbind(sequence_number=1, system_id=b"trunkline", password=b"ours")
    return peer


BIND = BindReceiver(sequence_number=1, system_id=b"acme", password=b"sesame")


async def test_an_account_that_is_owed_something_is_called_and_binds(esme: RawServer, them: Them) -> None:
    await them.owe()
    await them.owe()  # one call is enough
    peer = await called(esme)
    await peer.send(BIND)
    answer = await peer.next()
    assert isinstance(answer, BindReceiverResp) and answer.command_status == ESME_ROK
    assert them.sessions == [1]
    delivery = asked(them.server.deliver, "acme", DeliverSm(short_message=b"receipt"))
    deliver = await peer.next()
    assert isinstance(deliver, DeliverSm)
    await peer.send(DeliverSmResp(sequence_number=deliver.sequence_number))
    assert await delivery == ESME_ROK
    await asyncio.sleep(0.1)
    assert esme.peers.empty()  # it is there: no further call


async def test_nobody_is_called_for_nothing(esme: RawServer, them: Them) -> None:
    with pytest.raises(NotBound):
        await asked(them.server.deliver, "other", DeliverSm())
    await asyncio.sleep(0.05)
    assert esme.peers.empty()


async def test_an_account_that_does_not_bind_is_called_again_but_not_for_ever(
    esme: RawServer, them: Them, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_outbind, "CALLS", 3)
    await them.owe()
    silent = await called(esme)
    assert await silent.next() is None  # the time to bind is over
    rude = await called(esme)
    rude.hang_up()
    transmitter = await called(esme)
    await transmitter.send(BindTransmitter(sequence_number=1, system_id=b"acme", password=b"guess"))
    answer = await transmitter.next()
    assert isinstance(answer, Response) and answer.command_status == ESME_RINVPASWD
    assert await transmitter.next() is None
    await asyncio.sleep(0.2)
    assert esme.peers.empty()
    await them.owe()  # begins anew
    await called(esme)


async def test_an_account_that_cannot_be_reached_is_tried_again(
    esme: RawServer, them: Them, caplog: pytest.LogCaptureFixture
) -> None:
    await esme.close()
    await them.owe()
    async with asyncio.timeout(30):
        while sum(record.msg == "smpp.outbind_failed" for record in caplog.records) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_account_that_comes_by_itself_is_not_called_any_more(esme: RawServer, them: Them) -> None:
    await them.owe()
    silent = await called(esme)
    peer = await Raw.connect(them.server.port, BIND)
    assert isinstance(await peer.next(), BindReceiverResp)
    assert await silent.next() is None
    await asyncio.sleep(0.1)
    assert esme.peers.empty()
    peer.hang_up()


async def test_who_binds_before_our_own_task_knows_of_the_connection_keeps_it(
    esme: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_outbind, "FIRST_SECONDS", 0.01)

    def link(customer: Customer) -> SmppLink:
        session = SmppSession(Role.SMSC, now=asyncio.get_running_loop().time())
        return SmppLink(
            session, "x", lambda link, event: None, lambda link: caller.hush(customer.name), lambda link: None
        )

    caller = OutbindCaller(link)
    customer = Customer(
        "acme", Account(system_id="a", password=Secret("p"), service="s", outbind=f"127.0.0.1:{esme.port}")
    )
    caller.call(customer)
    peer = await esme.next()
    await asyncio.sleep(0.1)
    assert esme.peers.empty()
    await peer.send(EnquireLink(sequence_number=1))
    assert isinstance(await peer.next(), Response)
    await caller.stop()


def test_both_ways_work_on_uvloop() -> None:
    async def run() -> None:
        us = Us()
        await us.start()
        assert us.group._outbind is not None
        them = Them(us.group._outbind.port, outbind_system_id="smsc")
        them.server._customers["acme"].configure(
            replace(
                them.server._customers["acme"].config,
                system_id="gw",
                password=Secret("pw"),
                outbind_password=Secret("knock"),
            )
        )
        them.server._index()
        await them.server.start()
        with pytest.raises(NotBound):
            await asked(them.server.deliver, "acme", DeliverSm())
        async with asyncio.timeout(30):
            while them.sessions != [1]:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert await asked(them.server.deliver, "acme", DeliverSm(short_message=b"x")) == ESME_ROK
        await us.stop()
        await them.server.stop(0.1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
