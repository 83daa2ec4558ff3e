"""Our server against smpplib's client, in threads, and against octets where that client is too polite."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pytest
import uvloop
from msgspec.structs import replace
from smpplib import client as smpplib_client
from smpplib import consts
from smpplib.exceptions import PDUError

from gateway.config.model import Account, Listen, Seconds, Secret
from gateway.protocol.smpp.constants import (
    ESME_RALYBND,
    ESME_RBINDFAIL,
    ESME_RINVBNDSTS,
    ESME_RINVCMDID,
    ESME_RINVCMDLEN,
    ESME_RINVDSTADR,
    ESME_RINVMSGLEN,
    ESME_RINVPASWD,
    ESME_RINVSYSID,
    ESME_RMSGQFUL,
    ESME_ROK,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
)
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.operations import (
    CancelSm,
    QuerySmResp,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
)
from gateway.protocol.smpp.pdu import (
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Request,
    Response,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.protocol.smpp.session import NotBound, WindowFull
from gateway.transport import smpp_account, smpp_password, smpp_server
from gateway.transport.smpp_account import Customer, NoAnswer
from gateway.transport.smpp_password import hashed
from gateway.transport.smpp_server import SmppServer
from tests.peers.callbacks import answering, asked
from tests.peers.raw_smpp import Raw

T = TypeVar("T")
HERE = Path(__file__).parent


class App:
    """What the daemon is to the server."""

    def __init__(self) -> None:
        self.submits: list[tuple[str, SubmitSm]] = []
        self.states: list[tuple[str, int]] = []
        self.answer: Callable[[SubmitSm], Awaitable[tuple[int, str]]] = self.accept
        self.response: tuple[int, str] | Response = (ESME_RINVCMDID, "")
        self.changed = asyncio.Event()

    async def accept(self, request: SubmitSm) -> tuple[int, str]:
        return ESME_ROK, f"id-{len(self.submits)}"

    async def on_request(self, account: str, request: Request) -> tuple[int, str] | Response:
        if not isinstance(request, SubmitSm):
            return self.response
        self.submits.append((account, request))
        self.changed.set()
        return await self.answer(request)

    def on_state(self, account: str, sessions: int, reason: str) -> None:
        self.states.append((account, sessions))
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def account(**options: Any) -> Account:
    defaults: dict[str, Any] = {"system_id": "acme", "password": Secret("sesame"), "service": "alerts"}
    return Account(**(defaults | options))


class House:
    """A server with its app, and the peers that a test makes."""

    def __init__(
        self, bind_timeout: float = 10, listen: Mapping[str, Any] = MappingProxyType({}), **options: Any
    ) -> None:
        self.app = App()
        accounts = {"acme": account(**options), "other": account(system_id="other", password=Secret("other"))}
        listening = Listen(address="127.0.0.1:0", bind_timeout=Seconds(bind_timeout), **listen)
        self.server = SmppServer(
            listening,
            accounts,
            on_request=answering(self.app.on_request),
            on_state=self.app.on_state,
            system_id="us",
        )
        self.clients: list[Any] = []
        self.raws: list[Raw] = []

    def client(self) -> Any:
        client = smpplib_client.Client(
            "127.0.0.1", self.server.port, timeout=10, allow_unknown_opt_params=True
        )
        client.connect()
        self.clients.append(client)
        return client

    def bound(self, mode: str = "transceiver", system_id: str = "acme", password: str = "sesame") -> Any:
        client = self.client()
        getattr(client, f"bind_{mode}")(system_id=system_id, password=password)
        return client

    def submit(self, client: Any, text: bytes = b"hello") -> Any:
        client.send_message(source_addr="12345", destination_addr="447700900123", short_message=text)
        return client.read_pdu()

    async def raw(self, *first: Pdu) -> Raw:
        raw = await Raw.connect(self.server.port, *first)
        self.raws.append(raw)
        return raw

    async def peer(self, *first: Pdu) -> Raw:
        """A raw peer that is bound, and has sent this after."""
        raw = await self.raw(BIND)
        assert isinstance(await raw.next(), BindTransceiverResp)
        await raw.send(*first)
        return raw

    async def stop(self) -> None:
        for client in self.clients:
            client.state = consts.SMPP_CLIENT_STATE_OPEN
            client.disconnect()
        for raw in self.raws:
            raw.hang_up()
        await self.server.stop(0.1)


BIND = BindTransceiver(sequence_number=1, system_id=b"acme", password=b"sesame")

Builder = Callable[..., Awaitable[House]]


@pytest.fixture
async def build() -> AsyncIterator[Builder]:
    houses: list[House] = []

    async def builder(**options: Any) -> House:
        house = House(**options)
        houses.append(house)
        await house.server.start()
        return house

    yield builder
    for house in houses:
        await house.stop()


async def thread(function: Callable[..., T], *args: Any) -> T:
    return await asyncio.wait_for(asyncio.to_thread(function, *args), 30)


async def test_a_customer_binds_submits_and_unbinds(build: Builder) -> None:
    house = await build()
    client = await thread(house.bound)
    answer = await thread(house.submit, client)
    assert (answer.command, answer.status, answer.message_id) == ("submit_sm_resp", ESME_ROK, b"id-1")
    ((name, request),) = house.app.submits
    assert (name, request.source_addr, request.payload) == ("acme", b"12345", b"hello")
    assert house.server.sessions("acme") == 1
    assert (await thread(client.unbind)).command == "unbind_resp"
    await house.app.until(lambda: house.app.states == [("acme", 1), ("acme", 0)])


async def test_the_answer_comes_after_the_message_is_durable(build: Builder) -> None:
    house = await build()
    durable = asyncio.Event()

    async def slow(_request: SubmitSm) -> tuple[int, str]:
        await durable.wait()
        return ESME_ROK, "x"

    house.app.answer = slow
    peer = await house.peer(SubmitSm(sequence_number=2), EnquireLink(sequence_number=3))
    assert await peer.next() == EnquireLinkResp(sequence_number=3)
    durable.set()
    assert await peer.next() == SubmitSmResp(sequence_number=2, message_id=b"x")


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [
        ("acme", "wrong", ESME_RINVPASWD),
        ("nobody", "sesame", ESME_RINVPASWD),
        ("acme", "", ESME_RINVPASWD),
        ("", "", ESME_RINVSYSID),
        ("acme", "longer-than-eight", ESME_RINVPASWD),
    ],
)
async def test_who_is_not_known_is_turned_away(
    build: Builder, system_id: str, password: str, status: int
) -> None:
    house = await build()
    with pytest.raises(PDUError) as caught:
        await thread(house.bound, "transmitter", system_id, password)
    assert caught.value.args[1] == status
    assert await thread(house.clients[0]._socket.recv, 10) == b""  # and the connection is closed
    assert house.app.states == []


async def test_a_name_longer_than_the_standard_has_room_for_must_be_an_accounts(build: Builder) -> None:
    house = await build(system_id="a-very-long-system-id")
    for name, status in ((b"a-very-long-system-ix", ESME_RINVSYSID), (b"a-very-long-system-id", ESME_ROK)):
        peer = await house.raw(replace(BIND, system_id=name))
        assert getattr(await peer.next(), "command_status", None) == status


async def test_a_password_may_be_kept_as_a_hash(build: Builder) -> None:
    house = await build(password=Secret(hashed("sesame")))
    client = await thread(house.bound)
    assert (await thread(house.submit, client)).status == ESME_ROK
    for name, password in (("acme", "wrong"), ("nobody", "sesame")):
        with pytest.raises(PDUError) as caught:
            await thread(house.bound, "transmitter", name, password)
        assert caught.value.args[1] == ESME_RINVPASWD


async def test_who_leaves_while_its_password_is_looked_at_leaves_nothing_behind(build: Builder) -> None:
    house = await build(password=Secret(hashed("sesame")))
    peer = await house.raw(BIND)
    while not house.server._binding:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    peer.reset()
    await asyncio.gather(*house.server._binding)
    assert house.app.states == [] and house.server.sessions("acme") == 0


async def test_who_keeps_guessing_is_answered_slowly(build: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_password, "FIRST_SECONDS", 0.2)
    house = await build()
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(5):
        began = loop.time()
        peer = await house.raw(replace(BIND, password=b"guess"))
        answer = await peer.next()
        assert getattr(answer, "command_status", None) == ESME_RINVPASWD
        assert await peer.next() is None
        took.append(loop.time() - began)
    assert took[3] >= 0.2 and took[4] >= 0.4
    await thread(house.bound)  # late, but in
    assert (await thread(house.submit, await thread(house.bound))).status == ESME_ROK


async def test_five_hundred_half_open_connections_are_nothing_to_a_good_client(build: Builder) -> None:
    house = await build()
    client = await thread(house.bound)
    halves = [await house.raw() for _ in range(500)]
    for half in halves[::2]:
        half.writer.write(BIND.encode(1)[:20])  # and no more of it
    for _ in range(20):
        assert (await thread(house.submit, client)).status == ESME_ROK
    assert (await thread(house.submit, await thread(house.bound))).status == ESME_ROK


def tls_client(**options: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(HERE / "localhost.crt"))
    for name, value in options.items():
        setattr(context, name, value)
    return context


async def over_tls(house: House, context: ssl.SSLContext) -> Raw:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", house.server.tls_port, ssl=context, server_hostname="localhost"
    )
    raw = Raw(reader, writer)
    house.raws.append(raw)
    return raw


TLS = {
    "tls_address": "127.0.0.1:0",
    "tls_certificate": str(HERE / "localhost.crt"),
    "tls_key": str(HERE / "localhost.key"),
}


async def test_an_account_binds_over_tls_while_others_do_without(build: Builder) -> None:
    house = await build(listen=TLS)
    peer = await over_tls(house, tls_client())
    await peer.send(BIND)
    assert isinstance(await peer.next(), BindTransceiverResp)
    await peer.send(SubmitSm(sequence_number=2))
    assert await peer.next() == SubmitSmResp(sequence_number=2, message_id=b"id-1")
    assert (await thread(house.submit, await thread(house.bound))).status == ESME_ROK


async def test_a_client_of_an_older_tls_than_the_least_is_refused(build: Builder) -> None:
    house = await build(listen=TLS | {"tls_minimum": "1.3"})
    with pytest.raises(OSError):  # an alert, or the end
        await over_tls(house, tls_client(maximum_version=ssl.TLSVersion.TLSv1_2))
    await over_tls(house, tls_client())


async def test_a_client_without_the_certificate_that_is_asked_for_is_refused(build: Builder) -> None:
    house = await build(listen=TLS | {"tls_client_ca": str(HERE / "localhost.crt")})
    stranger = await over_tls(house, tls_client())
    with pytest.raises(OSError):  # with TLS 1.3 a client hears of it when it reads
        await stranger.send(BIND)
        assert await stranger.next() is None
        raise ConnectionError  # a clean end is as good as an alert
    friend = tls_client()
    friend.load_cert_chain(HERE / "localhost.crt", HERE / "localhost.key")
    peer = await over_tls(house, friend)
    await peer.send(BIND)
    assert isinstance(await peer.next(), BindTransceiverResp)
    assert house.server.sessions("acme") == 1


async def test_a_certificate_that_is_not_there_is_an_error_at_the_start(build: Builder) -> None:
    with pytest.raises(OSError):
        await build(listen=TLS | {"tls_certificate": str(HERE / "nowhere.crt")})


async def test_an_address_that_is_not_allowed_is_turned_away(build: Builder) -> None:
    house = await build(allow=["192.0.2.0/24", "2001:db8::/32"])
    with pytest.raises(PDUError) as caught:
        await thread(house.bound)
    assert caught.value.args[1] == ESME_RBINDFAIL


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("127.0.0.1", True), ("::ffff:127.9.9.9", True), ("::1", False), ("128.0.0.1", False)],
)
def test_allow_lists_know_both_families(address: str, allowed: bool) -> None:
    assert Customer("acme", account(allow=["127.0.0.0/8"])).allows(address) is allowed


async def test_sessions_are_counted_per_account(build: Builder) -> None:
    house = await build(sessions=2)
    first = await thread(house.bound)
    await thread(house.bound)
    with pytest.raises(PDUError) as caught:
        await thread(house.bound)
    assert caught.value.args[1] == ESME_RALYBND
    await thread(house.bound, "receiver", "other", "other")
    await thread(first.unbind)
    await house.app.until(lambda: house.server.sessions("acme") == 1)
    await thread(house.bound)


async def test_who_does_not_bind_in_time_is_cut_off(build: Builder) -> None:
    house = await build(bind_timeout=0.5)
    peer = await house.raw(EnquireLink(sequence_number=1))
    answer = await peer.next()
    assert getattr(answer, "command_status", None) == ESME_RINVBNDSTS
    assert await peer.next() is None


async def test_a_bound_session_outlives_the_bind_timeout(build: Builder) -> None:
    house = await build(bind_timeout=0.5)
    early = await thread(house.bound)
    late = await house.raw()
    assert await late.next() is None  # the time is over
    assert (await thread(house.submit, early)).status == ESME_ROK


async def test_a_flood_of_connections_without_a_bind_keeps_nobody_out(
    build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_server, "UNBOUND_LIMIT", 2)
    house = await build()
    await thread(house.bound)  # bound ones do not count
    peers = [await house.raw() for _ in range(4)]
    for oldest in peers[:2]:
        with pytest.raises(ConnectionError):
            assert await oldest.next() is None
            raise ConnectionError  # a clean end is as good as a reset
    for youngest in peers[2:]:
        await youngest.send(BIND)
        assert isinstance(await youngest.next(), BindTransceiverResp)


async def test_more_than_the_window_without_an_answer_finds_the_queue_full(build: Builder) -> None:
    house = await build(window=3)
    gate = asyncio.Event()

    async def slow(_request: SubmitSm) -> tuple[int, str]:
        await gate.wait()
        return ESME_ROK, "x"

    house.app.answer = slow
    await house.peer(*[SubmitSm(sequence_number=number) for number in (2, 3)])
    two = await house.peer()
    await house.app.until(lambda: len(house.app.submits) == 2)
    await two.send(
        *[SubmitSm(sequence_number=number) for number in (2, 3)]
    )  # of the account, not the session
    assert await two.next() == SubmitSmResp(sequence_number=3, command_status=ESME_RMSGQFUL)
    gate.set()
    assert await two.next() == SubmitSmResp(sequence_number=2, message_id=b"x")
    await two.send(SubmitSm(sequence_number=4))
    assert await two.next() == SubmitSmResp(sequence_number=4, message_id=b"x")


async def test_more_than_the_throughput_is_throttled(build: Builder) -> None:
    house = await build(throughput=20)
    peer = await house.peer(*[SubmitSm(sequence_number=number) for number in range(2, 12)])
    statuses = [getattr(await peer.next(), "command_status", None) for _ in range(10)]
    assert statuses.count(ESME_ROK) == 2  # a tenth of a second's worth
    assert statuses.count(ESME_RTHROTTLED) == 8


async def test_refusals_and_failures_of_the_app_are_answered(build: Builder) -> None:
    house = await build()
    client = await thread(house.bound)

    async def refuse(_request: SubmitSm) -> tuple[int, str]:
        return ESME_RINVDSTADR, ""

    async def fail(_request: SubmitSm) -> tuple[int, str]:
        raise OSError("the disk is full")

    async def too_long(_request: SubmitSm) -> tuple[int, str]:
        return ESME_ROK, "x" * 65

    for answer, status in ((refuse, ESME_RINVDSTADR), (fail, ESME_RSYSERR), (too_long, ESME_RSYSERR)):
        house.app.answer = answer
        assert (await thread(house.submit, client)).status == status
    house.app.answer = house.app.accept
    assert (await thread(house.submit, client)).status == ESME_ROK


async def test_operations_get_their_own_responses(build: Builder) -> None:
    house = await build()
    client = await thread(house.bound)
    house.app.response = QuerySmResp(message_id=b"1", message_state=2)
    await thread(lambda: client.query_message(message_id="1", source_addr="1"))
    answer = await thread(client.read_pdu)
    assert (answer.command, answer.status, answer.message_state) == ("query_sm_resp", ESME_ROK, 2)
    house.app.response = (ESME_RSYSERR, "")
    peer = await house.peer()
    for number, request in enumerate(
        (CancelSm(), ReplaceSm(), SubmitMulti(destinations=(b"list",)), DataSm()), 7
    ):
        await peer.send(replace(request, sequence_number=number))
        refused = await peer.next()
        assert refused and refused.command_id == request.command_id | 0x80000000
        assert refused.sequence_number == number
        assert getattr(refused, "command_status", None) == ESME_RSYSERR


async def test_a_submit_multi_counts_for_each_destination(build: Builder) -> None:
    house = await build(throughput=20)
    six = SubmitMulti(sequence_number=2, destinations=tuple((1, 1, b"44770090012%d" % n) for n in range(6)))
    house.app.response = SubmitMultiResp(message_id=b"m", unsuccessful=((1, 1, b"447700900121", 11),))
    peer = await house.peer(six, SubmitSm(sequence_number=3))
    assert await peer.next() == SubmitSmResp(sequence_number=3, command_status=ESME_RTHROTTLED)
    assert await peer.next() == replace(house.app.response, sequence_number=2)


@pytest.mark.parametrize(("octets", "status"), [(160, ESME_ROK), (161, ESME_RTHROTTLED)])
async def test_a_long_payload_counts_for_what_it_takes_on_air(
    build: Builder, octets: int, status: int
) -> None:
    house = await build(throughput=20)
    payload = pack_tlvs({0x0424: bytes(octets)})
    peer = await house.peer(*(SubmitSm(sequence_number=n, tlv_octets=payload) for n in (2, 3)))
    statuses = {getattr(await peer.next(), "command_status", None) for _ in range(2)}
    assert status in statuses and ESME_ROK in statuses


async def test_a_receiver_may_not_submit(build: Builder) -> None:
    house = await build()
    client = await thread(house.bound, "receiver")
    client.state = consts.SMPP_CLIENT_STATE_BOUND_TRX
    assert (await thread(house.submit, client)).status == ESME_RINVBNDSTS
    assert house.app.submits == []


async def test_receipts_go_to_a_session_that_receives(build: Builder) -> None:
    house = await build()
    await thread(house.bound, "transmitter")
    with pytest.raises(NotBound):
        await asked(house.server.deliver, "acme", DeliverSm())
    receiver = await thread(house.bound, "receiver")
    got: list[Any] = []

    def receive(pdu: Any) -> int:
        got.append(pdu)
        return ESME_ROK if len(got) == 1 else ESME_RTHROTTLED

    receiver.set_message_received_handler(receive)
    for text, status in ((b"id:1 stat:DELIVRD", ESME_ROK), (b"id:2 stat:DELIVRD", ESME_RTHROTTLED)):
        delivery = asked(house.server.deliver, "acme", DeliverSm(esm_class=4, short_message=text))
        await thread(receiver.read_once)
        assert await delivery == status
    assert [(pdu.short_message, pdu.esm_class) for pdu in got] == [
        (b"id:1 stat:DELIVRD", 4),
        (b"id:2 stat:DELIVRD", 4),
    ]
    with pytest.raises(NotBound):
        await asked(house.server.deliver, "other", DeliverSm())


async def test_deliveries_wait_for_room_in_the_window_and_keep_their_order(build: Builder) -> None:
    house = await build(window=2)
    peer = await house.peer()
    texts = [b"%d" % number for number in range(7)]
    deliveries = [asked(house.server.deliver, "acme", DeliverSm(short_message=text)) for text in texts]
    got: list[bytes] = []
    while len(got) < len(texts):
        waiting = [await peer.next() for _ in range(min(2, len(texts) - len(got)))]
        assert not peer.pdus
        for pdu in waiting:
            assert isinstance(pdu, DeliverSm)
            got.append(pdu.short_message)
            await peer.send(DeliverSmResp(sequence_number=pdu.sequence_number))
    assert got == texts
    assert await asyncio.gather(*deliveries) == [ESME_ROK] * len(texts)


async def test_what_finds_no_room_in_time_is_told_so_and_the_fate_of_the_others(
    build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_account, "ROOM_SECONDS", 0.05)
    house = await build(window=2)
    peer = await house.peer()
    deliveries = [asked(house.server.deliver, "acme", DeliverSm()) for _ in range(2)]
    assert isinstance(await peer.next(), DeliverSm)
    with pytest.raises(WindowFull):
        await asked(house.server.deliver, "acme", DeliverSm())
    third = asked(house.server.deliver, "acme", DeliverSm())
    await asyncio.sleep(0)
    peer.hang_up()
    for delivery in deliveries:
        with pytest.raises(NoAnswer):
            await delivery
    with pytest.raises((NotBound, WindowFull)):
        await third


async def test_a_peer_of_version_3_3_gets_no_parameters(build: Builder) -> None:
    house = await build()
    old = await house.raw(replace(BIND, interface_version=0x33))
    bound = await old.next()
    assert isinstance(bound, BindTransceiverResp) and bound.tlvs == {}
    receipt = DeliverSm(short_message=b"id:1", tlv_octets=pack_tlvs({0x427: b"\2"}))
    delivery = asked(house.server.deliver, "acme", receipt)
    pdu = await old.next()
    assert isinstance(pdu, DeliverSm) and pdu.short_message == b"id:1" and pdu.tlvs == {}
    await old.send(DeliverSmResp(sequence_number=pdu.sequence_number))
    assert await delivery == ESME_ROK


async def test_a_peer_of_version_5_0_binds(build: Builder) -> None:
    house = await build()
    new = await house.raw(replace(BIND, interface_version=0x50))
    bound = await new.next()
    assert isinstance(bound, BindTransceiverResp) and bound.command_status == ESME_ROK
    assert bound.tlvs == {0x210: b"\x34"}  # what we are, section 5.3.2.25


async def test_a_delivery_nobody_answers_is_in_doubt(build: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_server, "RESPONSE_SECONDS", 0.05)
    house = await build()
    await house.peer()
    with pytest.raises(NoAnswer, match="in time"):
        await asked(house.server.deliver, "acme", DeliverSm())


async def test_a_silent_customer_is_asked_and_cut_off(
    build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_server, "RESPONSE_SECONDS", 0.05)
    house = await build(enquire_link=Seconds(0.05))
    peer = await house.peer()
    assert isinstance(await peer.next(), EnquireLink)
    assert await peer.next() is None
    assert house.app.states == [("acme", 1), ("acme", 0)]


async def test_broken_pdus_are_answered_and_the_session_lives(build: Builder) -> None:
    house = await build()
    peer = await house.peer()
    body = bytes(16) + b"\x50abc"
    peer.writer.write(struct.pack(">IIII", 16 + len(body), 4, 0, 6) + body)
    peer.writer.write(struct.pack(">IIII", 16, 0x77, 0, 7))
    assert await peer.next() == SubmitSmResp(sequence_number=6, command_status=ESME_RINVMSGLEN)
    assert await peer.next() == GenericNack(sequence_number=7, command_status=ESME_RINVCMDID)
    await peer.send(SubmitSm(sequence_number=8))
    assert await peer.next() == SubmitSmResp(sequence_number=8, message_id=b"id-1")


async def test_a_web_browser_is_told_and_shown_out(build: Builder) -> None:
    house = await build()
    peer = await house.raw()
    peer.writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    nack = await peer.next()
    assert isinstance(nack, GenericNack) and nack.command_status == ESME_RINVCMDLEN
    assert await peer.next() is None


async def test_a_bind_with_garbage_right_behind_it_leaves_nothing_behind(build: Builder) -> None:
    house = await build()
    peer = await house.raw()
    peer.writer.write(BIND.encode(1) + b"GET / HTTP/1.1\r\n\r\n")
    nack = await peer.next()
    assert isinstance(nack, GenericNack) and nack.command_status == ESME_RINVCMDLEN
    assert await peer.next() is None
    assert house.app.states == [] and house.server.sessions("acme") == 0


async def test_responses_to_nothing_are_logged_ever_less_often(
    build: Builder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    house = await build()
    peer = await house.peer(*[DeliverSmResp(sequence_number=1)] * 1000, EnquireLink(sequence_number=2))
    assert await peer.next() == EnquireLinkResp(sequence_number=2)
    noted = [record.__dict__ for record in caplog.records if record.msg == "smpp.unexpected"]
    assert [note["count"] for note in noted] == [2**n for n in range(10)]
    assert {note["link"] for note in noted} == {"acme"}


async def test_a_peer_that_does_not_read_is_not_read_from(build: Builder) -> None:
    house = await build()
    sock = socket.create_connection(("127.0.0.1", house.server.port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(BIND.encode(1))
    await house.app.until(lambda: house.server.sessions("acme") == 1)
    sock.setblocking(False)
    flood = EnquireLink().encode(2) * 4096
    sent = 0

    async def fill() -> int:
        """Send until nothing has been taken for a while; how much was."""
        nonlocal sent
        idle = 0
        while idle < 20 and sent < 100_000_000:
            try:
                sent += sock.send(flood)
                idle = 0
            except BlockingIOError:
                idle += 1
                await asyncio.sleep(0.005)
        return sent

    assert await fill() < 100_000_000  # what fits into the buffers of both kernels, and no more
    (link,) = house.server._links
    assert link._transport is not None
    assert link._transport.get_write_buffer_size() < 1_000_000
    other = await thread(house.bound, "transceiver", "other", "other")
    assert (await thread(house.submit, other)).status == ESME_ROK  # and nobody else notices
    sock.close()


async def test_an_account_that_is_removed_gets_its_answers_and_an_unbind(build: Builder) -> None:
    house = await build()
    gate = asyncio.Event()

    async def slow(_request: SubmitSm) -> tuple[int, str]:
        await gate.wait()
        return ESME_ROK, "x"

    house.app.answer = slow
    other = await house.raw(replace(BIND, system_id=b"other", password=b"other"))
    assert isinstance(await other.next(), BindTransceiverResp)
    peer = await house.peer(SubmitSm(sequence_number=2))
    await house.app.until(lambda: len(house.app.submits) == 1)
    accounts = {"other": house.server._customers["other"].config}
    await house.server.configure(house.server._listen, accounts)
    assert house.app.states[-1] == ("acme", 0)
    with pytest.raises(NotBound, match="no account 'acme'"):
        await asked(house.server.deliver, "acme", DeliverSm())
    await peer.send(SubmitSm(sequence_number=3))
    assert await peer.next() == SubmitSmResp(sequence_number=3, command_status=ESME_RTHROTTLED)
    gate.set()
    assert await peer.next() == SubmitSmResp(sequence_number=2, message_id=b"x")
    unbind = await peer.next()
    assert isinstance(unbind, Unbind)
    await peer.send(UnbindResp(sequence_number=unbind.sequence_number))
    assert await peer.next() is None
    again = await house.raw(BIND)
    assert getattr(await again.next(), "command_status", None) == ESME_RINVPASWD
    await other.send(EnquireLink(sequence_number=9))
    assert await other.next() == EnquireLinkResp(sequence_number=9)


async def test_a_changed_account_goes_on_with_what_it_may(build: Builder) -> None:
    house = await build()
    first, second = await house.peer(), await house.peer()
    accounts = {
        "acme": account(sessions=1, throughput=0.001),
        "new": account(system_id="new", password=Secret("new")),
    }
    await house.server.configure(house.server._listen, accounts)
    assert isinstance(await second.next(), Unbind)  # one too many
    await first.send(SubmitSm(sequence_number=2), SubmitSm(sequence_number=3))
    answers = [await first.next(), await first.next()]
    assert {getattr(answer, "command_status", None) for answer in answers} == {ESME_ROK, ESME_RTHROTTLED}
    new = await house.raw(replace(BIND, system_id=b"new", password=b"new"))
    assert getattr(await new.next(), "command_status", None) == ESME_ROK
    await house.server.configure(house.server._listen, accounts | {"acme": account(password=Secret("x"))})
    assert isinstance(await first.next(), Unbind)
    late = await house.raw(replace(BIND, password=b"x"))
    assert getattr(await late.next(), "command_status", None) == ESME_ROK


async def test_a_password_that_changes_while_it_is_looked_at_does_not_let_in(build: Builder) -> None:
    house = await build(password=Secret(hashed("sesame")))
    peer = await house.raw(BIND)
    while not house.server._binding:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    await house.server.configure(house.server._listen, {"acme": account(password=Secret("other"))})
    assert getattr(await peer.next(), "command_status", None) == ESME_RINVPASWD


async def test_a_listener_that_cannot_move_lets_everything_be(build: Builder) -> None:
    house = await build()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        await house.server.configure(replace(house.server._listen, address=address), {})
    assert (await thread(house.submit, await thread(house.bound))).status == ESME_ROK


async def test_a_good_bind_behind_slowed_guesses_is_not_cut(
    build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_password, "FIRST_SECONDS", 0.4)
    house = await build(bind_timeout=0.3)
    for _ in range(3):
        assert await (await house.raw(replace(BIND, password=b"guess"))).next() is not None
    guesses = [await house.raw(replace(BIND, password=b"guess")) for _ in range(20)]
    began = asyncio.get_running_loop().time()
    peer = await house.raw(BIND)
    assert getattr(await peer.next(), "command_status", None) == ESME_ROK
    assert asyncio.get_running_loop().time() - began >= 0.4
    for guess in guesses:
        assert getattr(await guess.next(), "command_status", None) == ESME_RINVPASWD


async def test_more_slowed_guesses_than_connections_may_be_keep_nobody_out(
    build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_password, "FIRST_SECONDS", 0.4)
    monkeypatch.setattr(smpp_server, "UNBOUND_LIMIT", 3)
    house = await build()
    guess = replace(BIND, password=b"guess")
    for _ in range(3):
        assert await (await house.raw(guess)).next() is not None
    guesses = [await house.raw(guess) for _ in range(5)]
    peer = await house.raw(BIND)
    assert getattr(await peer.next(), "command_status", None) == ESME_ROK
    answers = []
    for raw in guesses:
        try:
            answers.append(await raw.next())
        except ConnectionError:  # a reset is as good as a clean end
            answers.append(None)
    assert [getattr(answer, "command_status", None) for answer in answers] == [None] * 3 + [
        ESME_RINVPASWD
    ] * 2


async def test_stop_answers_what_was_taken_and_unbinds(build: Builder) -> None:
    house = await build()
    gate = asyncio.Event()

    async def slow(_request: SubmitSm) -> tuple[int, str]:
        await gate.wait()
        return ESME_ROK, "x"

    house.app.answer = slow
    peer = await house.peer(SubmitSm(sequence_number=2))
    await house.app.until(lambda: len(house.app.submits) == 1)
    stopping = asyncio.create_task(house.server.stop(10))
    await asyncio.sleep(0)
    await peer.send(SubmitSm(sequence_number=3))
    assert await peer.next() == SubmitSmResp(sequence_number=3, command_status=ESME_RTHROTTLED)
    gate.set()
    assert await peer.next() == SubmitSmResp(sequence_number=2, message_id=b"x")
    unbind = await peer.next()
    assert unbind and unbind.name == "unbind"
    peer.writer.write(struct.pack(">IIII", 16, 0x80000006, 0, unbind.sequence_number))
    assert await peer.next() is None
    await asyncio.wait_for(stopping, 30)


async def test_stop_does_not_wait_for_the_dead(build: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_server, "UNBIND_SECONDS", 0.05)
    house = await build()
    port = house.server.port
    await house.peer()
    await house.raw()
    await asyncio.wait_for(house.server.stop(0.05), 30)
    assert house.server.sessions("acme") == 0
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)


def test_it_works_on_uvloop() -> None:
    def talk(house: House) -> list[bytes]:
        client = house.bound()
        ids = [house.submit(client).message_id for _ in range(20)]
        client.unbind()
        return ids

    async def run() -> list[bytes]:
        house = House()
        await house.server.start()
        ids = await thread(talk, house)
        await house.stop()
        return ids

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == [f"id-{number}".encode() for number in range(1, 21)]
