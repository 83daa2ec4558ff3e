"""One UDP socket."""

import asyncio

import pytest

from gateway.protocol.sip.address import Address
from gateway.transport.sip_udp import UdpSocket, reachable

Inbox = asyncio.Queue[tuple[bytes, Address]]


async def test_a_datagram_comes_with_the_address_that_it_came_from() -> None:
    inbox = Inbox()
    here, there = UdpSocket(lambda *got: inbox.put_nowait(got)), UdpSocket(lambda *got: None)
    host, port = await here.bind(Address("127.0.0.1", 0))
    _, from_port = await there.bind(Address("127.0.0.1", 0))
    assert there.send(b"x", Address(host, port)) is None
    assert await inbox.get() == (b"x", Address("127.0.0.1", from_port))
    await here.close()
    await there.close()


@pytest.mark.parametrize("address", [Address("192.0.2.1", 5060), Address("no address", 5060)])
async def test_what_cannot_be_sent_is_told_at_once(address: Address) -> None:
    one = UdpSocket(lambda *got: None)
    await one.bind(Address("127.0.0.1", 0))
    assert isinstance(one.send(b"x", address), OSError)
    await one.close()


async def test_an_address_that_cannot_be_had_is_named() -> None:
    one, two = UdpSocket(lambda *got: None), UdpSocket(lambda *got: None)
    _, port = await one.bind(Address("127.0.0.1", 0))
    with pytest.raises(OSError, match=f"udp:127.0.0.1:{port}: "):
        await two.bind(Address("127.0.0.1", port))
    await one.close()


def test_a_wildcard_is_reached_by_the_address_of_the_default_route() -> None:
    assert reachable("192.0.2.7") == "192.0.2.7"
    assert reachable("0.0.0.0") not in ("", "0.0.0.0")
    assert reachable("::") not in ("", "::")


async def test_what_waits_in_the_kernel_is_known() -> None:
    inbox = Inbox()
    here, there = UdpSocket(lambda *got: inbox.put_nowait(got)), UdpSocket(lambda *got: None)
    assert here.backlog() == 0
    host, port = await here.bind(Address("127.0.0.1", 0))
    await there.bind(Address("127.0.0.1", 0))
    assert here.backlog() == 0
    for _ in range(20):  # the loop does not get to read them
        there.send(b"x" * 900, Address(host, port))
    assert here.backlog() >= 20 * 900
    for _ in range(20):
        await inbox.get()
    assert here.backlog() == 0
    await here.close()
    await there.close()
    assert here.backlog() == 0


async def test_what_was_read_waits_no_more_though_the_kernel_counts_it_until_its_batch_is_read() -> None:
    """A pause of the machine's looked like an overload, and every call after it was turned away."""
    waits: list[int] = []
    all_read = asyncio.Event()

    def received(data: bytes, source: Address) -> None:
        waits.append(here.backlog())
        if len(waits) == 41:
            all_read.set()

    here = UdpSocket(received)
    there = UdpSocket(lambda *got: None)
    host, port = await here.bind(Address("127.0.0.1", 0))
    await there.bind(Address("127.0.0.1", 0))
    for _ in range(40):
        there.send(b"x" * 900, Address(host, port))
    there.send(b"x" * 100, Address(host, port))
    before = here.backlog()
    async with asyncio.timeout(30):
        await all_read.wait()
    assert waits[20] <= before * 0.6 and waits[38] <= before * 0.2
    assert here.backlog() == 0
    await here.close()
    await there.close()
