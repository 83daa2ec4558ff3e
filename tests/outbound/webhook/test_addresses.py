from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from gateway.outbound.webhook.addresses import Addresses, Found, getaddrinfo

HERE: Found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]


class Names:
    """A name service that answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.slow = threading.Event()
        self.slow.set()

    def __call__(self, host: str, port: int) -> Found:
        self.asked.append(host)
        if host == "slow.example":
            self.slow.wait(10)
        if host == "unknown.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return HERE


async def test_addresses_need_no_looking_up() -> None:
    names = Names()
    addresses = Addresses(names)
    assert await addresses.of("192.0.2.1", 80) == [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("192.0.2.1", 80))
    ]
    assert await addresses.of("2001:db8::1", 81) == [
        (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("2001:db8::1", 81, 0, 0))
    ]
    assert names.asked == []
    addresses.close()


async def test_a_name_is_asked_for_once_and_remembered() -> None:
    names = Names()
    addresses = Addresses(names)
    found = await asyncio.gather(*[addresses.of("a.example", 80) for _ in range(5)])
    assert found == [HERE] * 5
    assert await addresses.of("a.example", 80) == HERE
    assert names.asked == ["a.example"]
    addresses.forget("a.example", 80)
    assert await addresses.of("a.example", 80) == HERE
    assert names.asked == ["a.example"] * 2
    addresses.close()


async def test_a_name_that_takes_long_keeps_nobody_else() -> None:
    names = Names()
    names.slow.clear()
    addresses = Addresses(names)
    slow = asyncio.create_task(addresses.of("slow.example", 80))
    other = asyncio.create_task(addresses.of("slow.example", 80))
    assert await addresses.of("a.example", 80) == HERE
    other.cancel()  # whoever has waited long enough takes nothing from the others
    await asyncio.gather(other, return_exceptions=True)
    assert not slow.done()
    names.slow.set()
    assert await slow == HERE
    assert names.asked.count("slow.example") == 1
    addresses.close()


async def test_a_name_that_nobody_knows_is_an_error_for_all_who_asked() -> None:
    names = Names()
    addresses = Addresses(names)
    for _ in range(2):
        with pytest.raises(OSError, match="not known"):
            await addresses.of("unknown.example", 80)
    assert names.asked == ["unknown.example"]  # nor is it asked for again at once
    addresses.close()


def test_localhost_is_known_to_the_system() -> None:
    assert ("127.0.0.1", 80) in [found[4] for found in getaddrinfo("localhost", 80)]
