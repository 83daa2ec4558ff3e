"""A bind against an SMSC made of smpplib's PDUs in a thread of its own."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.config.model import Bind, Seconds, Secret
from gateway.protocol.smpp.constants import (
    ESME_RINVDSTADR,
    ESME_RINVPASWD,
    ESME_RMSGQFUL,
    ESME_ROK,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
    ESME_RX_T_APPN,
)
from gateway.protocol.smpp.fields import EncodeError
from gateway.protocol.smpp.operations import QuerySm, QuerySmResp
from gateway.protocol.smpp.pdu import DeliverSm, SubmitSm
from gateway.protocol.smpp.session import NotBound
from gateway.transport import smpp_dispatch
from gateway.transport.smpp_client import BindGroup, Inbound
from gateway.transport.smpp_submission import Submission, SubmitResult
from tests.peers.callbacks import answering
from tests.peers.smpplib_smsc import DROP, SILENCE, THROTTLE_AND_DROP, Smsc

CERTIFICATES = Path(__file__).parent


class Caller:
    """What the daemon is to a bind: it takes note, and remembers what it was told."""

    def __init__(self, config: Bind) -> None:
        self.begun: list[Submission] = []
        self.told: list[SubmitResult] = []
        self.late: list[SubmitResult] = []
        self.rested: list[Submission] = []
        self.put_off: list[tuple[str, ...]] = []
        self.opened = 0
        self.states: list[tuple[bool, str]] = []
        self.inbound: list[Inbound] = []
        self.deliver_status = ESME_ROK
        self.failures = 0
        self.changed = asyncio.Event()
        self.group = BindGroup(
            "north",
            config,
            hand_over=self.hand_over,
            on_result=lambda submission, result: self.note(self.told, result),
            on_late=lambda submission, result: self.note(self.late, result),
            on_deliver=answering(self.deliver),
            on_state=lambda name, up, reason: self.note(self.states, (up, reason)),
            on_rest=lambda submission: self.note(self.rested, submission),
            on_put_off=lambda *what: self.note(self.put_off, what),
            on_breaker=self.breaker,
            rng=random.Random(1),
        )

    def breaker(self) -> None:
        self.opened += 1

    def note(self, where: list[Any], what: Any) -> None:
        where.append(what)
        self.changed.set()

    async def hand_over(self, batch: list[Submission]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is full")
        self.begun += batch

    async def deliver(self, inbound: Inbound) -> int:
        self.note(self.inbound, inbound)
        if self.deliver_status < 0:
            raise OSError("the disk is full")
        return self.deliver_status

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def send(self, *texts: str, series: str = "") -> Submission:
        pdus = [SubmitSm(destination_addr=b"447700900123", short_message=text.encode()) for text in texts]
        submission = Submission(texts, pdus, series=series)
        assert self.group.enqueue(submission)
        return submission

    async def sent(self, *submissions: Submission) -> list[list[str]]:
        """The kinds of all results, once all are there."""
        await self.until(lambda: all(None not in submission.results for submission in submissions))
        return [[result.kind for result in submission.results if result] for submission in submissions]


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    smsc = Smsc()
    yield smsc
    smsc.close()


def config(smsc: Smsc, **options: Any) -> Bind:
    defaults: dict[str, Any] = {
        "reconnect": Seconds(0.01),
        "reconnect_limit": Seconds(0.05),
        "throttle_pause": Seconds(0.02),
        "retry_pause": Seconds(0.02),
        "response_timeout": Seconds(5),
    }
    defaults |= {"host": "127.0.0.1", "port": smsc.port, "system_id": "gw", "password": Secret("secret")}
    return Bind(**(defaults | options))


class Waits(random.Random):
    """Chance that knows how often it was asked: once before each wait to connect again."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked = 0
        self.third = asyncio.Event()

    def random(self) -> float:
        self.asked += 1
        if self.asked == 3:
            self.third.set()
        return super().random()


Starter = Callable[..., Caller]


@pytest.fixture
async def start(smsc: Smsc) -> AsyncIterator[Starter]:
    callers: list[Caller] = []

    def starter(**options: Any) -> Caller:
        caller = Caller(config(smsc, **options))
        callers.append(caller)
        caller.group.start()
        return caller

    yield starter
    for caller in callers:
        await caller.group.stop(0.1)


@pytest.mark.parametrize("mode", ["transmitter", "transceiver"])
async def test_messages_go_out_and_come_back_with_ids(smsc: Smsc, start: Starter, mode: str) -> None:
    caller = start(mode=mode)
    done: list[Submission] = []
    first = caller.send("hello 1", "hello 2", "hello 3")
    first.done = done.append
    second = caller.send("hi")
    assert await caller.sent(first, second) == [["accepted"] * 3, ["accepted"]]
    assert [result.message_id for result in first.results if result] == ["id-1", "id-2", "id-3"]
    assert done == [first] and caller.begun == [first, second]
    assert smsc.submits() == [b"hello 1", b"hello 2", b"hello 3", b"hi"]
    assert smsc.seen[0] == (0, f"bind_{mode}", b"")
    assert caller.states == [(True, f"bound as {mode}")]
    assert (caller.group.up, caller.group.queued, caller.group.outstanding) == (True, 0, 0)
    assert caller.group.reason == ""


@pytest.mark.parametrize(("version", "octet"), [("3.3", 0x33), ("3.4", 0x34), ("5.0", 0x50)])
async def test_it_binds_with_the_version_and_the_long_credentials_that_are_configured(
    smsc: Smsc, start: Starter, version: str, octet: int
) -> None:
    caller = start(
        interface_version=version, system_id="s" * 40, password=Secret("p" * 40), system_type="VMA"
    )
    await caller.until(lambda: caller.group.up)
    [bind] = smsc.binds
    assert (bind.interface_version, bind.system_type) == (octet, b"VMA")
    assert (bind.system_id, bind.password) == (b"s" * 40, b"p" * 40)


async def test_nothing_is_written_before_it_is_handed_over(smsc: Smsc, start: Starter) -> None:
    caller = start()
    gate = asyncio.Event()

    async def hand_over(batch: list[Submission]) -> None:
        await gate.wait()
        caller.begun.extend(batch)

    caller.group._dispatcher._hand_over = hand_over
    submission = caller.send("a")
    await caller.until(lambda: caller.group.up)
    smsc.send(smsc.connections[0], "enquire_link", 1)
    await asyncio.to_thread(smsc.wait, lambda: bool(smsc.answers))  # the session works meanwhile
    assert smsc.submits() == []
    gate.set()
    assert await caller.sent(submission) == [["accepted"]]


async def test_a_message_that_nobody_wants_any_more_is_dropped_unsent(smsc: Smsc, start: Starter) -> None:
    caller = start()
    unwanted = caller.send("unwanted")
    unwanted.wanted = lambda: False
    wanted = caller.send("wanted")
    assert await caller.sent(wanted) == [["accepted"]]
    assert smsc.submits() == [b"wanted"] and caller.begun == [wanted]


async def test_what_cannot_be_handed_over_stays_queued_in_order(
    smsc: Smsc, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_dispatch, "HAND_OVER_PAUSE_SECONDS", 0.01)
    caller = start()
    caller.failures = 2
    submissions = [caller.send(str(number)) for number in range(4)]
    await caller.sent(*submissions)
    assert smsc.submits() == [b"0", b"1", b"2", b"3"]
    assert caller.begun == submissions


def _more_answers_than(smsc: Smsc, count: int) -> bool:
    return len(smsc.answers) > count


async def test_inbound_messages_are_answered_with_the_callers_status(smsc: Smsc, start: Starter) -> None:
    caller = start()
    await caller.until(lambda: caller.group.up)
    for sequence, status in ((11, ESME_ROK), (12, ESME_RTHROTTLED), (13, -1)):
        caller.deliver_status = status
        count = len(smsc.answers)
        smsc.send(
            smsc.connections[0],
            "deliver_sm",
            sequence,
            source_addr="447700900123",
            destination_addr="12345",
            short_message=b"WIN",
        )
        await asyncio.to_thread(smsc.wait, partial(_more_answers_than, smsc, count))
    inbound = caller.inbound[0]
    assert (inbound.bind, inbound.session) == ("north", 0)
    assert isinstance(inbound.pdu, DeliverSm) and inbound.pdu.payload == b"WIN"
    answers = [(answer.command, answer.sequence, answer.status) for answer in smsc.answers]
    assert answers == [
        ("deliver_sm_resp", 11, ESME_ROK),
        ("deliver_sm_resp", 12, ESME_RTHROTTLED),
        ("deliver_sm_resp", 13, ESME_RX_T_APPN),
    ]


async def test_a_thousand_inbound_messages_in_one_burst_are_all_answered(smsc: Smsc, start: Starter) -> None:
    caller = start()
    await caller.until(lambda: caller.group.up)
    burst = b"".join(DeliverSm(short_message=b"x").encode(number) for number in range(1, 2501))
    await asyncio.to_thread(smsc.connections[0].sendall, burst)
    await asyncio.to_thread(smsc.wait, lambda: len(smsc.answers) == 2500)
    assert sorted(answer.sequence for answer in smsc.answers) == list(range(1, 2501))
    assert {answer.status for answer in smsc.answers} == {ESME_ROK}


@pytest.mark.parametrize("status", [ESME_RTHROTTLED, ESME_RMSGQFUL])
async def test_throttled_segments_are_retried_first_and_in_order(
    smsc: Smsc, start: Starter, status: int
) -> None:
    smsc.statuses = [status] * 4 + [ESME_ROK, status]
    caller = start(window=4)
    submissions = [caller.send("a1", "a2", "a3", "a4"), caller.send("b1", "b2"), caller.send("c")]
    kinds = await caller.sent(*submissions)
    assert {kind for row in kinds for kind in row} == {"accepted"}
    texts = smsc.submits()
    # the whole window is throttled; after a rest one probe goes, and with it accepted the window opens again
    assert texts[:8] == [b"a1", b"a2", b"a3", b"a4", b"a1", b"a2", b"a3", b"a4"]
    # a2 was throttled again: it goes before what has not been sent yet
    rest = texts[max(index for index, text in enumerate(texts) if text == b"a2") :]
    assert texts.count(b"a2") == 3 and rest == sorted(rest)
    assert texts.count(b"c") == texts.count(b"b2") == 1
    assert caller.put_off == [("north", "throttled")] * 5


async def test_what_nobody_wants_any_more_is_not_written_when_the_throttling_ends(
    smsc: Smsc, start: Starter
) -> None:
    smsc.statuses = [ESME_RTHROTTLED]
    caller = start(window=1, throttle_pause=Seconds(0.2))
    unwanted, wanted = caller.send("unwanted", "rest of it"), caller.send("wanted")
    await caller.until(lambda: bool(caller.put_off))
    unwanted.wanted = lambda: False
    assert await caller.sent(unwanted, wanted) == [["unsent", "unsent"], ["accepted"]]
    assert smsc.submits() == [b"unwanted", b"wanted"]


async def test_the_parts_that_wait_for_the_window_are_not_written_when_nobody_wants_them_any_more(
    smsc: Smsc, start: Starter
) -> None:
    smsc.statuses = [SILENCE]
    caller = start(window=1)
    unwanted, wanted = caller.send("unwanted", "rest of it"), caller.send("wanted")
    await asyncio.to_thread(smsc.wait, lambda: bool(smsc.submitted))
    unwanted.wanted = lambda: False
    answer = {"sequence": smsc.submitted[0].sequence, "message_id": "1"}
    smsc.send(smsc.connections[0], "submit_sm_resp", **answer)
    assert await caller.sent(unwanted, wanted) == [["accepted", "unsent"], ["accepted"]]
    assert smsc.submits() == [b"unwanted", b"wanted"]


async def test_what_nobody_wants_any_more_is_not_written_by_the_next_session(
    smsc: Smsc, start: Starter
) -> None:
    smsc.statuses = [THROTTLE_AND_DROP]
    caller = start(
        window=1, throttle_pause=Seconds(0.01), reconnect=Seconds(0.2), reconnect_limit=Seconds(0.2)
    )
    unwanted, wanted = caller.send("unwanted", "rest of it"), caller.send("wanted")
    await caller.until(lambda: bool(caller.states) and not caller.states[-1][0])
    unwanted.wanted = lambda: False
    assert await caller.sent(unwanted, wanted) == [["unsent", "unsent"], ["accepted"]]
    assert smsc.submits() == [b"unwanted", b"wanted"]


async def test_a_nack_that_names_no_error_refuses_all_the_same(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [SILENCE]
    caller = start()
    submission = caller.send("hi")
    await asyncio.to_thread(smsc.wait, lambda: bool(smsc.submitted))
    smsc.send(smsc.connections[0], "generic_nack", smsc.submitted[0].sequence, status=ESME_ROK)
    assert await caller.sent(submission) == [["rejected"]]
    assert caller.told[0].status_text == "generic_nack to submit_sm"


async def test_a_rejected_message_fails_alone(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_ROK, ESME_RINVDSTADR]
    caller = start()
    submissions = [caller.send(text) for text in "abc"]
    assert await caller.sent(*submissions) == [["accepted"], ["rejected"], ["accepted"]]
    bad = submissions[1].results[0]
    assert bad and (bad.status, bad.temporary) == (ESME_RINVDSTADR, False)
    assert bad.status_text.startswith("ESME_RINVDSTADR: ")


@pytest.mark.parametrize("status", [ESME_RSYSERR, ESME_RX_T_APPN])
async def test_a_temporary_error_is_retried_while_others_go_on(
    smsc: Smsc, start: Starter, status: int
) -> None:
    smsc.statuses = [status]
    caller = start(window=1)
    submissions = [caller.send("a1", "a2", "a3"), *(caller.send(text) for text in "bcde")]
    assert await caller.sent(*submissions) == [["accepted"] * 3, *[["accepted"]] * 4]
    texts = smsc.submits()
    # the message rests as a whole and its segments keep their order; the others do not wait for it
    assert texts[0] == b"a1" and [text for text in texts[1:] if text[:1] == b"a"] == [b"a1", b"a2", b"a3"]
    assert texts.index(b"b") == 1
    assert caller.put_off == [("north", "retried")]


async def test_a_message_that_rests_is_told_of_and_handed_over_again(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_ROK, ESME_RSYSERR, ESME_ROK, ESME_RSYSERR]
    caller = start()
    submission = caller.send("a1", "a2", "a3")
    assert await caller.sent(submission) == [["accepted"] * 3]
    # only when nothing of it is under way: a3 was, when a2 failed
    assert caller.rested == [submission] * 2 and caller.begun == [submission] * 3
    assert smsc.submits() == [b"a1", b"a2", b"a3", b"a2", b"a2"]


async def test_a_retry_that_cannot_be_handed_over_is_not_written(
    smsc: Smsc, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_dispatch, "HAND_OVER_PAUSE_SECONDS", 0.01)
    smsc.statuses = [ESME_RSYSERR]
    caller = start()
    submission = caller.send("a")
    await caller.until(lambda: bool(caller.rested))
    caller.failures = 2
    assert await caller.sent(submission) == [["accepted"]]
    assert smsc.submits() == [b"a", b"a"] and caller.begun == [submission] * 2


async def test_retries_have_an_end(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_RSYSERR] * 1000
    caller = start(window=1, retry_limit=Seconds(0.1))
    submission = caller.send("a1", "a2")
    assert await caller.sent(submission) == [["rejected", "unsent"]]
    failed = submission.results[0]
    assert failed and (failed.status, failed.temporary) == (ESME_RSYSERR, True)
    assert len(smsc.submits()) < 20


async def test_what_nobody_wants_any_more_is_not_retried(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_RSYSERR]
    caller = start(retry_pause=Seconds(0.05))
    submission = caller.send("a")
    await asyncio.to_thread(smsc.wait, lambda: len(smsc.submits()) == 1)
    submission.wanted = lambda: False  # `within` of its step has run out
    assert await caller.sent(submission) == [["unsent"]]
    assert smsc.submits() == [b"a"]


async def test_a_carrier_that_fails_everything_is_not_stormed(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_RSYSERR] * 1000
    caller = start(window=1, throttle_pause=Seconds(0.1), retry_limit=Seconds(0.3))
    submissions = [caller.send(f"m{number}") for number in range(500)]
    assert await caller.sent(submissions[0]) == [["rejected"]]
    assert len(smsc.submits()) <= 60 and caller.group.queued >= 480
    told = len(caller.told)
    left = await caller.group.stop(5)
    assert len(left) + len(caller.told) == 500
    assert {result.kind for result in caller.told[told:]} == {"unsent"}


async def test_one_bad_message_does_not_make_the_bind_rest(smsc: Smsc, start: Starter) -> None:
    caller = start(window=1, throttle_pause=Seconds(30))
    smsc.statuses = [ESME_RSYSERR] * 6
    submission = caller.send("bad")
    assert await caller.sent(submission) == [["accepted"]]
    assert smsc.submits() == [b"bad"] * 7


async def test_resting_messages_go_out_when_the_bind_comes_up_again(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_RSYSERR, DROP]
    caller = start(window=1, retry_pause=Seconds(60))
    assert await caller.sent(caller.send("a"), caller.send("b")) == [["accepted"], ["in_doubt"]]
    assert smsc.submits() == [b"a", b"b", b"a"]


async def test_answers_that_never_come_open_the_breaker_and_one_that_comes_closes_it(
    smsc: Smsc, start: Starter
) -> None:
    smsc.statuses = [SILENCE] * 3
    caller = start(window=3, response_timeout=Seconds(0.5), breaker=3, breaker_rest=Seconds(60))
    await caller.until(lambda: caller.group.up)
    assert caller.group.trouble == ""
    await caller.sent(*(caller.send(text) for text in "abc"))
    assert caller.opened == 1 and "3 failures in a row" in caller.group.trouble
    await caller.sent(caller.send("accepted"))
    assert caller.group.trouble == ""


async def test_a_throttled_bind_s_rests_count_for_its_breaker_and_a_lost_session_does_not(
    smsc: Smsc, start: Starter
) -> None:
    smsc.statuses = [ESME_RTHROTTLED, ESME_RTHROTTLED]
    caller = start(window=1, throttle_pause=Seconds(0.01), breaker=2)
    await caller.sent(caller.send("throttled twice"))
    assert caller.opened == 1 and caller.group.trouble == ""
    smsc.statuses = [DROP]
    lost = start(breaker=1)
    await lost.sent(lost.send("lost"))
    assert lost.opened == 0


async def test_stop_does_not_wait_for_messages_that_rest(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_RSYSERR]
    caller = start(window=1, retry_pause=Seconds(60))
    submission = caller.send("a1", "a2")
    await asyncio.to_thread(smsc.wait, lambda: len(smsc.submits()) == 1)
    async with asyncio.timeout(30):
        assert await caller.group.stop(60) == []
    assert [result and result.kind for result in submission.results] == ["unsent", "unsent"]


@pytest.mark.parametrize(
    ("written", "status", "act"),
    [
        ("ESME_RINVDSTADR", ESME_RINVDSTADR, "retry"),
        ("0x0400", 0x400, "retry"),
        ("1025", 1025, "throttle"),
        ("ESME_RSYSERR", ESME_RSYSERR, "fail"),
        ("ESME_RTHROTTLED", ESME_RTHROTTLED, "fail"),
    ],
)
async def test_what_a_status_means_can_be_set_per_bind(
    smsc: Smsc, start: Starter, written: str, status: int, act: str
) -> None:
    smsc.statuses = [status]
    caller = start(window=1, status_map={written: act})
    assert await caller.sent(caller.send("a"), caller.send("b")) == [
        ["rejected" if act == "fail" else "accepted"],
        ["accepted"],
    ]
    order = {"retry": [b"a", b"b", b"a"], "throttle": [b"a", b"a", b"b"], "fail": [b"a", b"b"]}
    assert smsc.submits() == order[act]


async def test_after_a_rejected_segment_the_rest_of_the_message_stays_unsent(
    smsc: Smsc, start: Starter
) -> None:
    smsc.statuses = [ESME_RINVDSTADR]
    caller = start(window=1)
    submissions = [caller.send("a1", "a2", "a3"), caller.send("b")]
    assert await caller.sent(*submissions) == [["rejected", "unsent", "unsent"], ["accepted"]]
    assert smsc.submits() == [b"a1", b"b"]


async def test_what_smpp_cannot_express_is_rejected_and_harms_nobody(smsc: Smsc, start: Starter) -> None:
    caller = start()
    broken = Submission(None, [SubmitSm(destination_addr=b"1" * 30), SubmitSm()])
    assert caller.group.enqueue(broken)
    fine = caller.send("fine")
    assert await caller.sent(broken, fine) == [["rejected", "unsent"], ["accepted"]]


async def test_a_drop_in_mid_traffic_is_doubt_and_nothing_goes_out_twice(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_ROK] * 20 + [SILENCE, SILENCE, DROP]
    caller = start(window=5)
    submissions = [caller.send(f"m{number}") for number in range(200)]
    kinds = [row[0] for row in await caller.sent(*submissions)]
    assert kinds[:20] == ["accepted"] * 20
    doubtful = kinds.count("in_doubt")
    assert 3 <= doubtful <= 5 and kinds[20:22] == ["in_doubt"] * 2
    assert kinds.count("accepted") == 200 - doubtful
    texts = smsc.submits()
    assert len(texts) == len(set(texts))
    assert [up for up, _ in caller.states] == [True, False, True]


async def test_the_unwritten_rest_of_a_message_in_doubt_stays_unsent(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_ROK, DROP]
    caller = start(window=1)
    submissions = [caller.send("a1", "a2", "a3"), caller.send("b")]
    assert await caller.sent(*submissions) == [["accepted", "in_doubt", "unsent"], ["accepted"]]
    assert smsc.submits() == [b"a1", b"a2", b"b"]


async def test_a_throttled_message_survives_the_loss_of_its_session(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [ESME_ROK, THROTTLE_AND_DROP]
    caller = start(window=1)
    submission = caller.send("a1", "a2", "a3")
    assert await caller.sent(submission) == [["accepted"] * 3]
    assert [row for row in smsc.seen if row[1] == "submit_sm"] == [
        (0, "submit_sm", b"a1"),
        (0, "submit_sm", b"a2"),
        (1, "submit_sm", b"a2"),
        (1, "submit_sm", b"a3"),
    ]


async def test_a_missing_answer_is_doubt_but_the_session_stays(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [SILENCE]
    caller = start(response_timeout=Seconds(0.5))
    lost = caller.send("lost")
    assert await caller.sent(lost) == [["in_doubt"]]
    await asyncio.to_thread(smsc.wait, lambda: any(row[1] == "enquire_link" for row in smsc.seen))
    assert await caller.sent(caller.send("next")) == [["accepted"]]
    assert len(smsc.connections) == 1
    smsc.send(smsc.connections[0], "submit_sm_resp", 2, message_id="late-1")
    await caller.until(lambda: bool(caller.late))
    assert caller.late == [SubmitResult(0, "accepted", "late-1")]


async def test_over_tls_the_carriers_own_authority_is_a_setting(smsc: Smsc, start: Starter) -> None:
    """TLS ends in a proxy of the test's own."""
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(CERTIFICATES / "localhost.crt", CERTIFICATES / "localhost.key")
    ends: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", smsc.port)
        ends.append(asyncio.create_task(pump(plain_reader, writer)))
        await pump(reader, plain_writer)

    server = await asyncio.start_server(proxy, "localhost", 0, ssl=there)
    async with server:
        port = server.sockets[0].getsockname()[1]
        caller = start(host="localhost", port=port, tls=True, tls_ca=str(CERTIFICATES / "localhost.crt"))
        assert await caller.sent(caller.send("secret")) == [["accepted"]]
        await caller.group.stop(5)
        await asyncio.gather(*ends)
    assert smsc.submits() == [b"secret"]


async def test_without_its_authority_nothing_connects_and_the_reason_says_so(smsc: Smsc) -> None:
    caller = Caller(config(smsc, tls=True, tls_ca="/nowhere/ca.pem"))
    waits = caller.group._rng = Waits()
    caller.group.start()
    await asyncio.wait_for(waits.third.wait(), 30)
    assert "tls_ca /nowhere/ca.pem: " in caller.group.reason and "No such file" in caller.group.reason
    assert await caller.group.stop(5) == [] and smsc.connections == []


async def test_it_connects_again_until_it_is_bound(smsc: Smsc, start: Starter) -> None:
    smsc.bind_status = ESME_RINVPASWD
    caller = start()
    await asyncio.to_thread(smsc.wait, lambda: len(smsc.connections) >= 3)
    assert not caller.group.up
    assert caller.group.reason.startswith("bind refused: ESME_RINVPASWD")
    submission = caller.send("waits")
    smsc.bind_status = ESME_ROK
    assert await caller.sent(submission) == [["accepted"]]
    assert [up for up, _ in caller.states] == [True]


async def test_a_refused_connection_is_tried_again(smsc: Smsc) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    caller = Caller(config(smsc, port=port))
    waits = caller.group._rng = Waits()
    caller.group.start()
    await asyncio.wait_for(waits.third.wait(), 30)
    assert caller.group.reason.startswith("cannot connect: ")
    submission = caller.send("never")
    assert await caller.group.stop(5) == [submission]
    assert (caller.states, caller.told) == ([], [])


async def test_several_sessions_share_the_messages(smsc: Smsc, start: Starter) -> None:
    caller = start(sessions=3, window=2)
    await asyncio.to_thread(smsc.wait, lambda: sum(row[1].startswith("bind") for row in smsc.seen) == 3)
    submissions = [caller.send(f"{number}a", f"{number}b") for number in range(60)]
    await caller.sent(*submissions)
    by_session: dict[int, list[bytes]] = {}
    for number, command, text in smsc.seen:
        if command == "submit_sm":
            by_session.setdefault(number, []).append(text)
    assert sorted(by_session) == [0, 1, 2]
    for texts in by_session.values():  # both parts of a message on the same session, in order
        for number in range(60):
            if f"{number}a".encode() in texts:
                assert texts.index(f"{number}a".encode()) < texts.index(f"{number}b".encode())


async def test_a_series_stays_on_one_session_and_in_order(smsc: Smsc, start: Starter) -> None:
    caller = start(sessions=3, window=40)
    await asyncio.to_thread(smsc.wait, lambda: sum(row[1].startswith("bind") for row in smsc.seen) == 3)
    for _ in range(100_000):
        if all(lane.bound for lane in caller.group._dispatcher.lanes):
            break
        await asyncio.sleep(0)
    submissions = [caller.send(f"{n} of {of}", series=of) for n in range(30) for of in ("this", "that")]
    await caller.sent(*submissions)
    for of in ("this", "that"):
        rows = [(number, text) for number, _, text in smsc.seen if text.endswith(of.encode())]
        assert [text for _, text in rows] == [f"{n} of {of}".encode() for n in range(30)]
        assert len({number for number, _ in rows}) == 1


async def test_one_lost_session_of_two_is_no_change_of_state(smsc: Smsc, start: Starter) -> None:
    caller = start(sessions=2)
    await asyncio.to_thread(smsc.wait, lambda: sum(row[1].startswith("bind") for row in smsc.seen) == 2)
    for _ in range(100_000):
        if all(lane.bound for lane in caller.group._dispatcher.lanes):
            break
        await asyncio.sleep(0)
    smsc.connections[0].shutdown(socket.SHUT_RDWR)
    await asyncio.to_thread(smsc.wait, lambda: sum(row[1].startswith("bind") for row in smsc.seen) == 3)
    assert await caller.sent(caller.send("still here")) == [["accepted"]]
    assert [up for up, _ in caller.states] == [True]


async def test_throughput_counts_segments(smsc: Smsc, start: Starter) -> None:
    caller = start(throughput=100, window=100)
    await caller.until(lambda: caller.group.up)
    started = asyncio.get_running_loop().time()
    await caller.sent(*[caller.send("a", "b", "c") for _ in range(10)])
    took = asyncio.get_running_loop().time() - started
    assert took >= 0.19  # 30 segments, of which 10 are saved up
    assert took < 2


async def test_a_full_queue_refuses_and_tells_when_there_is_room(smsc: Smsc, start: Starter) -> None:
    caller = start(queue=4)
    rooms: list[int] = []
    caller.group.on_room = lambda: rooms.append(caller.group.queued)
    submissions = [caller.send(text) for text in "abcd"]
    assert not caller.group.enqueue(Submission(None, [SubmitSm()]))
    assert caller.group.queued == 4
    await caller.sent(*submissions)
    assert len(rooms) == 1 and rooms[0] <= 2


async def test_a_relative_validity_is_what_is_left_when_the_segment_is_written(
    smsc: Smsc, start: Starter
) -> None:
    caller = start(window=1)
    left = itertools.count(50, -10)
    pdus = [SubmitSm(destination_addr=b"1", short_message=b"%d" % n) for n in range(2)]
    submission = Submission(None, pdus, validity=lambda: b"0000000000%02d000R" % next(left))
    assert caller.group.enqueue(submission)
    await asyncio.to_thread(smsc.submit, "1", 2)
    assert [pdu.validity_period for pdu in smsc.submitted] == [b"000000000050000R", b"000000000040000R"]


async def test_a_question_takes_its_place_among_the_messages_and_gets_its_answer(
    smsc: Smsc, start: Starter
) -> None:
    caller = start()
    await caller.until(lambda: caller.group.up)
    smsc.answers_of["query_sm"] = {"message_id": "A1", "final_date": "", "message_state": 2, "error_code": 0}
    response = await caller.group.ask(QuerySm(message_id=b"A1", source_addr=b"12345"))
    assert isinstance(response, QuerySmResp)
    assert (response.message_id, response.message_state) == (b"A1", 2)
    [asked] = [pdu for pdu in smsc.asked if pdu.command == "query_sm"]
    assert (asked.message_id, asked.source_addr) == (b"A1", b"12345")


async def test_a_question_without_an_answer_in_time_gets_none(smsc: Smsc, start: Starter) -> None:
    caller = start(response_timeout=0.5)
    await caller.until(lambda: caller.group.up)
    smsc.silent = True
    assert await caller.group.ask(QuerySm(message_id=b"A1")) is None


async def test_a_question_whose_session_is_lost_gets_none(smsc: Smsc, start: Starter) -> None:
    caller = start()
    await caller.until(lambda: caller.group.up)
    smsc.silent = True
    asked = asyncio.ensure_future(caller.group.ask(QuerySm(message_id=b"A1")))
    await asyncio.to_thread(smsc.wait, lambda: bool(smsc.asked))
    smsc.hang_up()
    assert await asked is None


async def test_while_no_session_has_room_nothing_is_asked(smsc: Smsc, start: Starter) -> None:
    caller = start(window=1, throughput=0)
    with pytest.raises(NotBound):
        await caller.group.ask(QuerySm(message_id=b"A1"))
    await caller.until(lambda: caller.group.up)
    smsc.silent = True
    asked = asyncio.ensure_future(caller.group.ask(QuerySm(message_id=b"A1")))
    await asyncio.sleep(0)
    with pytest.raises(NotBound):  # the window is full
        await caller.group.ask(QuerySm(message_id=b"A2"))
    smsc.hang_up()
    assert await asked is None


async def test_a_receiver_takes_no_messages(smsc: Smsc, start: Starter) -> None:
    caller = start(mode="receiver")
    await caller.until(lambda: caller.group.up)
    assert not caller.group.enqueue(Submission(None, [SubmitSm()]))
    with pytest.raises(ValueError, match="without segments"):
        start().group.enqueue(Submission(None, []))


async def test_a_callers_fault_does_not_end_the_session(smsc: Smsc, start: Starter) -> None:
    caller = start()

    def faulty(_submission: Submission) -> None:
        raise RuntimeError("a bug elsewhere")

    def unsure() -> bool:
        raise RuntimeError("a bug elsewhere")

    submission = caller.send("a")
    submission.done, submission.wanted = faulty, unsure
    await caller.sent(submission)
    assert await caller.sent(caller.send("b")) == [["accepted"]]
    assert len(smsc.connections) == 1


async def test_stop_waits_for_answers_and_unbinds(smsc: Smsc, start: Starter) -> None:
    caller = start(window=2)
    submissions = [caller.send(f"{number}") for number in range(50)]
    await caller.until(lambda: bool(caller.told))
    left = await caller.group.stop(10)
    kinds = [submission.results[0].kind for submission in submissions if submission.results[0]]
    assert set(kinds) == {"accepted"}
    assert left == submissions[len(kinds) :]
    assert smsc.seen[-1][1] == "unbind"
    assert not caller.group.enqueue(Submission(None, [SubmitSm()]))
    assert caller.states[-1] == (False, "unbound")


async def test_stop_has_an_end(smsc: Smsc, start: Starter) -> None:
    smsc.statuses = [SILENCE]
    caller = start(window=1)
    submissions = [caller.send("a1", "a2"), caller.send("b")]
    await asyncio.to_thread(smsc.wait, lambda: len(smsc.submits()) == 1)
    assert await caller.group.stop(0.05) == submissions[1:]
    assert [result and result.kind for result in submissions[0].results] == ["in_doubt", "unsent"]


async def test_a_bind_that_smpp_cannot_express_fails_at_once(smsc: Smsc) -> None:
    with pytest.raises(EncodeError, match="system_type"):
        Caller(config(smsc, system_type="x" * 20))


def test_it_works_on_uvloop(smsc: Smsc) -> None:
    async def run() -> list[list[str]]:
        caller = Caller(config(smsc))
        caller.group.start()
        kinds = await caller.sent(*[caller.send(str(number)) for number in range(100)])
        await caller.group.stop(1)
        return kinds

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == [["accepted"]] * 100
    assert smsc.seen[-1][1] == "unbind"


async def test_urgent_messages_go_before_those_that_wait(smsc: Smsc, start: Starter) -> None:
    caller = start(throughput=50)
    submissions = [caller.send(f"bulk {n}") for n in range(20)]
    urgent = Submission("urgent", [SubmitSm(short_message=b"urgent", priority_flag=2)])
    assert caller.group.enqueue(urgent)
    await caller.sent(*submissions, urgent)
    sent = [text for _, command, text in smsc.seen if command == "submit_sm"]
    assert sent.index(b"urgent") <= 10 and sent[-1] == b"bulk 19"
