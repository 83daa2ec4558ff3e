"""smpplib reads the question, and writes the answers."""

from __future__ import annotations

from typing import Any

import pytest
from smpplib import consts, smpp

from gateway.channels.base import Standing
from gateway.channels.query_sm import query_sm, standing
from gateway.channels.submit_sm import Maker
from gateway.config.model import Bind
from gateway.protocol.smpp.codec import decode
from gateway.protocol.smpp.pdu import GenericNack, Response
from gateway.protocol.sms.segments import Segment


def bind(**settings: Any) -> Bind:
    return Bind(host="smsc", system_id="gw", **settings)


def answer(**fields: Any) -> Response:
    given = {"message_id": "1A", "final_date": "", "message_state": 2, "error_code": 0} | fields
    octets = smpp.make_pdu("query_sm_resp", sequence=7, **given).generate()
    response = decode(octets)
    assert isinstance(response, Response)
    return response


def refused(status: int) -> Response:
    response = decode(bytes.fromhex(f"00000010 80000003 {status:08x} 00000007"))
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize("settings", [{}, {"source_addr_ton": 0, "source_addr_npi": 9}])
@pytest.mark.parametrize("sender", ["12345", "+442079460000", "PIZZA"])
def test_the_question_names_the_message_and_its_sender_as_the_submit_sm_did(
    sender: str, settings: dict[str, int]
) -> None:
    asked = query_sm("00aB\xe9", sender, bind(**settings))
    assert asked.message_id == b"00aB\xe9"
    segment = Segment(b"hi", 0)
    submit = Maker(bind(**settings)).submit_sm(sender, "+447700900001", segment, expires=0.0, now=0.0)
    read = smpp.parse_pdu(asked.encode(7), sequence=0)
    assert read.command == "query_sm"
    assert (asked.source_addr_ton, asked.source_addr_npi, asked.source_addr) == (
        submit.source_addr_ton,
        submit.source_addr_npi,
        submit.source_addr,
    )


@pytest.mark.parametrize(
    ("state", "name", "final"),
    [
        (0, "scheduled", False),
        (1, "enroute", False),
        (2, "delivered", True),
        (3, "expired", True),
        (4, "deleted", True),
        (5, "undeliverable", True),
        (6, "accepted", False),
        (7, "unknown", False),
        (8, "rejected", True),
        (9, "skipped", True),
    ],
)
def test_an_answer_gives_the_state(state: int, name: str, final: bool) -> None:
    assert standing(answer(message_state=state)) == Standing(name, final)


def test_an_answer_gives_the_error_and_the_date() -> None:
    said = standing(answer(message_state=5, error_code=27, final_date="261123140512304+"))
    assert said == Standing("undeliverable", True, "27", "2026-11-23T13:05:12.300Z")
    for date in ("nonsense", "000001000000000R"):
        assert standing(answer(final_date=date)).done_date == ""


@pytest.mark.parametrize("state", [10, 200])
def test_a_state_that_nobody_knows_says_nothing(state: int) -> None:
    assert standing(answer(message_state=state)) == Standing()


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (consts.SMPP_ESME_RQUERYFAIL, False),
        (consts.SMPP_ESME_RINVMSGID, False),
        (consts.SMPP_ESME_RINVCMDID, False),
        (consts.SMPP_ESME_RTHROTTLED, True),
        (consts.SMPP_ESME_RSYSERR, True),
        (0x400, True),
    ],
)
def test_a_refusal_says_whether_asking_again_helps(status: int, again: bool) -> None:
    assert standing(refused(status)) == Standing(again=again)
    assert standing(GenericNack(command_status=status)) == Standing(again=again)


def test_no_answer_is_no_news() -> None:
    assert standing(None) == Standing()
