"""Peers that submit to us: statuses, long messages, receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict, replace

from gateway.config.model import Account, Secret
from gateway.inbound import accounts
from gateway.inbound.accounts import REASSEMBLY_SECONDS, Accounts, source_name
from gateway.inbound.deliveries import receipt
from gateway.inbound.reassembly import Reassembly, Source
from gateway.inbound.stored import Stored
from gateway.outbound.control import Control
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.operations import SubmitMulti, SubmitMultiResp
from gateway.protocol.smpp.pdu import DeliverSm, SubmitSm
from gateway.protocol.smpp.receipt import MessageState, parse
from gateway.protocol.sms import user_data
from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.segments import LongMethod, split
from gateway.values.errors import BadInput
from gateway.values.message import Form
from gateway.values.outcome import Result, Status
from gateway.values.work import Notification
from tests.peers.callbacks import asked

CUSTOMER = "+447700900123"
SHOP = 'name = "Shop"\nassets = ["12345", "PIZZA"]\n'
LONG = "0123456789" * 40  # three parts


class Peer:
    """An account's session: keeps what is delivered to it, and takes it unless it has a `refusal`."""

    def __init__(self) -> None:
        self.got: list[tuple[str, DeliverSm]] = []
        self.refusal = ""

    def deliver(self, account: str, pdu: DeliverSm, done: Callable[[str, bool], None]) -> None:
        self.got.append((account, pdu))
        asyncio.get_running_loop().call_soon(done, self.refusal, False)


class Desk:
    """Accounts over a World, and the peer behind them."""

    def __init__(self, world: Any, reassembly: Reassembly) -> None:
        self.world, self.peer = world, Peer()
        self.settings = {"acme": Account(system_id="acme", password=Secret("x"), service="shop")}
        self.accounts = Accounts(
            accounts=self.settings,
            store=world.store,
            clock=world.clock,
            accepting=world.outbound,
            reassembly=reassembly,
            stored=Stored(
                store=world.store,
                clock=world.clock,
                control=Control(
                    store=world.store, clock=world.clock, timers=world.timers, pipeline=world.outbound
                ),
                load=world.outbound.load,
                waits=lambda account, id: reassembly.waits(source_name(account), id),
            ),
            deliver=self.peer.deliver,
        )

    async def submitted(self, *pdus: SubmitSm) -> list[tuple[int, str]]:
        answers = [await asked(self.accounts.requested, "acme", pdu) for pdu in pdus]
        await self.world.settled()
        return answers


def reassembly(world: Any) -> Reassembly:
    return Reassembly({source_name("acme"): Source(REASSEMBLY_SECONDS, Coding.GSM)}, world.new_id)


@pytest.fixture
async def desk(open_world: Any) -> Desk:
    world = await open_world(shop=SHOP)
    return Desk(world, reassembly(world))


def submit_sm(
    text: str = "Hello",
    *,
    to: bytes = b"447700900123",
    sender: bytes = b"12345",
    registered: int = 1,
    esm_class: int = 0,
) -> list[SubmitSm]:
    return [
        SubmitSm(
            source_addr=sender,
            dest_addr_ton=1,
            destination_addr=to,
            esm_class=0x40 if cut.udhi else esm_class,
            registered_delivery=registered,
            data_coding=int(cut.data_coding),
            short_message=cut.octets,
        )
        for cut in split(text, reference=3, method=LongMethod.UDH8)
    ]


async def test_a_submit_sm_is_durable_before_it_is_answered(desk: Desk) -> None:
    [(status, id)] = [await asked(desk.accounts.requested, "acme", pdu) for pdu in submit_sm("Hi €")]
    stored = await desk.world.store.message(id)
    assert status == constants.ESME_ROK
    assert (stored.text, stored.recipient, stored.sender) == ("Hi €", CUSTOMER, "12345")
    assert (stored.account, stored.service, stored.receipt_wanted) == ("acme", "shop", 1)
    assert desk.world.texts == ["Hi €"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"to": b"12"}, constants.ESME_RINVDSTADR),
        ({"to": b"12345"}, constants.ESME_RINVDSTADR),
        ({"sender": b"99999"}, constants.ESME_RINVSRCADR),
        ({"sender": b"9"}, constants.ESME_RINVSRCADR),
        ({"sender": b"\xff\xfe"}, constants.ESME_RINVSRCADR),
        ({"sender": b"twelve signs"}, constants.ESME_RINVSRCADR),
        ({"text": ""}, constants.ESME_RINVMSGLEN),
        ({"text": "", "esm_class": 0x40}, constants.ESME_RINVMSGLEN),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_status(
    desk: Desk, fields: dict[str, Any], status: int
) -> None:
    assert await desk.submitted(*submit_sm(**fields)) == [(status, "")]
    assert await desk.world.messages() == []


async def test_no_sender_means_the_services_own(desk: Desk) -> None:
    await desk.submitted(*submit_sm(sender=b""))
    assert [m.sender for m in desk.world.sms.sent] == ["12345"]


async def test_an_account_may_be_held_to_some_of_its_services_senders(desk: Desk) -> None:
    desk.settings["acme"] = Account(system_id="acme", password=Secret("x"), service="shop", senders=["PIZZA"])
    assert await desk.submitted(*submit_sm()) == [(constants.ESME_RINVSRCADR, "")]
    await desk.submitted(*submit_sm(sender=b"PIZZA"), *submit_sm(sender=b""))
    assert [m.sender for m in desk.world.sms.sent] == ["PIZZA", "PIZZA"]
    desk.settings["acme"] = replace(desk.settings["acme"], senders=["12345"])  # as a reload does
    assert await desk.submitted(*submit_sm(sender=b"PIZZA")) == [(constants.ESME_RINVSRCADR, "")]
    await desk.submitted(*submit_sm())
    assert [m.sender for m in desk.world.sms.sent][2:] == ["12345"]


async def test_a_suspended_service_sends_nothing(open_world: Any) -> None:
    world = await open_world(shop='status = "suspended"\n' + SHOP)
    desk = Desk(world, reassembly(world))
    assert await desk.submitted(*submit_sm()) == [(constants.ESME_RSUBMITFAIL, "")]


async def test_too_much_at_once_is_told_so(desk: Desk) -> None:
    desk.world.outbound._queue_limit = 0
    assert await desk.submitted(*submit_sm()) == [(constants.ESME_RMSGQFUL, "")]
    assert set(await desk.submitted(*submit_sm(LONG))) == {(constants.ESME_RMSGQFUL, "")}


@pytest.mark.parametrize("text", ["Hello", LONG])
async def test_a_store_that_fails_is_a_system_error_and_nothing_was_taken(desk: Desk, text: str) -> None:
    desk.world.store.refuses = "later"
    assert set(await desk.submitted(*submit_sm(text))) == {(constants.ESME_RSYSERR, "")}
    desk.world.store.refuses = ""
    answers = await desk.submitted(*submit_sm(text))
    assert {status for status, _ in answers} == {constants.ESME_ROK}
    assert desk.world.texts == [text]


async def test_a_full_store_tells_long_messages_too(desk: Desk) -> None:
    desk.world.store.refuses = "at once"
    assert set(await desk.submitted(*submit_sm(LONG))) == {(constants.ESME_RMSGQFUL, "")}


async def test_the_parts_of_a_long_message_go_out_as_one_and_each_has_an_id(desk: Desk) -> None:
    first, second, third = submit_sm(LONG)
    answers = await desk.submitted(third, first, second)
    [message] = desk.world.sms.sent
    assert message.text == LONG
    assert answers == [(constants.ESME_ROK, f"{message.id}-{part}") for part in (3, 1, 2)]


async def test_a_part_that_comes_again_has_its_id(desk: Desk) -> None:
    first, _, _ = submit_sm(LONG)
    [(_, id), again] = await desk.submitted(first, first)
    assert again == (constants.ESME_ROK, id)


async def test_parts_survive_a_restart_with_their_ids_and_wishes(desk: Desk) -> None:
    first, second, third = submit_sm(LONG)
    before = await desk.submitted(first, replace(second, registered_delivery=0))
    world = desk.world
    await world.restart()
    parts = reassembly(world)
    await parts.start(world.store)
    assert parts.waits(source_name("acme"), before[0][1])
    after = await Desk(world, parts).submitted(third)
    [message] = world.sms.sent
    assert (message.text, message.part_receipts) == (LONG, bytes((1, 0, 1)))
    assert [id for _, id in before + after] == [f"{message.id}-{part}" for part in (1, 2, 3)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"to": b"12345"}, constants.ESME_RINVDSTADR),
        ({"sender": b"99999"}, constants.ESME_RINVSRCADR),
        ({"sender": b"9"}, constants.ESME_RINVSRCADR),
    ],
)
async def test_what_is_wrong_with_a_long_message_is_said_of_each_part(
    desk: Desk, fields: dict[str, Any], status: int
) -> None:
    assert await desk.submitted(*submit_sm(LONG, **fields)) == [(status, "")] * 3
    assert await desk.world.store.parts() == []


async def test_an_earlier_message_that_makes_room_goes_out_as_far_as_it_came(desk: Desk) -> None:
    await desk.submitted(submit_sm(LONG)[0])
    [(status, id)] = await desk.submitted(submit_sm("abcdefghij" * 40)[0])
    assert status == constants.ESME_ROK and id
    assert [LONG.startswith(text) for text in desk.world.texts] == [True]


async def test_parts_whose_others_never_came_are_sent_when_their_time_is_up(desk: Desk) -> None:
    await desk.submitted(submit_sm(LONG)[0])
    desk.world.clock.forward(REASSEMBLY_SECONDS)
    await desk.accounts.expire_parts()
    assert [text == LONG[: len(text)] for text in desk.world.texts] == [True]
    assert await desk.world.store.parts() == []


async def test_parts_of_an_account_that_is_gone_are_dropped(desk: Desk) -> None:
    await desk.submitted(submit_sm(LONG)[0])
    desk.settings.clear()
    desk.world.clock.forward(REASSEMBLY_SECONDS)
    await desk.accounts.expire_parts()
    assert desk.world.texts == [] and await desk.world.store.parts() == []


async def carried_out(desk: Desk, owed: Notification) -> str:
    """ "" when it was taken, else why not."""
    answer = asyncio.get_running_loop().create_future()
    desk.accounts.send([owed], lambda reason, away, for_good=False: answer.set_result(reason))
    assert not answer.done()
    return str(await answer)


async def notification(desk: Desk, result: Result, code: str = "") -> Notification:
    """What the status of a message that the account submitted comes to."""
    await desk.submitted(*submit_sm())
    message = desk.world.sms.sent[-1]
    desk.world.clock.forward(60)
    await desk.world.outcome(message, Result.ACCEPTED)
    await desk.world.outcome(message, result, "why", code)
    [body] = desk.world.notifier.to("smpp:acme")
    return Notification(
        id="n",
        ref=message.id,
        service="shop",
        url="smpp:acme",
        body=msgspec.json.encode(body),
        due=0.0,
        created_at=0.0,
    )


@pytest.mark.parametrize(
    ("result", "code", "state", "err"),
    [
        (Result.DELIVERED, "000", MessageState.DELIVERED, "000"),
        (Result.UNDELIVERED, "005", MessageState.UNDELIVERABLE, "005"),
        (Result.UNDELIVERED, "ESME_RINVDSTADR", MessageState.UNDELIVERABLE, "000"),
        (Result.EXPIRED, "", MessageState.EXPIRED, "000"),
    ],
)
async def test_a_receipt_reads_as_the_standard_writes_it(
    desk: Desk, result: Result, code: str, state: MessageState, err: str
) -> None:
    owed = await notification(desk, result, code)
    assert await carried_out(desk, owed) == ""
    [(account, pdu)] = desk.peer.got
    assert (account, pdu.esm_class) == ("acme", 0x04)
    assert (pdu.source_addr, pdu.destination_addr) == (b"447700900123", b"12345")
    told = parse(pdu.short_message)
    assert told is not None
    assert (told.message_id, told.state, told.err) == (owed.ref, state, err)
    assert told.submit_date is not None and told.done_date is not None
    assert told.submit_date.at is not None and told.done_date.at is not None
    assert (told.done_date.at - told.submit_date.at).total_seconds() == 60
    assert pdu.encode(1)


async def test_a_receipt_that_the_account_refuses_is_owed_further(desk: Desk) -> None:
    owed = await notification(desk, Result.DELIVERED)
    desk.peer.refusal = "deliver_sm_resp 0x00000064"
    assert await carried_out(desk, owed) == "deliver_sm_resp 0x00000064"


async def test_a_status_in_doubt_is_unknown_to_the_account(desk: Desk) -> None:
    await desk.submitted(*submit_sm())
    await desk.world.outcome(desk.world.sms.sent[-1], Result.IN_DOUBT)
    [body] = desk.world.notifier.to("smpp:acme")
    assert body["status"] == Status.IN_DOUBT


async def test_each_part_gets_the_receipt_that_it_asked_for(desk: Desk) -> None:
    pdus = [
        replace(pdu, registered_delivery=wanted)
        for pdu, wanted in zip(submit_sm(LONG), (0, 2, 1), strict=True)
    ]
    await desk.submitted(*pdus)
    [message] = desk.world.sms.sent
    await desk.world.outcome(message, Result.DELIVERED)
    bodies = desk.world.notifier.to("smpp:acme")
    assert [(body["transid"], body["part"]) for body in bodies] == [(message.id, 3)]


async def test_a_receipt_speaks_of_the_accounts_own_reference(desk: Desk) -> None:
    [pdu] = submit_sm()
    await desk.submitted(replace(pdu, tlv_octets=pack_tlvs({0x0204: b"\x01\x2a"})), pdu)
    for message in list(desk.world.sms.sent):
        await desk.world.outcome(message, Result.DELIVERED)
    bodies = desk.world.notifier.to("smpp:acme")
    assert [body.get("user_message_reference") for body in bodies] == ["012a", None]


async def test_a_submit_multi_of_a_segment_is_one_too(desk: Desk) -> None:
    numbers = ((1, 1, b"447700900123"), (1, 1, b"447700900124"))
    answers = []
    for pdu in submit_sm(LONG):
        fields = {name: value for name, value in asdict(pdu).items() if not name.startswith("dest")}
        answer = await asked(desk.accounts.requested, "acme", SubmitMulti(**fields, destinations=numbers))
        assert isinstance(answer, SubmitMultiResp) and answer.unsuccessful == ()
        answers.append(answer.message_id.decode())
    await desk.world.settled()
    for message in list(desk.world.sms.sent):
        await desk.world.outcome(message, Result.DELIVERED)
    told = [receipt(body) for body in desk.world.notifier.to("smpp:acme")]
    assert [(pdu.source_addr, pdu.tlvs[0x001E].rstrip(b"\0").decode()) for pdu in told] == [
        (number, id) for _, _, number in numbers for id in answers
    ]


async def test_octets_go_out_as_they_were_submitted(desk: Desk) -> None:
    ports = bytes.fromhex("0605040b8423f0")
    [pdu] = submit_sm()
    wap = replace(pdu, esm_class=0x40, data_coding=0xF5, short_message=ports + b"\x01\xae")
    flash = replace(pdu, data_coding=0x10, protocol_id=0x41)
    await desk.submitted(wap, flash)
    assert [(m.text, m.plan[0].form) for m in desk.world.sms.sent] == [
        (
            "port 2948 from 9200: 01ae",
            Form(raw=True, octets=b"\x01\xae", udh=ports, data_coding=0xF5),
        ),
        ("Hello", Form(data_coding=0x10, protocol_id=0x41)),
    ]


async def test_the_parts_of_binary_come_together_as_binary(desk: Desk) -> None:
    parts = [
        SubmitSm(
            source_addr=b"12345",
            destination_addr=b"447700900123",
            esm_class=0x40,
            data_coding=4,
            service_type=b"WAP",
            short_message=cut.octets,
        )
        for cut in user_data.split(bytes(300), 4, header=bytes.fromhex("0605040b8423f0"))
    ]
    await desk.submitted(*parts)
    [message] = desk.world.sms.sent
    assert message.plan[0].form == Form(
        raw=True, octets=bytes(300), udh=bytes.fromhex("0605040b8423f0"), data_coding=4, service_type="WAP"
    )


async def test_a_long_message_beyond_what_a_carrier_takes_is_refused_at_its_last_part(desk: Desk) -> None:
    parts = [
        SubmitSm(
            source_addr=b"12345",
            destination_addr=b"447700900123",
            esm_class=0x40,
            short_message=bytes((5, 0, 3, 9, 255, part)) + b"x" * 160,
        )
        for part in range(1, 256)
    ]
    statuses = [status for status, _ in await desk.submitted(*parts)]
    assert statuses == [0] * 254 + [constants.ESME_RINVMSGLEN]
    assert await desk.world.store.parts() == []


async def test_where_segments_pass_through_each_is_a_message(desk: Desk) -> None:
    desk.settings["acme"] = Account(
        system_id="acme", password=Secret("x"), service="shop", long_messages="pass-through"
    )
    pdus = submit_sm(LONG)
    answers = await desk.submitted(*pdus)
    sent = desk.world.sms.sent
    assert [(constants.ESME_ROK, message.id) for message in sent] == answers
    assert "".join(message.text for message in sent) == LONG
    assert [m.plan[0].form.octets for m in sent] == [pdu.short_message for pdu in pdus]


async def test_a_segment_that_passes_through_replaces_none_before_it(desk: Desk) -> None:
    desk.settings["acme"] = Account(
        system_id="acme", password=Secret("x"), service="shop", long_messages="pass-through"
    )
    later = {"replace_if_present_flag": 1, "schedule_delivery_time": b"000000010000000R"}
    answers = await desk.submitted(*(replace(pdu, **later) for pdu in submit_sm(LONG)))
    assert len({id for _, id in answers}) == 3


async def test_a_submit_multi_is_one_commit_and_judges_each_destination_by_itself(desk: Desk) -> None:
    [pdu] = submit_sm()
    fields = {name: value for name, value in asdict(pdu).items() if not name.startswith("dest")}
    numbers = [b"4477009%05d" % n for n in range(253)]
    destinations = (*((1, 1, number) for number in numbers), b"list", (3, 0, b"12345"))
    answer = await asked(desk.accounts.requested, "acme", SubmitMulti(**fields, destinations=destinations))
    await desk.world.settled()
    sent = desk.world.sms.sent
    assert isinstance(answer, SubmitMultiResp) and answer.command_status == constants.ESME_ROK
    assert answer.message_id.decode() == sent[0].id
    assert answer.unsuccessful == (
        (0, 0, b"list", constants.ESME_RINVDLNAME),
        (3, 0, b"12345", constants.ESME_RINVDSTADR),
    )
    assert [message.recipient for message in sent] == [f"+{number.decode()}" for number in numbers]
    assert {message.correlationid for message in sent[1:]} == {sent[0].id}


async def test_each_part_of_a_customers_text_must_be_taken(desk: Desk) -> None:
    body = {"type": "sms.received", "transid": "t", "from": CUSTOMER, "to": "12345", "text": LONG}
    owed = Notification(
        id="n",
        ref="t",
        service="shop",
        url="smpp:acme",
        body=msgspec.json.encode(body),
        due=0.0,
        created_at=0.0,
    )
    assert await carried_out(desk, owed) == ""
    assert [account for account, _ in desk.peer.got] == ["acme"] * 3
    desk.peer.refusal = "deliver_sm_resp 0x00000064"
    assert await carried_out(desk, owed) == "deliver_sm_resp 0x00000064"


@pytest.mark.parametrize("code", ["foreign_sender", "unfit_sender", "no_sender"])
def test_a_sender_that_cannot_be_used_is_a_wrong_source_address(code: str) -> None:
    assert accounts._status(BadInput("no", field="from", code=code)) == constants.ESME_RINVSRCADR
