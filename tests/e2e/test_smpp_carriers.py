"""What carriers do to answers and receipts, by octets written by hand: each message ends as it should."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import pytest

from tests.peers.hostile import (
    BIND_TRX,
    CUSTOMERS,
    DATA,
    DELIVER,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RALYBND,
    RESPONSE,
    ROK,
    SETTINGS,
    SUBMIT,
    SUBMIT_MULTI,
    UNBIND,
    Answer,
    Peer,
    Site,
    accepted,
    asked,
    hostile_site,
    pdu,
    short_message,
    tlv,
    unharmed,
)

pytestmark = pytest.mark.e2e

RECEIPTED_MESSAGE_ID, MESSAGE_STATE = 0x001E, 0x0427
RINVDSTADR, RTHROTTLED, RMSGQFUL = 0x0B, 0x58, 0x14

QUICK = SETTINGS.replace(
    'retry_pause = "50ms"',
    'retry_pause = "50ms"\nenquire_link = "300ms"\nwindow = 5\non_in_doubt = "{doubt}"',
)


@pytest.fixture(scope="module", params=["fail", "resend"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = QUICK.replace("{doubt}", request.param)
    with hostile_site(tmp_path_factory.mktemp("carriers") / "site", settings) as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    with unharmed(shared):
        yield shared


@pytest.fixture
def resends(request: pytest.FixtureRequest) -> bool:
    return bool(request.node.callspec.params["shared"] == "resend")


def customer(submit: Answer) -> bytes:
    found = re.search(rb"4477008\d{5}", submit.body)
    assert found is not None
    return found[0]


def answer(submit: Answer, message_id: bytes = b"", status: int = ROK) -> bytes:
    return pdu(SUBMIT | RESPONSE, submit.sequence, message_id + b"\0", status=status)


def receipt(
    peer: Peer, text: bytes, *, source: bytes = b"447700800000", tlvs: bytes = b"", esm: int = 4
) -> None:
    body = short_message(text, source=source, to=b"23456", esm_class=esm, tlvs=tlvs)
    assert peer.ask(pdu(DELIVER, 9, body)) == (DELIVER | RESPONSE, ROK, 9)


def test_a_length_that_swallows_what_follows_ends_the_session(site: Site) -> None:
    with site.carrier() as peer:
        peer.send(struct.pack(">IIII", 60_000, DELIVER, 0, 1))
        asked_for = 0
        while (request := peer.read()) is not None:
            asked_for += 1
            peer.send(pdu(ENQUIRE_LINK | RESPONSE, request.sequence))  # and is swallowed
        assert asked_for == 1
    with site.carrier() as peer:
        peer.lives()


def test_parts_that_all_get_one_id_are_delivered_by_one_receipt(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send(text="y" * 400)
        for _ in range(3):
            peer.send(answer(asked(peer, SUBMIT), id.encode()))
        site.daemon.reaches(id, "sent")
        receipt(peer, b"id:%s stat:DELIVRD err:000" % id.encode())
        site.daemon.reaches(id, "delivered")


@pytest.mark.parametrize("named", [b"1d305b4c\0", b"never heard of\0"])
def test_of_the_ids_in_text_and_parameter_one_needs_to_be_known(site: Site, named: bytes) -> None:
    with site.carrier() as peer:
        id = site.send()
        peer.send(answer(asked(peer, SUBMIT), b"489708364"))
        site.daemon.reaches(id, "sent")
        tlvs = tlv(RECEIPTED_MESSAGE_ID, named) + tlv(MESSAGE_STATE, b"\2")
        receipt(peer, b"id:0489708364 sub:001 dlvrd:001 stat:DELIVRD err:000", tlvs=tlvs)
        site.daemon.reaches(id, "delivered")


def test_message_state_makes_a_receipt_without_a_flag(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send()
        peer.send(answer(asked(peer, SUBMIT), b"state-only"))
        site.daemon.reaches(id, "sent")
        receipt(peer, b"id:state-only err:012", tlvs=tlv(MESSAGE_STATE, b"\5"), esm=0)
        assert site.daemon.reaches(id, "failed")["code"] == "012"


def test_a_receipt_counts_though_the_answer_never_comes(site: Site, resends: bool) -> None:
    with site.carrier() as peer:
        id = site.send()
        submits = [asked(peer, SUBMIT)]
        receipt(peer, b"id:unanswered stat:DELIVRD err:000", source=customer(submits[0]))
        if resends:  # the settings ask for it; none of the copies is answered either
            submits += [asked(peer, SUBMIT) for _ in range(3)]
        story = site.daemon.reaches(id, "delivered")
        assert [segment["smsc_id"] for segment in story["segments"]] == ["unanswered"]


def test_an_answer_without_an_id_leaves_the_receipt_to_the_addresses(site: Site) -> None:
    with site.carrier() as peer:
        for before in (True, False):
            id = site.send()
            submit = asked(peer, SUBMIT)
            if not before:
                peer.send(pdu(SUBMIT | RESPONSE, submit.sequence))
                site.daemon.reaches(id, "sent")
            receipt(peer, b"id:untold-%d stat:DELIVRD" % before, source=customer(submit))
            if before:
                peer.send(pdu(SUBMIT | RESPONSE, submit.sequence))
            site.daemon.reaches(id, "delivered")


def test_a_late_answer_counts_and_makes_copies_needless(site: Site, resends: bool) -> None:
    with site.carrier() as peer:
        id = site.send()
        first = asked(peer, SUBMIT)
        if resends:
            second = asked(peer, SUBMIT)
            assert second.body == first.body
            peer.send(answer(first, status=RTHROTTLED))  # of the first, and late: says nothing of the second
            peer.send(answer(second, b"second"))
        else:
            site.daemon.reaches(id, "in-doubt")
            peer.send(answer(first, b"second"))
        assert site.daemon.reaches(id, "sent")["segments"][0]["smsc_id"] == "second"
        peer.lives()


def test_a_late_refusal_settles_what_was_in_doubt(site: Site, resends: bool) -> None:
    with site.carrier() as peer:
        id = site.send()
        submits = [asked(peer, SUBMIT) for _ in range(4 if resends else 1)]
        site.daemon.reaches(id, "in-doubt")
        peer.send(answer(submits[-1], status=RINVDSTADR))
        assert site.daemon.reaches(id, "failed")["code"] == "ESME_RINVDSTADR"
        # a receipt between the same two can be about the other only
        other = site.send(to=f"+{customer(submits[0]).decode()}")
        assert len([asked(peer, SUBMIT) for _ in submits]) == len(submits)
        site.daemon.reaches(other, "in-doubt")
        receipt(peer, b"id:others stat:DELIVRD err:000", source=customer(submits[0]))
        site.daemon.reaches(other, "delivered")
        assert site.daemon.message(id)["status"] == "failed"


def test_answers_of_other_kinds_answer_nothing(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send()
        submit = asked(peer, SUBMIT)
        for command, body in (
            (DATA, b"x\0"),
            (SUBMIT_MULTI, b"x\0\0"),
            (DELIVER, b"\0"),
            (BIND_TRX, b"foe\0"),
        ):
            peer.send(pdu(command | RESPONSE, submit.sequence, body))
        peer.send(pdu(UNBIND | RESPONSE, submit.sequence) + pdu(0x80000099, submit.sequence))
        peer.send(answer(submit, b"right"))
        assert site.daemon.reaches(id, "sent")["segments"][0]["smsc_id"] == "right"


def test_a_nack_that_names_no_error_is_a_refusal(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send()
        peer.send(pdu(GENERIC_NACK, asked(peer, SUBMIT).sequence))
        assert site.daemon.reaches(id, "failed")["reason"] == "generic_nack to submit_sm"


def test_throttled_parts_go_again_and_none_twice(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send(text="x" * 700)
        taken = []
        for n in range(8):
            submit = asked(peer, SUBMIT)
            part = submit.body[submit.body.index(b"\5\0\3") + 5]
            refused = {1: RTHROTTLED, 2: RMSGQFUL, 5: RTHROTTLED}.get(n)
            peer.send(answer(submit, b"" if refused else b"part-%d" % part, refused or ROK))
            taken += [] if refused else [part]
        segments = site.daemon.reaches(id, "sent")["segments"]
        assert sorted(taken) == [1, 2, 3, 4, 5]
        assert [segment["smsc_id"] for segment in segments] == [f"part-{n}" for n in range(1, 6)]


def test_a_carrier_that_says_it_has_us_already_is_tried_again(site: Site) -> None:
    with site.listener() as listener:
        for _ in range(3):
            with accepted(listener) as peer:
                bind = asked(peer, BIND_TRX)
                peer.send(pdu(BIND_TRX | RESPONSE, bind.sequence, status=RALYBND))
                assert peer.ended()
    with site.carrier() as peer:
        peer.lives()


def test_a_text_with_a_byte_order_mark_finds_its_keyword(site: Site) -> None:
    with site.carrier() as peer:
        for mark, codec in ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")):
            to = next(CUSTOMERS)
            text = short_message(mark + "HOURS".encode(codec), source=to, to=b"23456", data_coding=8)
            assert peer.ask(pdu(DELIVER, 9, text))[1] == ROK
            reply = asked(peer, SUBMIT)
            assert customer(reply) == to and reply.body.endswith(b"We bake from 11 to 23.")
            peer.send(answer(reply, b"reply"))


def test_a_storm_of_throttling_is_probed_and_not_answered_in_kind(site: Site) -> None:
    with site.carrier() as peer:
        ids = [site.send() for _ in range(8)]
        submits = 0
        while submits < 9:
            request = peer.read()
            assert request is not None
            if request.command == ENQUIRE_LINK:
                peer.send(pdu(ENQUIRE_LINK | RESPONSE, request.sequence))
                continue
            submits += 1
            peer.send(answer(request, status=RTHROTTLED))
        rests = [line["until"] for line in site.daemon.log("smpp.throttled")[-3:]]
        assert rests == sorted(rests)  # one probe each, after a longer rest each
        for _ in ids:
            submit = asked(peer, SUBMIT)
            peer.send(answer(submit, b"at-last-%d" % submit.sequence))
        for id in ids:
            site.daemon.reaches(id, "sent")
