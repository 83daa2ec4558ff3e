"""One trunk: its hosts by DNS, by TLS, and which of them is asked."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.model import Seconds, Sip, Trunk
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import CallFailed
from gateway.transport import sip_trunk
from gateway.transport.sip_dns import Resolver
from gateway.transport.sip_endpoint import SipEndpoint
from gateway.transport.sip_trunk import TrunkLink
from tests.peers.name_server import Zone, name_server

HERE = Path(__file__).parent
CERTIFICATE, KEY = str(HERE / "localhost.crt"), str(HERE / "localhost.key")
OURS = "+442079460000"


@contextlib.asynccontextmanager
async def link(trunk: Trunk, zone: Zone | None = None, **sip: Any) -> AsyncIterator[TrunkLink]:
    """One whose endpoint is up, and that has looked up its hosts."""
    async with name_server(zone or {}) as server:
        settings = Sip(listen=["udp:127.0.0.1:0"], **sip)
        endpoint = SipEndpoint(
            listen=settings.listen, admit=lambda source: "east", on_event=lambda event: None
        )
        await endpoint.start()
        rng = random.Random(1)
        resolver = Resolver(server, rng.random)
        one = TrunkLink(
            "east",
            settings,
            trunk,
            endpoint,
            resolver,
            ("udp", "tcp", "tls"),
            rng.random,
            lambda name: None,
            lambda: None,
        )
        await one.open()
        one.start()
        yield one
        await one.stop(0.1)
        await endpoint.stop(0.1)


def carrier_zone(*hosts: str) -> dict[tuple[str, str], tuple[int | str, ...]]:
    """carrier.example by SRV: these addresses in this order."""
    zone: dict[tuple[str, str], tuple[int | str, ...]] = {
        ("_sip._udp.carrier.example.", "SRV"): (
            60, *(f"{n} 1 5060 h{n}.carrier.example." for n, _ in enumerate(hosts)),
        )
    }  # fmt: skip
    return zone | {(f"h{n}.carrier.example.", "A"): (60, host) for n, host in enumerate(hosts)}


async def test_a_domains_hosts_are_the_trunks_and_each_is_a_source_of_calls() -> None:
    async with link(
        Trunk(host="carrier.example", allow=["198.51.100.0/24"]), carrier_zone("192.0.2.1", "192.0.2.2")
    ) as it:
        assert it.choose(()) == Address("192.0.2.1", 5060)
        assert it.choose([Address("192.0.2.1", 5060)]) == Address("192.0.2.2", 5060)
        networks = [str(network) for network in it.networks]
        assert networks == ["192.0.2.1/32", "192.0.2.2/32", "198.51.100.0/24"]
        assert it.manner(OURS).domain == "carrier.example"


async def test_a_call_that_failed_for_its_host_prefers_another() -> None:
    async with link(Trunk(host="carrier.example"), carrier_zone("192.0.2.1", "192.0.2.2")) as it:
        first = it.choose(())
        assert first is not None

        class Call:
            peer = first

        for status, preferred in ((486, "192.0.2.1"), (503, "192.0.2.2")):
            it.failed(CallFailed(Call(), status, "", None, unreachable=False))  # type: ignore[arg-type]
            assert it.choose(()) == Address(preferred, 5060)


async def test_hosts_are_looked_up_again_and_stay_when_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.transport.sip_dns._LEAST_SECONDS", 0.01)
    monkeypatch.setattr("gateway.transport.sip_dns._MOST_SECONDS", 0.01)
    monkeypatch.setattr(sip_trunk, "_RESOLVE_AGAIN_SECONDS", 0.01)
    zone = carrier_zone("192.0.2.1")
    async with link(Trunk(host="carrier.example"), zone) as it:
        zone["h0.carrier.example.", "A"] = (1, "192.0.2.7")
        async with asyncio.timeout(30):
            while it.choose(()) != Address("192.0.2.7", 5060):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        zone.clear()
        await asyncio.sleep(0.1)
        assert it.choose(()) == Address("192.0.2.7", 5060)


async def test_a_name_that_nobody_knows_makes_the_trunk_unusable_and_no_more() -> None:
    async with link(Trunk(host="nowhere.example")) as it:
        assert it.why_not() == "its address is not known"
        assert it.state(0).hosts == []


async def test_a_certificate_must_show_the_name_that_is_configured() -> None:
    trunk = Trunk(host="carrier.example", transport="tls", tls_ca=CERTIFICATE)
    async with link(trunk, tls_certificate=CERTIFICATE, tls_key=KEY) as it:
        context, name = it.secured()
        assert name == "carrier.example"
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    async with link(Trunk(host="h", outbound_proxy="edge.example:5061", transport="tls")) as it:
        assert it.secured()[1] == "edge.example"
        assert it.manner("").routes == ("sip:edge.example:5061;transport=tls;lr",)


async def test_a_file_of_authorities_that_is_none_is_named() -> None:
    async with link(Trunk(host="h", transport="tls", tls_ca="nowhere.pem")) as it:
        with pytest.raises(OSError, match="tls_ca nowhere"):
            it.secured()


async def test_large_requests_go_by_tcp_only_where_the_trunk_says_so() -> None:
    here = Address("192.0.2.1", 5070)
    for transport, stream in (("udp", None), ("udp+tcp", Address("192.0.2.1", 5070, "tcp"))):
        async with link(Trunk(host="192.0.2.1", port=5070, transport=transport)) as it:
            assert it.stream_for(here) == stream
            assert it.stream_for(Address("192.0.2.9", 5070)) is None


async def test_a_host_that_cannot_be_reached_is_down_and_said_to_be_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trunk = Trunk(host="192.0.2.1", keepalive=Seconds(30))
    async with link(trunk) as it:
        await asyncio.sleep(0.01)  # the OPTIONS is out
        it.probed(Address("192.0.2.1", 5060), None)
        assert it.state(3).reason == "cannot be reached"
        assert (it.state(3).up, it.state(3).outstanding) == (False, 3)
        it.probed(Address("192.0.2.1", 5060), 200)
        assert it.state(0).up
    told = [(record.msg, record.__dict__.get("reason", "")) for record in caplog.records]
    assert ("trunk.down", "cannot be reached") in told
