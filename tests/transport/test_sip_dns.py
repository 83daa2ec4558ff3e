"""The resolver against a name server on loopback."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.protocol.sip.address import Address
from gateway.transport.sip_dns import Resolver
from tests.peers.name_server import Zone, name_server

ALL = ("udp", "tcp", "tls")

ZONE: Zone = {
    ("carrier.example.", "NAPTR"): (
        300,
        '10 10 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.',
        '20 10 "s" "SIP+D2U" "" _sip._udp.carrier.example.',
    ),
    ("_sips._tcp.carrier.example.", "SRV"): (200, "1 1 5061 edge1.carrier.example."),
    ("_sip._udp.carrier.example.", "SRV"): (
        90,
        "20 1 5070 edge2.carrier.example.",
        "10 1 5060 edge1.carrier.example.",
    ),
    ("edge1.carrier.example.", "A"): (3600, "192.0.2.1", "192.0.2.2"),
    ("edge1.carrier.example.", "AAAA"): (3600, "2001:db8::1"),
    ("edge2.carrier.example.", "A"): (1, "192.0.2.3"),
    ("plain.example.", "A"): (3600, "192.0.2.9"),
    ("_sip._udp.quiet.example.", "SRV"): (300, "0 0 0 ."),
    ("quiet.example.", "A"): (3600, "192.0.2.9"),
}


@contextlib.asynccontextmanager
async def resolver(wide: bool = False) -> AsyncIterator[Resolver]:
    async with name_server(ZONE) as address:
        yield Resolver(address, lambda: 0.0, wide=wide)


async def located(
    host: str, port: int = 0, transport: str | None = "udp", supported: tuple[str, ...] = ALL, **options: bool
) -> tuple[list[str], float | None]:
    async with resolver(**options) as one:
        found = await one.locate(host, port, transport, supported)
    # the order of one name's addresses is the name server's
    names = {"192.0.2.2": "192.0.2.1"}
    hosts = [f"{a.transport}:{names.get(a.host, a.host)}:{a.port}" for a in found.addresses]
    assert len({a.host for a in found.addresses}) == len(hosts)
    return hosts, found.seconds


async def test_an_address_needs_no_name_server() -> None:
    assert await located("192.0.2.7") == (["udp:192.0.2.7:5060"], None)
    assert await located("192.0.2.7", transport="tls") == (["tls:192.0.2.7:5061"], None)
    assert await located("2001:db8::7", 5070) == (["udp:2001:db8::7:5070"], None)


async def test_srv_records_say_hosts_and_ports_in_their_order_and_how_long_that_holds() -> None:
    assert await located("carrier.example") == (
        ["udp:192.0.2.1:5060", "udp:192.0.2.1:5060", "udp:192.0.2.3:5070"], 30.0,
    )  # fmt: skip


async def test_naptr_records_say_the_transport_among_those_that_we_have() -> None:
    assert (await located("carrier.example", transport=None))[0] == [
        "tls:192.0.2.1:5061",
        "tls:192.0.2.1:5061",
    ]
    hosts, _ = await located("carrier.example", transport=None, supported=("udp", "tcp"))
    assert hosts[0] == "udp:192.0.2.1:5060"


async def test_a_port_leaves_only_the_address_to_be_asked_for() -> None:
    assert await located("edge1.carrier.example", 5090) == (
        ["udp:192.0.2.1:5090", "udp:192.0.2.1:5090"],
        3600.0,
    )
    assert (await located("edge1.carrier.example", 5090, wide=True))[0] == ["udp:2001:db8::1:5090"]


async def test_without_srv_records_the_host_itself_is_meant() -> None:
    assert (await located("plain.example"))[0] == ["udp:192.0.2.9:5060"]
    assert (await located("plain.example", transport=None))[0] == ["udp:192.0.2.9:5060"]


async def test_a_name_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(OSError, match="no address found"):
        await located("nowhere.example")


async def test_a_domain_that_says_it_has_no_such_service_is_not_tried_by_its_address() -> None:
    with pytest.raises(OSError, match="has no SIP service"):
        await located("quiet.example")
    # it has said nothing about TCP
    assert (await located("quiet.example", transport=None))[0] == ["tcp:192.0.2.9:5060"]


async def test_the_system_knows_localhost() -> None:
    found = await Resolver("", lambda: 0.0).locate("localhost", 5080, "tcp", ALL)
    assert found.addresses == [Address("127.0.0.1", 5080, "tcp")]
