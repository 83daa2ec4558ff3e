"""What accounts ask about messages that they have submitted: query, cancel, replace, times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.config.model import Account, Secret
from gateway.inbound import stored
from gateway.inbound.accounts import REASSEMBLY_SECONDS, Accounts, source_name
from gateway.inbound.reassembly import Reassembly, Source
from gateway.inbound.stored import Stored
from gateway.outbound.control import Control
from gateway.protocol.smpp import constants, timestamp
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.operations import (
    CancelSm,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
)
from gateway.protocol.smpp.pdu import DataSm, DeliverSm, Request, Response, SubmitSm
from gateway.protocol.smpp.receipt import MessageState
from gateway.protocol.sms.coding import Coding
from gateway.values.message import Form
from gateway.values.outcome import Result, Status
from tests.peers.callbacks import asked

TO = b"447700900123"
SHOP = 'name = "Shop"\nassets = ["12345", "PIZZA"]\n'


class Desk:
    def __init__(self, world: Any) -> None:
        self.world = world
        self.got: list[DeliverSm] = []
        sources = {source_name(name): Source(REASSEMBLY_SECONDS, Coding.GSM) for name in ("acme", "other")}
        reassembly = Reassembly(sources, world.new_id)
        control = Control(store=world.store, clock=world.clock, timers=world.timers, pipeline=world.outbound)
        self.accounts = Accounts(
            accounts={
                name: Account(system_id=name, password=Secret("x"), service="shop")
                for name in ("acme", "other")
            },
            store=world.store,
            clock=world.clock,
            accepting=world.outbound,
            reassembly=reassembly,
            stored=Stored(
                store=world.store,
                clock=world.clock,
                control=control,
                load=world.outbound.load,
                waits=lambda account, id: reassembly.waits(source_name(account), id),
            ),
            deliver=self.deliver,
        )

    def deliver(self, account: str, pdu: DeliverSm, done: Callable[[str, bool], None]) -> None:
        self.got.append(pdu)
        asyncio.get_running_loop().call_soon(done, "", False)

    async def ask(self, request: Request, account: str = "acme") -> Response | tuple[int, str]:
        answer = await asked(self.accounts.requested, account, request)
        await self.world.settled()
        return answer

    async def status(self, request: Request, account: str = "acme") -> int:
        answer = await self.ask(request, account)
        return answer.command_status if isinstance(answer, Response) else answer[0]

    async def submit(self, **fields: Any) -> str:
        answer = await self.ask(submit_sm(**fields))
        assert isinstance(answer, tuple) and answer[0] == constants.ESME_ROK, answer
        return answer[1]

    async def later(self, **fields: Any) -> str:
        """A message that waits for its time, an hour from now."""
        return await self.submit(schedule_delivery_time=b"000000010000000R", **fields)

    async def state(self, id: str) -> MessageState:
        answer = await self.ask(QuerySm(message_id=id.encode()))
        assert isinstance(answer, QuerySmResp) and answer.message_id == id.encode()
        return MessageState(answer.message_state)

    async def hour(self) -> None:
        """An hour goes by."""
        self.world.clock.forward(3600)
        self.world.timers._due()
        await asyncio.gather(*self.world.outbound._tasks)
        await self.world.settled()


def submit_sm(**fields: Any) -> SubmitSm:
    usual: dict[str, Any] = {
        "source_addr": b"12345",
        "dest_addr_ton": 1,
        "destination_addr": TO,
        "registered_delivery": 1,
        "short_message": b"Hello",
    }
    return SubmitSm(**usual | fields)


@pytest.fixture
async def desk(open_world: Any) -> Desk:
    return Desk(await open_world(shop=SHOP))


# -- data_sm, message_payload, submit_multi -----------------------------------------------------------


@pytest.mark.parametrize("kind", [SubmitSm, DataSm])
async def test_a_text_may_come_in_message_payload(desk: Desk, kind: type[SubmitSm] | type[DataSm]) -> None:
    payload = pack_tlvs({constants.TLV_MESSAGE_PAYLOAD: b"long " * 100})
    pdu = kind(source_addr=b"12345", destination_addr=TO, registered_delivery=2, tlv_octets=payload)
    assert await desk.status(pdu) == constants.ESME_ROK
    [message] = desk.world.sms.sent
    assert (message.text, message.receipt_wanted) == ("long " * 100, 2)


async def test_a_submit_multi_is_a_message_for_each_destination(desk: Desk) -> None:
    answer = await desk.ask(
        SubmitMulti(
            source_addr=b"12345",
            destinations=((1, 1, b"12"), (1, 1, TO), b"friends", (1, 1, b"447700900124")),
            registered_delivery=1,
            short_message=b"Hello all",
        )
    )
    assert isinstance(answer, SubmitMultiResp) and answer.command_status == constants.ESME_ROK
    assert answer.unsuccessful == (
        (1, 1, b"12", constants.ESME_RINVDSTADR),
        (0, 0, b"friends", constants.ESME_RINVDLNAME),
    )
    assert [m.recipient for m in desk.world.sms.sent] == ["+447700900123", "+447700900124"]
    assert desk.world.texts == ["Hello all"] * 2
    first, second = desk.world.sms.sent
    assert answer.message_id == first.id.encode() and second.correlationid == first.id


async def test_a_submit_multi_to_nobody_is_refused(desk: Desk) -> None:
    multi = SubmitMulti(source_addr=b"12345", destinations=((1, 1, b"12"),), short_message=b"Hi")
    assert await desk.status(multi) == constants.ESME_RINVDSTADR
    assert await desk.status(SubmitMulti(source_addr=b"12345")) == constants.ESME_RINVNUMDESTS


async def test_by_the_id_of_a_submit_multi_all_its_messages_are_replaced_and_cancelled(desk: Desk) -> None:
    numbers = [b"4477009%05d" % n for n in range(254)]
    multi = SubmitMulti(
        source_addr=b"12345",
        destinations=tuple((1, 1, number) for number in numbers),
        schedule_delivery_time=b"000000010000000R",
        short_message=b"Hello all",
    )
    answer = await desk.ask(multi)
    assert isinstance(answer, SubmitMultiResp)
    id = answer.message_id
    alone = await desk.later(destination_addr=numbers[0])
    assert await desk.status(ReplaceSm(message_id=id, short_message=b"Better"), "other") != 0
    assert await desk.status(ReplaceSm(message_id=id, short_message=b"Better")) == constants.ESME_ROK
    one = CancelSm(message_id=id, dest_addr_ton=1, destination_addr=numbers[200])
    assert [await desk.status(one) for _ in range(2)] == [constants.ESME_ROK, constants.ESME_RCANCELFAIL]
    assert [(m.recipient, m.text) for m in await desk.world.messages(status="failed")] == [
        ("+" + numbers[200].decode(), "Better")
    ]
    assert await desk.status(CancelSm(message_id=id), "other") == constants.ESME_RINVMSGID
    assert await desk.status(CancelSm(message_id=id)) == constants.ESME_ROK
    await desk.hour()
    assert [m.id for m in desk.world.sms.sent] == [alone]
    assert await desk.status(CancelSm(message_id=id)) == constants.ESME_RCANCELFAIL


# -- query_sm -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "code", "state", "error_code"),
    [
        (None, "", MessageState.ENROUTE, 0),
        (Result.ACCEPTED, "", MessageState.ENROUTE, 0),
        (Result.DELIVERED, "000", MessageState.DELIVERED, 0),
        (Result.EXPIRED, "", MessageState.EXPIRED, 0),
        (Result.UNDELIVERED, "005", MessageState.UNDELIVERABLE, 5),
        (Result.REJECTED, "ESME_RINVDSTADR", MessageState.UNDELIVERABLE, 0),
        (Result.IN_DOUBT, "", MessageState.UNKNOWN, 0),
    ],
)
async def test_a_query_tells_the_state(
    desk: Desk, result: Result | None, code: str, state: MessageState, error_code: int
) -> None:
    id = await desk.submit()
    if result is not None:
        await desk.world.outcome(desk.world.sms.sent[0], result, "why", code)
    answer = await desk.ask(QuerySm(message_id=id.encode(), source_addr=b"12345"))
    assert isinstance(answer, QuerySmResp)
    assert (answer.command_status, answer.message_id) == (constants.ESME_ROK, id.encode())
    assert (answer.message_state, answer.error_code) == (state, error_code)
    final = timestamp.absolute(desk.world.clock.now())
    assert answer.final_date == (b"" if state is MessageState.ENROUTE else final)
    assert answer.encode(1)


async def test_nobody_learns_of_anothers_messages(desk: Desk) -> None:
    id = (await desk.later()).encode()
    for request in (QuerySm(message_id=id), CancelSm(message_id=id), ReplaceSm(message_id=id)):
        assert await desk.status(request, "other") == constants.ESME_RINVMSGID
    assert await desk.state(id.decode()) is MessageState.ENROUTE


@pytest.mark.parametrize("id", [b"no-such", b"", b"\xff\xfe"])
async def test_an_unknown_id_is_invalid(desk: Desk, id: bytes) -> None:
    assert await desk.status(QuerySm(message_id=id)) == constants.ESME_RINVMSGID
    assert await desk.status(ReplaceSm(message_id=id)) == constants.ESME_RINVMSGID
    if id:
        assert await desk.status(CancelSm(message_id=id)) == constants.ESME_RINVMSGID


async def test_another_source_than_the_messages_fails(desk: Desk) -> None:
    id = (await desk.later()).encode()
    assert await desk.status(QuerySm(message_id=id, source_addr=b"PIZZA")) == constants.ESME_RQUERYFAIL
    assert await desk.status(CancelSm(message_id=id, source_addr=b"PIZZA")) == constants.ESME_RCANCELFAIL
    assert await desk.status(ReplaceSm(message_id=id, source_addr=b"PIZZA")) == constants.ESME_RREPLACEFAIL


# -- schedule_delivery_time and validity_period -------------------------------------------------------


async def test_a_scheduled_message_goes_out_at_its_time_even_after_a_restart(desk: Desk) -> None:
    id = await desk.later()
    assert desk.world.texts == [] and await desk.state(id) is MessageState.ENROUTE
    await desk.world.restart()
    desk = Desk(desk.world)
    await desk.hour()
    assert [m.id for m in desk.world.sms.sent] == [id]
    assert await desk.world.store.timers() == []


async def test_an_absolute_time_is_read_with_its_zone(desk: Desk) -> None:
    now = desk.world.clock.now()
    at = timestamp.absolute(now + 7200 + 3600)[:13] + b"08+"  # 08: two hours ahead of UTC
    await desk.submit(schedule_delivery_time=at)
    assert desk.world.texts == []
    await desk.hour()
    assert desk.world.texts == ["Hello"]


async def test_a_message_that_no_carrier_takes_in_its_validity_expires(desk: Desk) -> None:
    id = await desk.submit(validity_period=b"000000010000000R")
    [timer] = await desk.world.store.timers()
    assert timer.due == desk.world.clock.now() + 3600
    await desk.hour()
    assert await desk.state(id) is MessageState.EXPIRED


@pytest.mark.parametrize(
    ("schedule", "validity", "status"),
    [
        (b"tomorrow", b"", constants.ESME_RINVSCHED),
        (b"200101000000000+", b"", constants.ESME_RINVSCHED),
        (b"990000000000000R", b"", constants.ESME_RINVSCHED),
        (b"", b"never", constants.ESME_RINVEXPIRY),
        (b"", b"200101000000000+", constants.ESME_RINVEXPIRY),
        (b"", b"000000000000000R", constants.ESME_RINVEXPIRY),
        (b"000002000000000R", b"000001000000000R", constants.ESME_RINVEXPIRY),
    ],
)
async def test_times_that_cannot_be_are_refused(
    desk: Desk, schedule: bytes, validity: bytes, status: int
) -> None:
    pdu = submit_sm(schedule_delivery_time=schedule, validity_period=validity)
    assert await desk.status(pdu) == status
    assert await desk.world.messages() == []
    id = (await desk.later()).encode()
    change = ReplaceSm(
        message_id=id, schedule_delivery_time=schedule, validity_period=validity, short_message=b"x"
    )
    assert await desk.status(change) == status


# -- cancel_sm ----------------------------------------------------------------------------------------


async def test_a_held_message_can_be_cancelled_and_its_receipt_says_deleted(desk: Desk) -> None:
    id = await desk.later()
    assert await desk.status(CancelSm(message_id=id.encode(), source_addr=b"12345", destination_addr=TO)) == 0
    assert await desk.state(id) is MessageState.DELETED
    await desk.hour()
    assert desk.world.texts == [] and await desk.world.store.timers() == []
    [body] = desk.world.notifier.to("smpp:acme")
    assert (body["status"], body["code"], body["reason"]) == (
        "failed",
        "cancelled",
        "cancelled by account acme",
    )
    assert await desk.status(CancelSm(message_id=id.encode())) == constants.ESME_RCANCELFAIL  # only once


async def test_a_message_in_its_carriers_queue_can_be_cancelled(desk: Desk) -> None:
    id = await desk.submit()
    assert await desk.status(CancelSm(message_id=id.encode())) == constants.ESME_ROK
    assert desk.world.sms.abandoned == [id]
    assert await desk.world.store.effects() == []
    assert await desk.state(id) is MessageState.DELETED


@pytest.mark.parametrize("kind", [CancelSm, ReplaceSm])
async def test_what_a_carrier_may_have_is_not_called_back(desk: Desk, kind: type[CancelSm]) -> None:
    id = await desk.submit()
    await desk.world.outbound.hand_over([f"{id}/0"], "north")
    fields = {} if kind is CancelSm else {"short_message": b"Other"}
    status = constants.ESME_RCANCELFAIL if kind is CancelSm else constants.ESME_RREPLACEFAIL
    assert await desk.status(kind(message_id=id.encode(), **fields)) == status
    await desk.world.outcome(desk.world.sms.sent[0], Result.ACCEPTED)
    assert await desk.status(kind(message_id=id.encode(), **fields)) == status
    assert desk.world.sms.abandoned == []


async def test_all_that_wait_between_two_addresses_can_be_cancelled(desk: Desk) -> None:
    ids = [await desk.later() for _ in range(2)]
    others = [await desk.later(destination_addr=b"447700900124"), await desk.later(source_addr=b"PIZZA")]
    group = CancelSm(source_addr=b"12345", dest_addr_ton=1, destination_addr=TO)
    assert await desk.status(group, "other") == constants.ESME_RCANCELFAIL
    assert await desk.status(group) == constants.ESME_ROK
    assert {await desk.state(id) for id in ids} == {MessageState.DELETED}
    assert {await desk.state(id) for id in others} == {MessageState.ENROUTE}
    assert await desk.status(group) == constants.ESME_RCANCELFAIL


async def test_a_cancel_that_cannot_be_stored_changes_nothing(desk: Desk) -> None:
    id = await desk.submit()
    desk.world.store.refuses = "later"
    assert await desk.status(CancelSm(message_id=id.encode())) == constants.ESME_RSYSERR
    desk.world.store.refuses = ""
    await asyncio.gather(*desk.world.outbound._tasks)
    assert [m.id for m in desk.world.sms.sent] == [id, id]  # it is in the channel's queue again
    assert await desk.state(id) is MessageState.ENROUTE


# -- replace_sm, replace_if_present_flag --------------------------------------------------------------


async def test_a_held_message_can_be_replaced(desk: Desk) -> None:
    id = await desk.later()
    change = ReplaceSm(
        message_id=id.encode(), source_addr=b"12345", short_message=b"Better", registered_delivery=2
    )
    assert await desk.status(change) == constants.ESME_ROK
    await desk.hour()
    [message] = desk.world.sms.sent
    assert (message.id, message.text, message.receipt_wanted) == (id, "Better", 2)


async def test_a_message_in_its_carriers_queue_can_be_replaced_and_put_off(desk: Desk) -> None:
    id = await desk.submit()
    assert await desk.status(ReplaceSm(message_id=id.encode(), short_message=b"Second")) == 0
    assert desk.world.texts == ["Hello", "Second"] and desk.world.sms.abandoned == [id]
    change = ReplaceSm(
        message_id=id.encode(), short_message=b"Third", schedule_delivery_time=b"000000010000000R"
    )
    assert await desk.status(change) == constants.ESME_ROK
    assert await desk.world.store.effects() == []
    await desk.hour()
    assert desk.world.texts == ["Hello", "Second", "Third"]
    [stored] = await desk.world.messages()
    assert (stored.text, stored.plan[0].text) == ("Third", "Third")


async def test_a_new_validity_counts_from_now(desk: Desk) -> None:
    id = await desk.submit()
    change = ReplaceSm(message_id=id.encode(), short_message=b"x", validity_period=b"000000010000000R")
    assert await desk.status(change) == constants.ESME_ROK
    await desk.hour()
    assert await desk.state(id) is MessageState.EXPIRED


async def test_a_replacement_is_read_in_the_alphabet_of_the_message(desk: Desk) -> None:
    id = await desk.later(short_message="Пицца".encode("utf-16-be"), data_coding=8)
    change = ReplaceSm(message_id=id.encode(), short_message="Суп".encode("utf-16-be"))
    assert await desk.status(change) == constants.ESME_ROK
    assert (await desk.world.store.message(id)).text == "Суп"


async def test_a_replacement_must_say_something(desk: Desk) -> None:
    id = await desk.later()
    assert await desk.status(ReplaceSm(message_id=id.encode())) == constants.ESME_RINVMSGLEN


async def test_replace_if_present_takes_the_place_of_what_waits(desk: Desk) -> None:
    id = await desk.later()
    again = submit_sm(short_message=b"Newer", replace_if_present_flag=1)
    assert await desk.ask(again) == (constants.ESME_ROK, id)
    await desk.hour()
    assert desk.world.texts == ["Newer"]
    await desk.world.outcome(desk.world.sms.sent[0], Result.ACCEPTED)
    status, other = await desk.ask(again)  # nothing waits any more
    assert status == constants.ESME_ROK and other != id
    assert (await desk.world.store.message(other)).status is Status.QUEUED


CONCAT = (b"\5\0\3\7\2\1", b"\5\0\3\7\2\2")


async def test_a_message_is_known_by_the_id_of_each_of_its_segments(desk: Desk) -> None:
    first, second = (
        submit_sm(esm_class=0x40, short_message=head + b"half", schedule_delivery_time=b"000000010000000R")
        for head in CONCAT
    )
    _, one = await desk.ask(first)
    assert await desk.state(one) is MessageState.ENROUTE
    assert await desk.status(QuerySm(message_id=one.encode()), "other") == constants.ESME_RINVMSGID
    early = CancelSm(message_id=one.encode()), ReplaceSm(message_id=one.encode(), short_message=b"x")
    failed = [constants.ESME_RCANCELFAIL, constants.ESME_RREPLACEFAIL]
    assert [await desk.status(request) for request in early] == failed
    assert [await desk.status(request, "other") for request in early] == [constants.ESME_RINVMSGID] * 2
    _, two = await desk.ask(second)
    base = one.removesuffix("-1")
    assert two == f"{base}-2" and await desk.state(two) is MessageState.ENROUTE
    change = ReplaceSm(message_id=one.encode(), registered_delivery=2, short_message=b"final")
    assert await desk.status(change) == constants.ESME_ROK
    stored = await desk.world.outbound.load(base)
    assert (stored.text, stored.part_receipts, stored.receipt_wanted) == ("final", b"\2\2", 0)
    assert await desk.status(CancelSm(message_id=two.encode())) == constants.ESME_ROK
    assert await desk.state(one) is MessageState.DELETED
    for nobodys in ("-0", "-3", "-x", "-", "-\u00b2"):
        answer = await desk.status(QuerySm(message_id=f"{base}{nobodys}".encode("latin-1")))
        assert answer == constants.ESME_RINVMSGID
    assert await desk.status(QuerySm(message_id=f"{await desk.later()}-1".encode())) != constants.ESME_ROK


async def test_octets_are_replaced_by_octets_and_a_class_stays(desk: Desk) -> None:
    octets = await desk.later(data_coding=4, protocol_id=0x7F)
    flash = await desk.later(data_coding=0x10)
    for id in (octets, flash):
        change = ReplaceSm(message_id=id.encode(), short_message=b"New")
        assert await desk.status(change) == constants.ESME_ROK
    await desk.hour()
    assert {(message.text, message.plan[0].form) for message in desk.world.sms.sent} == {
        ("4e6577", Form(raw=True, octets=b"New", data_coding=4, protocol_id=0x7F)),
        ("New", Form(data_coding=0x10)),
    }


async def test_what_replaces_a_message_brings_its_own_form(desk: Desk) -> None:
    await desk.later(data_coding=4)
    [message] = await desk.world.messages()
    again = submit_sm(data_coding=0x10, short_message=b"Newer", replace_if_present_flag=1)
    assert await desk.ask(again) == (constants.ESME_ROK, message.id)
    stored = await desk.world.outbound.load(message.id)
    assert (stored.text, stored.plan[0].form) == ("Newer", Form(data_coding=0x10))


async def test_a_service_type_tells_apart_what_is_replaced_and_cancelled(desk: Desk) -> None:
    news = await desk.later(service_type=b"NEWS")
    for service_type, taken in ((b"", False), (b"NEWS", True)):
        pdu = submit_sm(
            service_type=service_type, replace_if_present_flag=1, schedule_delivery_time=b"000000010000000R"
        )
        assert (await desk.ask(pdu) == (constants.ESME_ROK, news)) is taken
    group = CancelSm(source_addr=b"12345", dest_addr_ton=1, destination_addr=TO, service_type=b"NEWS")
    assert await desk.status(group) == constants.ESME_ROK
    assert await desk.status(group) == constants.ESME_RCANCELFAIL
    assert [str(message.status) for message in await desk.world.messages()] == ["failed", "queued"]


async def test_a_group_of_any_size_is_cancelled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_PAGE", 3)
    ids = [await desk.later() for _ in range(8)]
    group = CancelSm(source_addr=b"12345", dest_addr_ton=1, destination_addr=TO)
    assert await desk.status(group) == constants.ESME_ROK
    assert [await desk.state(id) for id in ids] == [MessageState.DELETED] * 8


async def test_a_group_without_a_destination_is_nobodys(desk: Desk) -> None:
    id = await desk.later(service_type=b"NEWS")
    group = CancelSm(source_addr=b"12345", service_type=b"NEWS")
    assert await desk.status(group) == constants.ESME_RCANCELFAIL
    assert await desk.state(id) is MessageState.ENROUTE


async def test_a_long_message_takes_the_place_of_what_waits(desk: Desk) -> None:
    waits, other = await desk.later(), await desk.later(service_type=b"NEWS")
    for head in CONCAT:
        pdu = submit_sm(esm_class=0x40, short_message=head + b"half", replace_if_present_flag=1)
        assert await desk.status(pdu) == constants.ESME_ROK
    assert desk.world.texts == ["halfhalf"]
    assert [await desk.state(id) for id in (waits, other)] == [MessageState.DELETED, MessageState.ENROUTE]
