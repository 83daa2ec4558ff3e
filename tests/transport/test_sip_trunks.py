"""All trunks over real sockets, with endpoints as carriers."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gateway.config.model import Seconds, Secret, Sip, Trunk
from gateway.observe.health import CarrierState
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import CallFailed, IncomingCall, SipEvent
from gateway.protocol.sip.digest import read_challenges
from gateway.protocol.sip.message import Request, parse, respond
from gateway.transport.sip_endpoint import SipEndpoint
from gateway.transport.sip_trunks import CannotRefer, NoHost, Trunks
from gateway.transport.sip_udp import UdpSocket
from tests.peers.name_server import name_server

OURS, CUSTOMER = "+442079460000", "+447700900123"


class Carrier:
    """A bare socket that answers as `answer(request)` says: a status and header lines, None for silence."""

    def __init__(self, host: str) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], tuple[int, list[tuple[str, str]]] | None] = lambda request: (200, [])
        self._socket = UdpSocket(self._received)
        self._host = host

    async def start(self) -> int:
        _, port = await self._socket.bind(Address(self._host, 0))
        return port

    def _received(self, data: bytes, source: Address) -> None:
        message = parse(data)
        if not isinstance(message, Request) or message.method == "ACK":
            return
        if not any(message.via.branch == known.via.branch for known in self.requests):
            self.requests.append(message)
        if (answer := self.answer(message)) is not None:
            self._socket.send(bytes(respond(message, answer[0], to_tag="c", headers=answer[1])), source)

    async def of(self, method: str, number: int) -> list[Request]:
        """The requests of a method, once there are so many."""
        async with asyncio.timeout(30):
            while len(found := [r for r in self.requests if r.method == method]) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return found

    async def stop(self) -> None:
        await self._socket.close()


class Site:
    def __init__(self, **sip: Any) -> None:
        self.events: asyncio.Queue[SipEvent] = asyncio.Queue()
        self.came_up: list[str] = []
        self.trunks = Trunks(random.Random(1), self.came_up.append)
        self.sip = Sip(listen=["udp:127.0.0.1:0"], **sip)
        trunks = self.trunks
        self.endpoint = trunks.endpoint = SipEndpoint(
            listen=self.sip.listen, admit=trunks.admit, digest_of=trunks.digest_of,
            stream_for=trunks.stream_for, secured=trunks.secured, on_event=self._event,
        )  # fmt: skip

    def _event(self, event: SipEvent) -> None:
        if not self.trunks.event(event):
            self.events.put_nowait(event)

    def state(self, name: str = "east") -> CarrierState:
        return next(state for state in self.trunks.states(Counter()) if state.name == name)

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not happened():  # noqa: ASYNC110 - the far end is this very test
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def site(**sip: Any) -> AsyncIterator[Site]:
    one = Site(**sip)
    await one.trunks.configure(one.sip)
    await one.endpoint.start()
    one.trunks.start()
    try:
        yield one
    finally:
        await one.trunks.stop(0.5)
        await one.endpoint.stop(0.2)


@pytest.fixture
async def carriers() -> AsyncIterator[list[Carrier]]:
    """Two, at 127.0.0.1 and 127.0.0.2."""
    both = [Carrier("127.0.0.1"), Carrier("127.0.0.2")]
    yield both
    for one in both:
        await one.stop()


REGISTERED = {"auth": "register", "username": "u", "password": Secret("p"), "numbers": [OURS]}


def registrar(nonces: Callable[[], str]) -> Callable[[Request], tuple[int, list[tuple[str, str]]]]:
    def answer(request: Request) -> tuple[int, list[tuple[str, str]]]:
        if request.method == "REGISTER" and not read_challenges(request.headers.lines("Authorization")):
            return 401, [("WWW-Authenticate", f'Digest realm="a, b", nonce="{nonces()}", qop="auth"')]
        contact = request.headers.get("Contact")
        return 200, [("Contact", contact)] if contact else []

    return answer


async def test_a_registered_trunk_says_where_we_are_and_takes_its_leave(carriers: list[Carrier]) -> None:
    east = carriers[0]
    east.answer = registrar(lambda: "n")
    port = await east.start()
    async with site(trunks={"east": Trunk(host="127.0.0.1", port=port, **REGISTERED)}) as it:
        _, second = await east.of("REGISTER", 2)
        await it.until(lambda: it.state().up)
        assert second.headers.get("Contact") == f"<sip:u@127.0.0.1:{it.endpoint.port}>;expires=3600"
        assert it.came_up == ["east"]
    last = (await east.of("REGISTER", 3))[2]
    assert last.headers.get("Contact").endswith(";expires=0")
    assert {r.call_id for r in east.requests} == {last.call_id}
    assert [r.cseq for r in east.requests] == [1, 2, 3]
    assert {r.via.port for r in east.requests} == {it.endpoint.port}


async def test_behind_nat_the_registrar_is_told_where_it_sees_us(carriers: list[Carrier]) -> None:
    east = carriers[0]
    answer = registrar(lambda: "n")

    def behind_nat(request: Request) -> tuple[int, list[tuple[str, str]]]:
        request.headers.set("Via", f"{request.via};received=203.0.113.7;rport=1024".replace(";rport;", ";"))
        return answer(request)

    east.answer = behind_nat
    port = await east.start()
    async with site(trunks={"east": Trunk(host="127.0.0.1", port=port, **REGISTERED)}) as it:
        third = (await east.of("REGISTER", 3))[2]
        assert third.headers.get("Contact") == "<sip:u@203.0.113.7:1024>;expires=3600"
        it.trunks.invite(trunk="east", to_number=CUSTOMER, from_number=OURS, sdp=b"")
        [invite] = await east.of("INVITE", 1)
        assert invite.headers.get("Contact") == f"<sip:{OURS}@203.0.113.7:1024>"
        assert len(await east.of("REGISTER", 3)) == 3


async def test_a_trunk_that_is_not_registered_takes_no_calls(carriers: list[Carrier]) -> None:
    east = carriers[0]
    east.answer = lambda request: (403, [])
    port = await east.start()
    async with site(trunks={"east": Trunk(host="127.0.0.1", port=port, **REGISTERED)}) as it:
        assert it.trunks.why_not("east") == "not registered yet"
        await east.of("REGISTER", 1)
        await it.until(lambda: it.state().reason == "REGISTER: 403 Forbidden")
        assert not it.state().up


async def test_a_call_to_a_registered_trunk_is_for_the_number_in_to(carriers: list[Carrier]) -> None:
    port = await carriers[0].start()
    trunk = Trunk(
        host="127.0.0.1", port=port, number_format="national", country="GB", numbers=[OURS],
        auth="digest", username="u", password=Secret("p"),
    )  # fmt: skip
    async with site(trunks={"west": Trunk(host="127.0.0.1"), "east": trunk}) as it:
        carrier = SipEndpoint(
            listen=["udp:127.0.0.1:0"], admit=lambda source: "us", on_event=lambda event: None
        )
        await carrier.start()
        carrier.invite(
            target=Address("127.0.0.1", it.endpoint.port), to_number="02079460000", from_number="07700900123",
            sdp=b"",
        )  # fmt: skip
        incoming = await it.events.get()
        assert isinstance(incoming, IncomingCall)
        read = it.trunks.read(incoming)
        assert (read.trunk, read.to_number, read.from_number) == ("east", OURS, CUSTOMER)
        assert incoming.call.digest is it.trunks.digest_of("east")
        unknown = it.trunks.read(
            IncomingCall(incoming.call, "x", "u", incoming.source, "west", b"", "02079460000")
        )
        assert (unknown.trunk, unknown.to_number, unknown.from_number) == ("east", OURS, "")
        it.endpoint.reject(incoming.call, 486)
        await carrier.stop(0.2)


async def test_options_tell_which_hosts_are_there_and_how_fast(carriers: list[Carrier]) -> None:
    port = await carriers[0].start()
    trunk = Trunk(host="127.0.0.1", port=port, keepalive=Seconds(0.05), numbers=[OURS])
    silent = Trunk(host="127.0.0.1", port=1, keepalive=Seconds(60), numbers=[OURS])
    async with site(trunks={"east": trunk, "west": silent}) as it:
        await carriers[0].of("OPTIONS", 3)
        [host] = it.state().hosts
        assert (host.address, host.up) == (f"udp:127.0.0.1:{port}", True)
        assert host.rtt_ms is not None and host.rtt_ms < 30_000
        carriers[0].answer = lambda request: (503, [])
        await it.until(lambda: not it.state().up)
        assert it.state().reason == "answers 503 to OPTIONS"
        with pytest.raises(NoHost, match="east: answers 503 to OPTIONS"):
            it.trunks.invite(trunk="east", to_number=CUSTOMER, from_number=OURS, sdp=b"")
        carriers[0].answer = lambda request: (404, [])
        await it.until(lambda: it.state().up)
        assert it.came_up.count("east") == 2


async def test_a_call_is_made_as_the_carrier_wants_it(carriers: list[Carrier]) -> None:
    port = await carriers[0].start()
    carriers[0].answer = lambda request: (503, [("Retry-After", "60")])
    trunk = Trunk(
        host="carrier.example", outbound_proxy=f"127.0.0.1:{port}", domain="sip.example", numbers=[OURS],
        number_format="E.164", prefix="9", asserted_identity="P-Asserted-Identity", anonymous=True,
    )  # fmt: skip
    async with site(trunks={"east": trunk}) as it:
        call = it.trunks.invite(trunk="east", to_number=CUSTOMER, from_number=OURS, sdp=b"")
        [invite] = await carriers[0].of("INVITE", 1)
        assert invite.uri == "sip:9447700900123@sip.example"
        assert invite.headers.get("Route") == f"<sip:127.0.0.1:{port};lr>"
        assert invite.headers.get("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
        assert invite.headers.get("P-Asserted-Identity") == "<sip:442079460000@sip.example>"
        assert invite.headers.get("Privacy") == "id"
        assert "442079460000" not in invite.headers.get("Contact")
        failed = await it.events.get()
        assert isinstance(failed, CallFailed)
        assert (failed.call, failed.retry_after) == (call, 60)
        assert "Retry-After" in it.trunks.why_not("east")
        with pytest.raises(NoHost):
            it.trunks.invite(trunk="east", to_number=CUSTOMER, from_number=OURS, sdp=b"")


async def test_a_call_is_transferred_by_its_trunk_once_it_stands(carriers: list[Carrier]) -> None:
    port = await carriers[0].start()
    trunk = Trunk(
        host="127.0.0.1", port=port, domain="sip.example", prefix="9", number_format="E.164", numbers=[OURS]
    )
    async with site(trunks={"east": trunk}) as it:
        asked: list[str] = []
        it.endpoint.refer = lambda call, uri: asked.append(uri)  # type: ignore[method-assign]
        call = it.trunks.invite(trunk="east", to_number=CUSTOMER, from_number=OURS, sdp=b"")
        it.trunks.refer(call, "east", "+447700900999")
        assert asked == [f"sip:9447700900999@sip.example:{port}"]
        with pytest.raises(NoHost, match="there is no such trunk"):
            it.trunks.refer(call, "west", "+447700900999")
        del it.endpoint.refer
        with pytest.raises(CannotRefer, match="REFER in CALLING"):
            it.trunks.refer(call, "east", "+447700900999")


async def test_addresses_of_trunks_are_known_and_others_strangers() -> None:
    trunks = {"east": Trunk(host="192.0.2.1", allow=["198.51.100.0/24"]), "west": Trunk(host="192.0.2.1")}
    async with site(trunks=trunks) as it:
        assert [it.trunks.admit(f"198.51.100.{n}") for n in (1, 1)] == ["east", "east"]
        assert it.trunks.admit("192.0.2.1") == "east"
        assert it.trunks.admit("192.0.2.2") is None
        for n in itertools.count():
            it.trunks.admit(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
            if n == 10_100:
                break
        assert len(it.trunks._sources) <= 10_000


async def test_a_changed_trunk_begins_anew_and_the_others_go_on(carriers: list[Carrier]) -> None:
    carriers[0].answer = carriers[1].answer = registrar(lambda: "n")
    east, west = await carriers[0].start(), await carriers[1].start()
    trunks = {
        "east": Trunk(host="127.0.0.1", port=east, **REGISTERED),
        "west": Trunk(host="127.0.0.2", port=west, allow=["127.0.0.2"], **REGISTERED),
    }
    async with site(trunks=trunks) as it:
        await it.until(lambda: it.state("east").up and it.state("west").up)
        await it.trunks.configure(Sip(listen=it.sip.listen, trunks={"west": trunks["west"]}))
        it.trunks.start()
        assert [r.headers.get("Contact")[-9:] for r in await carriers[0].of("REGISTER", 3)][2] == "expires=0"
        assert len(await carriers[1].of("REGISTER", 2)) == 2
        assert it.trunks.why_not("east") == "there is no such trunk any more"
        assert it.trunks.admit("127.0.0.1") is None


async def test_a_host_that_has_moved_is_a_stranger_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transport.sip_dns._LEAST_SECONDS", 0.01)
    monkeypatch.setattr("gateway.transport.sip_dns._MOST_SECONDS", 0.01)
    zone: dict[tuple[str, str], tuple[int | str, ...]] = {("east.example.", "A"): (1, "192.0.2.1")}
    async with (
        name_server(zone) as server,
        site(name_server=server, trunks={"east": Trunk(host="east.example", port=5060)}) as it,
    ):
        assert (it.trunks.admit("192.0.2.1"), it.trunks.admit("192.0.2.2")) == ("east", None)
        zone["east.example.", "A"] = (1, "192.0.2.2")
        await it.until(lambda: it.trunks.admit("192.0.2.2") == "east")
        assert it.trunks.admit("192.0.2.1") is None


async def test_a_call_goes_to_the_next_host_of_a_domain_when_the_first_is_gone(
    carriers: list[Carrier],
) -> None:
    ports = [await carrier.start() for carrier in carriers]
    zone: dict[tuple[str, str], tuple[int | str, ...]] = {
        ("_sip._udp.east.example.", "SRV"): (
            60, *(f"{n} 1 {port} h{n}.east.example." for n, port in enumerate(ports)),
        ),
        ("h0.east.example.", "A"): (60, "127.0.0.1"),
        ("h1.east.example.", "A"): (60, "127.0.0.2"),
    }  # fmt: skip
    trunk = Trunk(host="east.example", keepalive=Seconds(0.05), numbers=[OURS])
    async with name_server(zone) as server, site(name_server=server, trunks={"east": trunk}) as it:
        await it.until(lambda: [host.rtt_ms is not None for host in it.state().hosts] == [True, True])
        it.trunks.invite(trunk="east", to_number=CUSTOMER, from_number=OURS, sdp=b"")
        await carriers[0].of("INVITE", 1)
        carriers[0].answer = lambda request: (503, [])
        await it.until(lambda: not it.state().hosts[0].up)
        assert it.state().up
        it.trunks.invite(trunk="east", to_number=CUSTOMER, from_number=OURS, sdp=b"")
        await carriers[1].of("INVITE", 1)
        carriers[0].answer = lambda request: (200, [])
        await it.until(lambda: it.state().hosts[0].up)
