"""An account's settings change while it has sessions; the rest is covered by the server's tests."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.config.model import Account, Seconds, Secret
from gateway.protocol.smpp.constants import ESME_ROK
from gateway.protocol.smpp.events import BindRequested, Event
from gateway.protocol.smpp.fields import EncodeError
from gateway.protocol.smpp.pdu import Bind as BindRequest
from gateway.protocol.smpp.pdu import BindReceiver, BindTransmitter, DeliverSm
from gateway.protocol.smpp.session import NotBound, SmppSession, WindowFull
from gateway.protocol.smpp.states import Role
from gateway.transport import smpp_account
from gateway.transport.smpp_account import Customer
from gateway.transport.smpp_link import SmppLink
from tests.peers.callbacks import asked

OLD = Account(system_id="acme", password=Secret("sesame"), service="alerts")


def link(customer: Customer, address: str = "192.0.2.1", bind: BindRequest | None = None) -> SmppLink:
    """A session of the account that is bound."""

    def handle(link: SmppLink, event: Event) -> None:
        if isinstance(event, BindRequested):
            link.session.answer_bind(event.pdu, ESME_ROK)

    session = SmppSession(Role.SMSC, now=asyncio.get_running_loop().time())
    link = SmppLink(session, "acme", handle, lambda link: None, lambda link: None)
    link.peer_address = address
    link.writable = True
    link.data_received((bind or BindReceiver()).encode(1))
    customer.links.append(link)
    return link


@pytest.mark.parametrize(
    ("change", "leave"),
    [
        ({}, []),
        ({"window": 7, "enquire_link": Seconds(3), "throughput": 5.0, "service": "other"}, []),
        ({"senders": ["12345"], "inbound": True, "outbind": "192.0.2.9:2776"}, []),
        ({"password": Secret("other")}, [0, 1, 2]),
        ({"system_id": "other"}, [0, 1, 2]),
        ({"allow": ["192.0.2.0/24"]}, [2]),
        ({"allow": []}, [0, 1, 2]),
        ({"sessions": 1}, [1, 2]),
        ({"sessions": 1, "allow": ["198.51.100.0/24"]}, [0, 1]),
    ],
)
async def test_only_sessions_that_could_not_bind_any_more_have_to_leave(
    change: dict[str, Any], leave: list[int]
) -> None:
    customer = Customer("acme", OLD)
    links = [link(customer, address) for address in ("192.0.2.1", "192.0.2.2", "198.51.100.1")]
    assert customer.configure(replace(OLD, **change)) == [links[index] for index in leave]
    assert customer.config == replace(OLD, **change)


async def test_sessions_that_stay_get_the_new_settings() -> None:
    customer = Customer("acme", OLD)
    session = link(customer).session
    bucket = customer.bucket
    customer.configure(replace(OLD, window=7, enquire_link=Seconds(3)))
    assert (session.window, session.enquire_link, customer.bucket) == (7, 3.0, bucket)
    customer.configure(replace(OLD, throughput=5.0))
    assert (session.window, customer.bucket.rate) == (100, 5.0)


async def test_a_transmitter_is_no_receiver() -> None:
    customer = Customer("acme", OLD)
    link(customer, bind=BindTransmitter())
    assert not customer.receives
    with pytest.raises(NotBound, match="acme has no session that receives"):
        await asked(customer.deliver, DeliverSm())
    link(customer)
    assert customer.receives


async def test_deliveries_that_wait_find_out_when_the_window_grows() -> None:
    customer = Customer("acme", replace(OLD, window=1))
    session = link(customer).session
    customer.configure(replace(OLD, window=1))
    waiting = [asked(customer.deliver, DeliverSm()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert session.outstanding == 1
    customer.configure(replace(OLD, window=2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert session.outstanding == 2
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_smpp_cannot_express_is_told_and_does_not_hold_up_the_others() -> None:
    customer = Customer("acme", OLD)
    session = link(customer).session
    told: list[int | Exception] = []
    customer.deliver(DeliverSm(source_addr=b"1" * 21), told.append)
    assert told == []  # never before deliver has returned
    customer.deliver(DeliverSm(), told.append)
    await asyncio.sleep(0)
    [fault] = told
    assert isinstance(fault, EncodeError)
    assert session.outstanding == 1


async def test_each_waits_for_room_from_when_it_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_account, "ROOM_SECONDS", 0.02)
    customer = Customer("acme", replace(OLD, window=1))
    link(customer)
    customer.configure(replace(OLD, window=1))
    told: list[tuple[int, int | Exception]] = []
    for number in range(3):
        customer.deliver(DeliverSm(), partial(lambda number, answer: told.append((number, answer)), number))
    async with asyncio.timeout(30):
        while len(told) < 2:
            await asyncio.sleep(0.005)
            customer.go_on()  # what brings no room does not begin the time anew
    assert [number for number, _ in told] == [1, 2]  # of the first nobody knows anything yet
    assert all(isinstance(answer, WindowFull) for _, answer in told)
