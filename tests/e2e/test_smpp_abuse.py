"""Hostile peers, by octets written by hand: what an ESME may do to our server, and an SMSC to our client.

After each abuse the daemon lives, the sessions of an honest account and of an honest carrier have gone on,
and the log holds no traceback.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from tests.peers.hostile import (
    ABUSER,
    ALERT,
    BIND_RX,
    BIND_TRX,
    BIND_TX,
    BODIES,
    CANCEL,
    CAP,
    CUSTOMERS,
    DATA,
    DELIVER,
    ENQUIRE_LINK,
    GENERIC_NACK,
    OUTBIND,
    QUERY,
    RALYBND,
    REPLACE,
    RESPONSE,
    RINVBNDSTS,
    RINVCMDID,
    RINVCMDLEN,
    RINVDSTADR,
    RINVMSGLEN,
    RINVOPTPARSTREAM,
    RINVSERTYP,
    RINVSRCADR,
    ROK,
    RSYSERR,
    RX_T_APPN,
    SUBMIT,
    SUBMIT_MULTI,
    UNBIND,
    Site,
    accepted,
    asked,
    damaged,
    hostile_site,
    pdu,
    short_message,
    tlv,
    unharmed,
)
from tests.peers.processes import until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with hostile_site(tmp_path_factory.mktemp("abuse") / "site") as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    with unharmed(shared):
        yield shared


# -- an ESME against our server ------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 4, 15, CAP + 1, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("bound", [True, False])
def test_a_length_that_cannot_be_is_answered_and_ends_the_session(
    site: Site, length: int, bound: bool
) -> None:
    with site.abuser() if bound else site.connection() as peer:
        assert peer.ask(pdu(SUBMIT, 77, length=length)) == (GENERIC_NACK, RINVCMDLEN, 77)
        assert peer.ended()
        name = "abuser" if bound else "unbound"
        assert any(line["link"] == name for line in site.daemon.log("smpp.malformed"))


def test_the_longest_pdu_is_read(site: Site) -> None:
    payload = tlv(0x1400, b"x" * 0xFFFF)
    with site.abuser() as peer:
        assert peer.ask(pdu(SUBMIT, 78, short_message(tlvs=payload)))[::2] == (SUBMIT | RESPONSE, 78)
        peer.lives()


@pytest.mark.parametrize("command", [0, 0xA, 0xFF, 0x7FFFFFFF, 0x00010000])
def test_an_unknown_command_gets_generic_nack(site: Site, command: int) -> None:
    with site.connection() as peer:
        assert peer.ask(pdu(command, 5, b"junk")) == (GENERIC_NACK, RINVCMDID, 5)
        assert peer.ask(pdu(BIND_TRX, 6, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 6)
        assert peer.ask(pdu(command, 7, b"junk")) == (GENERIC_NACK, RINVCMDID, 7)
        peer.lives()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", RINVSERTYP),
        (b"\xff" * 30, RINVSERTYP),
        (short_message(service_type=b"SIXSIX"), RINVSERTYP),
        (short_message(source=b"1" * 21), RINVSRCADR),
        (short_message(to=b"4" * 21), RINVDSTADR),
        (b"\0\1\1" + b"12345", RINVSRCADR),  # ends before the NUL
        (b"\0\1\1" + b"12345\0\1\1447700", RINVDSTADR),
        (short_message()[:-4], RINVCMDLEN),
        (short_message(sm_length=3), RINVMSGLEN),
        (short_message(sm_length=255), RINVMSGLEN),
        (short_message(b"h" * 40, sm_length=38), RINVOPTPARSTREAM),
        (short_message(tlvs=b"\x14\x00\x00\x05abcd"), RINVOPTPARSTREAM),
        (short_message(tlvs=b"\x14\x00\xff\xff"), RINVOPTPARSTREAM),
        (short_message(tlvs=b"\x14"), RINVOPTPARSTREAM),
    ],
)
def test_a_broken_body_is_answered_with_its_status(site: Site, body: bytes, status: int) -> None:
    with site.abuser() as peer:
        assert peer.ask(pdu(SUBMIT, 9, body)) == (SUBMIT | RESPONSE, status, 9)
        peer.lives()


@pytest.mark.parametrize("command", [SUBMIT, QUERY, REPLACE, CANCEL, SUBMIT_MULTI, DATA])
def test_any_request_damaged_anywhere_is_answered(site: Site, command: int) -> None:
    with site.abuser() as peer:
        for n, body in enumerate(damaged(BODIES[command], 100)):
            answer = peer.ask(pdu(command, n, body))
            assert answer[::2] == (command | RESPONSE, n) and answer[1] != RSYSERR, body
        peer.lives()


@pytest.mark.parametrize("command", [QUERY, REPLACE, CANCEL, SUBMIT_MULTI, DATA])
def test_any_request_cut_short_anywhere_is_answered(site: Site, command: int) -> None:
    body = BODIES[command]
    with site.abuser() as peer:
        peer.send(b"".join(pdu(command, n, body[:n]) for n in range(len(body))))
        answers = [peer.answered() for _ in body]
        assert sorted(answer[2] for answer in answers) == list(range(len(body)))
        # a data_sm that ends before its TLVs is whole
        whole = len(body) - 6 if command == DATA else -1
        assert all(
            answer[0] == command | RESPONSE and answer[1] != ROK for answer in answers if answer[2] != whole
        )
        peer.lives()


def test_unknown_parameters_are_no_fault(site: Site) -> None:
    to = next(CUSTOMERS)
    tlvs = tlv(0x1400, b"operator") + tlv(0xFFFF, b"") + tlv(0x0000, b"\0") + tlv(0x1400, b"again")
    with site.abuser() as peer:
        assert peer.ask(pdu(SUBMIT, 3, short_message(to=to, tlvs=tlvs))) == (SUBMIT | RESPONSE, ROK, 3)
        peer.lives()
    assert len(site.friend.submit(to.decode())) == 1


@pytest.mark.parametrize("sequence", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_any_sequence_number_is_answered_with_itself(site: Site, sequence: int) -> None:
    with site.connection() as peer:
        assert peer.ask(pdu(BIND_TRX, sequence, ABUSER)) == (BIND_TRX | RESPONSE, ROK, sequence)
        body = short_message(to=next(CUSTOMERS))
        assert peer.ask(pdu(SUBMIT, sequence, body)) == (SUBMIT | RESPONSE, ROK, sequence)
        assert peer.ask(pdu(SUBMIT, sequence, b"")) == (SUBMIT | RESPONSE, RINVSERTYP, sequence)
        assert peer.ask(pdu(0x777, sequence)) == (GENERIC_NACK, RINVCMDID, sequence)
        peer.lives(sequence)
        assert peer.ask(pdu(UNBIND, sequence)) == (UNBIND | RESPONSE, ROK, sequence)
        assert peer.ended()


def test_responses_to_nothing_are_passed_over(site: Site) -> None:
    responses = [GENERIC_NACK, *(RESPONSE | n for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0x15, 0x21, 0x103))]
    with site.abuser() as peer:
        for response in (*responses, 0x80000777):
            for body in (b"", b"id\0", b"\xff" * 300):
                for status in (ROK, 8, 0xFFFFFFFF):
                    peer.send(pdu(response, 1, body, status=status))
        peer.lives()


def test_responses_before_the_bind_are_passed_over(site: Site) -> None:
    with site.connection() as peer:
        peer.send(pdu(BIND_TRX | RESPONSE, 1, b"smsc\0") + pdu(GENERIC_NACK, 0) + pdu(UNBIND | RESPONSE, 1))
        assert peer.ask(pdu(BIND_TRX, 2, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 2)
        peer.lives()


def test_pdus_may_be_cut_anywhere(site: Site) -> None:
    submit = pdu(SUBMIT, 2, short_message(to=next(CUSTOMERS)))
    with site.connection() as peer:
        peer.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in pdu(BIND_TRX, 1, ABUSER) + submit:
            peer.send(bytes((octet,)))
        assert peer.answered() == (BIND_TRX | RESPONSE, ROK, 1)
        assert peer.answered() == (SUBMIT | RESPONSE, ROK, 2)
        stream = pdu(ENQUIRE_LINK, 3) + pdu(SUBMIT, 4, b"") + pdu(0x777, 5)
        for at in range(1, len(stream)):
            peer.send(stream[:at])
            time.sleep(0.001)
            peer.send(stream[at:])
            assert [peer.answered()[2] for _ in range(3)] == [3, 4, 5]


def test_a_thousand_pdus_may_come_at_once(site: Site) -> None:
    with site.abuser() as peer:
        peer.send(b"".join(pdu(ENQUIRE_LINK, n) for n in range(1, 1001)))
        assert [peer.answered() for _ in range(1000)] == [
            (ENQUIRE_LINK | RESPONSE, ROK, n) for n in range(1, 1001)
        ]
        peer.send(b"".join(pdu(SUBMIT, n, short_message(source=b"999")) for n in range(1, 1001)))
        assert sorted(peer.answered()[2] for _ in range(1000)) == list(range(1, 1001))


@pytest.mark.parametrize(
    "command", [QUERY, SUBMIT, UNBIND, REPLACE, CANCEL, ENQUIRE_LINK, SUBMIT_MULTI, DATA]
)
def test_before_the_bind_only_a_bind_is_granted(site: Site, command: int) -> None:
    with site.connection() as peer:
        for body in (b"", b"\xff" * 40, short_message()):
            assert peer.ask(pdu(command, 3, body)) == (command | RESPONSE, RINVBNDSTS, 3)
        assert peer.ask(pdu(BIND_TRX, 4, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 4)


def test_what_only_an_smsc_asks_is_refused_before_the_bind_too(site: Site) -> None:
    with site.connection() as peer:
        assert peer.ask(pdu(DELIVER, 2, short_message())) == (DELIVER | RESPONSE, RINVBNDSTS, 2)
        for command, body in ((OUTBIND, b"abuser\0right\0"), (ALERT, b"\1\0011\0\1\0012\0"), (OUTBIND, b"")):
            assert peer.ask(pdu(command, 3, body)) == (GENERIC_NACK, RINVBNDSTS, 3)
        assert peer.ask(pdu(BIND_TRX, 4, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 4)


def test_who_shuts_down_its_side_after_asking_gets_its_answers(site: Site) -> None:
    submits = [pdu(SUBMIT, n, short_message(to=next(CUSTOMERS))) for n in range(2, 52)]
    with site.abuser() as peer:
        peer.send(b"".join(submits))
        peer.connection.shutdown(socket.SHUT_WR)
        assert sorted(peer.answered() for _ in submits) == [(SUBMIT | RESPONSE, ROK, n) for n in range(2, 52)]
        assert peer.ended()
    with site.connection() as peer:
        peer.send(pdu(BIND_TRX, 1, ABUSER))
        peer.connection.shutdown(socket.SHUT_WR)
        assert peer.answered() == (BIND_TRX | RESPONSE, ROK, 1)
        assert peer.ended()


def test_a_connection_without_a_bind_ends(site: Site) -> None:
    with site.connection() as silent, site.connection() as busy:
        end = time.monotonic() + 9
        while busy.connection.fileno() >= 0 and time.monotonic() < end:
            try:
                busy.send(pdu(ENQUIRE_LINK, 1))
                if busy.read() is None:
                    break
            except ConnectionError:
                break
            time.sleep(0.02)
        assert time.monotonic() < end
        while silent.read() is not None:
            pass


@pytest.mark.parametrize("again", [BIND_RX, BIND_TX, BIND_TRX])
def test_a_second_bind_is_refused_and_the_first_goes_on(site: Site, again: int) -> None:
    with site.abuser() as peer:
        assert peer.ask(pdu(again, 2, ABUSER)) == (again | RESPONSE, RALYBND, 2)
        assert peer.ask(pdu(again, 3, b"nobody\0\xff")) == (again | RESPONSE, RALYBND, 3)
        peer.lives()


def test_a_receiver_cannot_submit(site: Site) -> None:
    with site.abuser(BIND_RX) as peer:
        for command in (SUBMIT, SUBMIT_MULTI, DATA, QUERY, CANCEL, REPLACE):
            assert peer.ask(pdu(command, 2, short_message())) == (command | RESPONSE, RINVBNDSTS, 2)
        peer.lives()


def test_what_only_an_smsc_asks_is_refused(site: Site) -> None:
    with site.abuser() as peer:
        status = peer.ask(pdu(DELIVER, 2, short_message()))
        assert status == (DELIVER | RESPONSE, RINVBNDSTS, 2)
        assert peer.ask(pdu(OUTBIND, 3, b"abuser\0right\0")) == (GENERIC_NACK, RINVBNDSTS, 3)
        assert peer.ask(pdu(ALERT, 4, b"\1\0011\0\1\0012\0")) == (GENERIC_NACK, RINVBNDSTS, 4)
        peer.lives()


@pytest.mark.parametrize(
    "body",
    [b"", b"a", b"a" * 500, b"abuser\0" + b"x" * 400 + b"\0\0\x34\0\0\0", b"abuser\0right\0\0\x34\0\0"],
)
def test_a_broken_bind_is_refused_and_a_good_one_may_follow(site: Site, body: bytes) -> None:
    with site.connection() as peer:
        command, status, sequence = peer.ask(pdu(BIND_TRX, 1, body))
        assert (command, sequence) == (BIND_TRX | RESPONSE, 1) and status != ROK
        assert peer.ask(pdu(BIND_TRX, 2, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 2)


def test_a_bind_with_garbage_behind_it_leaves_no_session(site: Site) -> None:
    for _ in range(5):  # more than the account may have
        with site.connection() as peer:
            peer.send(pdu(BIND_TRX, 1, ABUSER) + b"GET / HTTP/1.1\r\n\r\n")
            while peer.read() is not None:
                pass
    with site.abuser() as peer:
        peer.lives()


def test_everything_at_once_and_gone_leaves_no_session(site: Site) -> None:
    submit = pdu(SUBMIT, 2, short_message(to=next(CUSTOMERS)))
    for behind in (b"", submit, pdu(UNBIND, 2), submit + pdu(UNBIND, 3), pdu(BIND_TRX, 2, ABUSER), b"\0\0"):
        with site.connection() as peer:
            peer.send(pdu(BIND_TRX, 1, ABUSER) + behind)
            peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def bound() -> bool:
        with site.connection() as peer:
            return peer.ask(pdu(BIND_TRX, 1, ABUSER))[:2] == (BIND_TRX | RESPONSE, ROK)

    until(bound, "the account has its sessions again")


def test_http_is_not_smpp(site: Site) -> None:
    with site.connection() as peer:
        assert peer.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")[:2] == (GENERIC_NACK, RINVCMDLEN)
        assert peer.ended()


@pytest.mark.parametrize("data_coding", [0, 1, 2, 3, 4, 8, 0xF0, 0xF5, 0xFF])
def test_any_text_gets_an_answer(site: Site, data_coding: int) -> None:
    texts = [b"", b"\x1b", b"\xd8", b"\xd8\x00", b"\xff" * 140, b"\x80" * 255, b"\0" * 10]
    headers = [
        b"\x00",
        b"\xff",
        b"\x05\x00\x03\x01\x00\x00",
        b"\x05\x00\x03\x01\x02\x09",
        b"\x06\x08\x04\x00",
    ]
    with site.abuser() as peer:
        for esm_class, text in [(0, text) for text in texts] + [(0x40, head) for head in headers]:
            body = short_message(text, esm_class=esm_class, data_coding=data_coding, to=next(CUSTOMERS))
            command, status, _ = peer.ask(pdu(SUBMIT, 2, body))
            assert command == SUBMIT | RESPONSE and status != RSYSERR, (esm_class, text)
        peer.lives()


def test_a_peer_that_does_not_read_is_not_read_from(site: Site) -> None:
    with site.abuser() as peer:
        peer.connection.setblocking(False)
        flood = b"".join(pdu(ENQUIRE_LINK, n) for n in range(1, 5000))
        sent, quiet, end = 0, 0, time.monotonic() + 9
        while quiet < 10 and time.monotonic() < end:
            try:
                sent += peer.connection.send(flood[sent % len(flood) :])
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.02)
        assert quiet == 10, f"{sent} octets were taken from a peer that does not read"
        site.honest.lives()


def wanting_a_receipt(to: bytes) -> bytes:
    return b"\0\1\00112345\0\1\1" + to + b"\0\0\0\0\0\0\1\0\0\0\2hi"


def test_a_receipt_that_is_refused_comes_again(site: Site) -> None:
    to = next(CUSTOMERS)
    with site.abuser() as peer:
        peer.send(pdu(SUBMIT, 2, wanting_a_receipt(to)))
        accepted = peer.read()
        assert accepted is not None and accepted.status == ROK
        [segment] = site.daemon.reaches(accepted.body[:-1].decode(), "sent")["segments"]
        news = f"id:{segment['smsc_id']} stat:DELIVRD err:000".encode()
        assert site.friend.deliver(to.decode(), "12345", news, esm_class=4).status == ROK
        receipt = asked(peer, DELIVER)
        for stray in (receipt.sequence + 9, receipt.sequence | 0x80000000, 0):
            peer.send(pdu(DELIVER | RESPONSE, stray, b"\xff" * 90))
        peer.send(pdu(DELIVER | RESPONSE, receipt.sequence, b"\xff" * 90, status=RSYSERR) * 2)
        peer.lives()
    with site.abuser() as peer:
        assert asked(peer, DELIVER).body == receipt.body
        peer.send(pdu(GENERIC_NACK, 1, status=RSYSERR))  # not ours to answer twice either
        peer.lives()
    with site.abuser() as peer:
        peer.send(pdu(DELIVER | RESPONSE, asked(peer, DELIVER).sequence))
        peer.lives()


@pytest.mark.parametrize("version", [0x00, 0x33, 0x34, 0x50, 0xFF])
def test_any_version_may_bind(site: Site, version: int) -> None:
    with site.connection() as peer:
        body = b"abuser\0right\0vms\0" + bytes((version,)) + b"\xff\xff.*\0"
        assert peer.ask(pdu(BIND_TRX, 1, body)) == (BIND_TRX | RESPONSE, ROK, 1)
        peer.lives()


def test_what_was_asked_before_an_unbind_is_answered_before_it(site: Site) -> None:
    submits = [pdu(SUBMIT, n, short_message(to=next(CUSTOMERS))) for n in range(1, 21)]
    with site.abuser() as peer:
        peer.send(b"".join(submits) + pdu(UNBIND, 21) + pdu(SUBMIT, 22, short_message()))
        assert peer.answered() == (SUBMIT | RESPONSE, RINVBNDSTS, 22)
        assert sorted(peer.answered() for _ in submits) == [(SUBMIT | RESPONSE, ROK, n) for n in range(1, 21)]
        assert peer.answered() == (UNBIND | RESPONSE, ROK, 21)
        assert peer.ended()


def test_unbind_both_ways_at_once_and_twice(site: Site) -> None:
    with site.abuser() as peer:
        peer.send(pdu(UNBIND, 2) + pdu(UNBIND, 3) + pdu(SUBMIT, 4, short_message()))
        assert peer.answered() == (UNBIND | RESPONSE, ROK, 2)
        assert peer.ended()


# -- an SMSC against our client ------------------------------------------------------------------------


def bound_again(site: Site) -> None:
    with site.carrier() as peer:
        peer.lives()


@pytest.mark.parametrize(
    "said",
    [
        b"",  # closes at once
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        bytes(64),
        b"\xff" * 64,
        b"\0\0",
        pdu(BIND_TRX | RESPONSE, 1, status=0x0D),
        pdu(BIND_TRX | RESPONSE, 1, b"foe\0", status=0xFFFFFFFF),
        pdu(GENERIC_NACK, 1, status=RINVCMDID),
        pdu(BIND_TRX | RESPONSE, 1, b"foe\0") + b"\xff" * 20,
        pdu(BIND_TRX | RESPONSE, 1, b"foe\0") + pdu(UNBIND, 1),
        pdu(UNBIND, 1) + pdu(DELIVER, 2, short_message()) + pdu(OUTBIND, 3, b"\0\0"),
    ],
)
def test_a_carrier_that_does_not_bind_is_tried_again(site: Site, said: bytes) -> None:
    downs = len(site.daemon.log("smpp.down"))
    with site.listener() as listener, accepted(listener) as peer:
        asked(peer, BIND_TRX)
        peer.send(said)
    until(lambda: len(site.daemon.log("smpp.down")) > downs, "the bind says why it is down")
    assert site.daemon.log("smpp.down")[-1]["bind"] == "foe"
    bound_again(site)


@pytest.mark.parametrize("chatter", [b"", pdu(ENQUIRE_LINK, 1)])
def test_a_carrier_that_never_answers_the_bind_is_left(site: Site, chatter: bytes) -> None:
    with site.listener() as listener, accepted(listener) as peer:
        asked(peer, BIND_TRX)
        began = time.monotonic()
        peer.send(chatter)
        while peer.read() is not None:
            pass
        assert time.monotonic() - began < 9
    bound_again(site)


@pytest.mark.parametrize(
    "body", [b"", b"foe", b"\xff" * 300, b"foe\0\x02\x10\x00\x09\x34", b"f" * 200 + b"\0"]
)
def test_a_bind_is_granted_whatever_the_body_says(site: Site, body: bytes) -> None:
    with site.listener() as listener, accepted(listener) as peer:
        peer.send(pdu(BIND_TRX | RESPONSE, asked(peer, BIND_TRX).sequence, body))
        peer.lives()


def test_what_comes_before_the_bind_is_refused(site: Site) -> None:
    with site.listener() as listener, accepted(listener) as peer:
        bind = asked(peer, BIND_TRX)
        for command in (DELIVER, DATA, ENQUIRE_LINK, UNBIND):
            assert peer.ask(pdu(command, 9, short_message())) == (command | RESPONSE, RINVBNDSTS, 9)
        peer.send(pdu(BIND_TRX | RESPONSE, bind.sequence, b"foe\0") * 3)
        peer.lives()


def test_what_a_carrier_has_no_right_to_ask_is_refused(site: Site) -> None:
    with site.carrier() as peer:
        for command in (SUBMIT, BIND_TRX, BIND_RX, QUERY, REPLACE, CANCEL, SUBMIT_MULTI):
            answer = peer.ask(pdu(command, 9, b""))
            assert answer[0] == command | RESPONSE and answer[1] != ROK and answer[2] == 9
        assert peer.ask(pdu(0x777, 10)) == (GENERIC_NACK, RINVCMDID, 10)
        for sequence in (0, 0x80000000, 0xFFFFFFFF):
            peer.lives(sequence)


@pytest.mark.parametrize("length", [0, 15, CAP + 1, 0xFFFFFFFF])
def test_a_carrier_that_loses_its_framing_is_left_and_bound_to_again(site: Site, length: int) -> None:
    with site.carrier() as peer:
        assert peer.ask(pdu(DELIVER, 5, length=length)) == (GENERIC_NACK, RINVCMDLEN, 5)
        assert peer.ended()
    assert any(line["link"].startswith("foe") for line in site.daemon.log("smpp.malformed"))
    bound_again(site)


def test_what_a_carrier_delivers_before_its_unbind_is_answered_before_it(site: Site) -> None:
    text = short_message(b"hello", source=next(CUSTOMERS), to=b"23456")
    with site.carrier() as peer:
        peer.send(pdu(DELIVER, 5, text) + pdu(UNBIND, 6))
        assert [peer.answered(), peer.answered()] == [
            (DELIVER | RESPONSE, ROK, 5),
            (UNBIND | RESPONSE, ROK, 6),
        ]
        assert peer.ended()


def test_a_carrier_that_shuts_down_its_side_gets_its_answers_and_is_bound_to_again(site: Site) -> None:
    texts = [short_message(b"hello", source=next(CUSTOMERS), to=b"23456") for _ in range(20)]
    with site.carrier() as peer:
        peer.send(b"".join(pdu(DELIVER, n, text) for n, text in enumerate(texts)))
        peer.connection.shutdown(socket.SHUT_WR)
        assert sorted(peer.answered() for _ in texts) == [(DELIVER | RESPONSE, ROK, n) for n in range(20)]
        assert peer.ended()
    bound_again(site)


def test_a_carrier_that_unbinds_is_bound_to_again(site: Site) -> None:
    with site.carrier() as peer:
        assert peer.ask(pdu(UNBIND, 5)) == (UNBIND | RESPONSE, ROK, 5)
        assert peer.ended()
    bound_again(site)


@pytest.mark.parametrize(
    ("body", "smsc_id"),
    [
        (b"", ""),
        (b"\0", ""),
        (b"no-nul", "no-nul"),
        (b"i" * 65 + b"\0", "i" * 65),
        (b"j" * 255 + b"\0", "j" * 255),
        (b"k" * 300 + b"\0", ""),
        (b"tlvs\0" + tlv(0x1400, b"x") + tlv(0x0424, b"y"), "tlvs"),
        (b"overrun\0\x14\x00\xff\xff", "overrun"),
        (b"\xe9\xff\0", "\xe9\xff"),
    ],
)
def test_an_accepted_message_is_sent_whatever_the_body_of_the_answer(
    site: Site, body: bytes, smsc_id: str
) -> None:
    with site.carrier() as peer:
        id = site.send()
        submit = asked(peer, SUBMIT)
        peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, body))
        [segment] = site.daemon.reaches(id, "sent", "failed")["segments"]
        assert site.daemon.message(id)["status"] == "sent"
        assert (segment["smsc_id"] or "") == smsc_id
        peer.lives()


@pytest.mark.parametrize("body", [b"", b"\0", b"id\0", b"\xff" * 400])
@pytest.mark.parametrize(
    ("command", "status"), [(SUBMIT | RESPONSE, 0x0B), (GENERIC_NACK, 3), (SUBMIT | RESPONSE, 0x4242)]
)
def test_a_refusal_fails_the_message_with_and_without_a_body(
    site: Site, command: int, status: int, body: bytes
) -> None:
    with site.carrier() as peer:
        id = site.send()
        peer.send(pdu(command, asked(peer, SUBMIT).sequence, body, status=status))
        site.daemon.reaches(id, "failed")
        peer.lives()


def test_answers_late_twice_out_of_order_and_to_nothing(site: Site) -> None:
    with site.carrier() as peer:
        ids = {f"+{n}": site.send(to=f"+{n}") for n in (next(CUSTOMERS).decode() for _ in range(5))}
        submits = [asked(peer, SUBMIT) for _ in ids]
        for submit in reversed(submits):
            name = b"%d" % submit.sequence
            peer.send(pdu(SUBMIT | RESPONSE, submit.sequence + 500, b"nothing\0"))
            peer.send(pdu(DELIVER | RESPONSE, submit.sequence, b"\0"))  # of another kind
            peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, name + b"\0") * 2)
            peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, status=8))
            peer.send(
                pdu(SUBMIT | RESPONSE, submit.sequence | 0x80000000, b"x\0") + pdu(GENERIC_NACK, 0, status=3)
            )
        for submit in submits:
            [id] = [id for to, id in ids.items() if to[1:].encode() in submit.body]
            [segment] = site.daemon.reaches(id, "sent", "failed")["segments"]
            assert segment["smsc_id"] == str(submit.sequence)
        late = site.send()
        submit = asked(peer, SUBMIT)
        until(lambda: site.daemon.log("smpp.in_doubt"), "the message is in doubt")
        asked_again = peer.read()  # the enquire_link
        assert asked_again is not None and asked_again.command == ENQUIRE_LINK
        peer.send(pdu(ENQUIRE_LINK | RESPONSE, asked_again.sequence))
        peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, b"late\0"))
        until(lambda: site.daemon.message(late)["segments"][0]["smsc_id"] == "late", "the late id is known")
        peer.lives()


def test_receipts_that_are_none_harm_nobody(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send()
        submit = asked(peer, SUBMIT)
        peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, b"\0"))  # no id
        site.daemon.reaches(id, "sent")
        texts = [
            b"",
            b"id:",
            b"id: stat:DELIVRD",
            b"stat:DELIVRD",
            b"id:\0 stat:DELIVRD err:000",
            b"id:" + b"9" * 240,
            b"id:1 sub:xxx dlvrd:-1 submit date:9999999999 done date:0000000000 stat:DELIVRD err:zzz",
            b"id:1 stat:\xff\xfe\xfd err: text:\0\0",
            b"id:1 done date:991399256199 stat:DELIVRD",
            b"\xff" * 200,
            b"id:id:id:id: stat:stat:stat:",
        ]
        states = [b"", b"\0", b"\xff", b"\2\2\2"]
        odd = [tlv(0x1E, name) + tlv(0x427, state) for name in (b"", b"\0", b"\xff" * 65) for state in states]
        bodies = [short_message(text, esm_class=esm) for text in texts for esm in (4, 0x20, 0x44, 8, 0x3C)]
        bodies += [short_message(b"", esm_class=4, tlvs=tlvs + tlv(0x423, b"\3")) for tlvs in odd]
        bodies += [short_message(text, data_coding=8, esm_class=4) for text in texts]
        for n, body in enumerate(bodies, 100):
            command, status, sequence = peer.ask(pdu(DELIVER, n, body))
            assert (command, sequence) == (DELIVER | RESPONSE, n) and status != RX_T_APPN, body
        assert site.daemon.message(id)["status"] == "sent"
        peer.lives()


def test_inbound_messages_that_are_none_harm_nobody(site: Site) -> None:
    long = short_message(b"\5\0\3\1\2\1hello", esm_class=0x40, source=b"447700800000", to=b"23456")
    by_parameters = b"\0\1\001447700800000\0\1\00123456\0\4\0\0" + tlv(0x1E, b"1\0") + tlv(0x427, b"\2")
    by_parameters += tlv(0x424, b"id:1 stat:DELIVRD")
    with site.carrier() as peer:
        for kind, good in ((DELIVER, long), (DATA, by_parameters)):
            for n, body in enumerate(damaged(good, 150)):
                answer = peer.ask(pdu(kind, n, body))
                assert answer[::2] == (kind | RESPONSE, n) and answer[1] != RX_T_APPN, body
        for source in (b"", b"0", b"+", b"\xff\xfe", b"Pizza\x01", b"9" * 20):
            for to in (b"", b"23456", b"\xff" * 20):
                message = short_message(b"hours", source=source, to=to)
                command, status, _ = peer.ask(pdu(DELIVER, 5, message))
                assert command == DELIVER | RESPONSE and status != RX_T_APPN, message
        peer.lives()


def test_a_carrier_that_stops_reading_is_left(site: Site) -> None:
    with site.listener() as listener, accepted(listener) as peer:
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.send(pdu(BIND_TRX | RESPONSE, asked(peer, BIND_TRX).sequence, b"foe\0"))
        downs = len(site.daemon.log("smpp.down"))
        refs = [site.send() for _ in range(30)]
        until(lambda: len(site.daemon.log("smpp.down")) > downs, "the carrier was left")
        assert refs
    bound_again(site)


def test_a_receipt_may_come_before_the_answer_that_it_is_about(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send(until="delivered")
        submit = asked(peer, SUBMIT)
        receipt = short_message(b"id:early stat:DELIVRD err:000", esm_class=4, to=b"23456")
        assert peer.ask(pdu(DELIVER, 9, receipt)) == (DELIVER | RESPONSE, ROK, 9)
        peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, b"early\0"))
        site.daemon.reaches(id, "delivered")


def test_an_id_that_a_carrier_gives_again_is_the_youngest_messages(site: Site) -> None:
    with site.carrier() as peer:
        ids = [site.send() for _ in range(3)]
        for _ in ids:
            peer.send(pdu(SUBMIT | RESPONSE, asked(peer, SUBMIT).sequence, b"same-id\0"))
        for id in ids:
            site.daemon.reaches(id, "sent")
        receipt = short_message(b"id:same-id stat:UNDELIV err:001", esm_class=4, to=b"23456")
        for _ in range(3):
            assert peer.ask(pdu(DELIVER, 9, receipt)) == (DELIVER | RESPONSE, ROK, 9)
        until(
            lambda: [site.daemon.message(id)["status"] for id in ids].count("failed") == 1, "one has failed"
        )


def test_a_receipt_may_name_an_id_of_any_length(site: Site) -> None:
    with site.carrier() as peer:
        for name in (b"n" * 65, b"m" * 240, b"'; drop table", b"\xe9\xfc"):
            id = site.send(until="delivered")
            peer.send(pdu(SUBMIT | RESPONSE, asked(peer, SUBMIT).sequence, name + b"\0"))
            site.daemon.reaches(id, "sent")
            tlvs = tlv(0x1E, name + b"\0") + tlv(0x427, b"\2")
            assert peer.ask(pdu(DELIVER, 9, short_message(b"", esm_class=4, tlvs=tlvs)))[1] == ROK
            site.daemon.reaches(id, "delivered")
