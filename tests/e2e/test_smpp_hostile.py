"""More of what hostile peers do, in the order in which a session lives: floods, slowness, half-ends, lies.

`test_smpp_abuse` holds what one PDU can do; here it is what many of them, or the lack of one, can do.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.peers.hostile import (
    ABUSER,
    ALERT,
    BIND_RX,
    BIND_TRX,
    BIND_TX,
    CUSTOMERS,
    DELIVER,
    ENQUIRE_LINK,
    GENERIC_NACK,
    OUTBIND,
    RESPONSE,
    RINVBNDSTS,
    RINVCMDLEN,
    ROK,
    RSYSERR,
    RX_T_APPN,
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
from tests.peers.processes import until

pytestmark = pytest.mark.e2e

RINVPASWD, RINVSYSID, RINVSYSTYP, RMSGQFUL, RALYBND = 0x0E, 0x0F, 0x53, 0x14, 5
RESET = struct.pack("ii", 1, 0)

QUICK = SETTINGS.replace("window = 2000", 'window = 20\nenquire_link = "300ms"').replace(
    'retry_pause = "50ms"', 'retry_pause = "50ms"\nenquire_link = "300ms"\nwindow = 5'
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with hostile_site(tmp_path_factory.mktemp("hostile") / "site", QUICK) as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    with unharmed(shared):
        yield shared


def reset(peer: Peer) -> None:
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.connection.close()


def drain(peer: Peer) -> list[Answer]:
    """What is still said before the connection ends; enquire_link is answered."""
    said = []
    while (answer := peer.read()) is not None:
        if answer.command == ENQUIRE_LINK:
            with contextlib.suppress(ConnectionError):
                peer.send(pdu(ENQUIRE_LINK | RESPONSE, answer.sequence))
        else:
            said.append(answer)
    return said


def binds(site: Site, sessions: int = 3) -> None:
    """The abuser has all its sessions again."""

    def all_of_them() -> bool:
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(site.connection()) for _ in range(sessions)]
            return [peer.ask(pdu(BIND_TRX, 1, ABUSER))[1] for peer in peers] == [ROK] * sessions

    until(all_of_them, "no session is left behind")


# -- an ESME against our server: the bind --------------------------------------------------------------


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [
        (b"", b"", RINVSYSID),
        (b"", b"right", RINVSYSID),
        (b"s" * 16, b"right", RINVSYSID),
        (b"s" * 64, b"right", RINVSYSID),
        (b"s" * 65, b"right", RINVSYSID),
        (b"abuser", b"p" * 9, RINVPASWD),
        (b"abuser", b"p" * 64, RINVPASWD),
        (b"abuser", b"p" * 65, RINVPASWD),
        (b"abuser", b"RIGHT", RINVPASWD),
        (b"abuser", b"right ", RINVPASWD),
        (b"ABUSER", b"right", RINVPASWD),
        (b"\xff\xfe\x80", b"\xff\xfe", RINVPASWD),
        (b"%s%n", b"' or ''='", RINVPASWD),
    ],
)
def test_credentials_that_are_none(site: Site, system_id: bytes, password: bytes, status: int) -> None:
    with site.connection() as peer:
        body = system_id + b"\0" + password + b"\0\0\x34\0\0\0"
        assert peer.ask(pdu(BIND_TRX, 1, body)) == (BIND_TRX | RESPONSE, status, 1)
    with site.abuser() as peer:  # resets the patience with this address
        peer.lives()


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        (b"t" * 12 + b"\0\x34\0\0\0", ROK),
        (b"t" * 13 + b"\0\x34\0\0\0", RINVSYSTYP),
        (b"\0\x34\xff\xff" + b"9" * 40 + b"\0", ROK),
        (b"\0\x34\xff\xff" + b"9" * 41 + b"\0", 2),
        (b"\0\x34\0\0^(.*$\0", ROK),
        (b"\0\x34\0\0\0" + tlv(0x210, b"\x34") + tlv(0x1400, b"x"), ROK),
        (b"\0\x34\0\0\0\x14", 0xC0),
    ],
)
def test_the_other_fields_of_a_bind(site: Site, tail: bytes, status: int) -> None:
    with site.connection() as peer:
        assert peer.ask(pdu(BIND_TRX, 1, b"abuser\0right\0" + tail)) == (BIND_TRX | RESPONSE, status, 1)


@pytest.mark.parametrize("status", [1, 0x45, 0xFFFFFFFF])
def test_the_status_of_a_request_means_nothing(site: Site, status: int) -> None:
    with site.connection() as peer:
        assert peer.ask(pdu(BIND_TRX, 1, ABUSER, status=status))[1] == ROK
        assert peer.ask(pdu(SUBMIT, 2, short_message(), status=status)) == (SUBMIT | RESPONSE, ROK, 2)
        assert peer.ask(pdu(ENQUIRE_LINK, 3, status=status)) == (ENQUIRE_LINK | RESPONSE, ROK, 3)


def test_a_bind_after_a_refused_one_needs_a_new_connection(site: Site) -> None:
    with site.connection() as peer:
        wrong = pdu(BIND_TRX, 1, b"abuser\0wrong\0\0\x34\0\0\0")
        peer.send(wrong + pdu(BIND_TRX, 2, ABUSER))
        statuses = {answer.sequence: answer.status for answer in drain(peer)}
        assert statuses[1] == RINVPASWD and statuses.get(2, RALYBND) == RALYBND
    binds(site)


def test_binds_by_the_hundred_leave_as_many_sessions_as_there_may_be(site: Site) -> None:
    peers = [Peer(socket.create_connection(("127.0.0.1", site.port), timeout=30)) for _ in range(100)]
    for peer in peers:
        peer.send(pdu(BIND_TRX, 1, ABUSER))
    statuses = Counter(peer.answered()[1] for peer in peers)
    assert statuses == {ROK: 3, RALYBND: 97}
    for peer in peers:
        reset(peer)
    binds(site)


def test_guesses_by_the_hundred_keep_nobody_out(site: Site) -> None:
    guesses = [Peer(socket.create_connection(("127.0.0.1", site.port), timeout=30)) for _ in range(100)]
    for number, peer in enumerate(guesses):
        peer.send(pdu(BIND_TRX, 1, f"abuser\0guess{number}\0\0\x34\0\0\0".encode()))
    site.honest.lives()
    with site.connection() as good:  # behind them, from the same address: late, but in
        good.connection.settimeout(30)
        assert good.ask(pdu(BIND_TRX, 1, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 1)
    for peer in guesses:
        assert peer.answered()[1] == RINVPASWD
        assert peer.ended()
        peer.connection.close()


def test_connections_that_come_and_go_by_the_hundred(site: Site) -> None:
    for number in range(300):
        with site.connection() as peer:
            if number % 3:
                peer.send(pdu(BIND_TRX, 1, ABUSER)[: number % 40])
            if number % 2:
                reset(peer)
    binds(site)


def test_more_idle_connections_than_may_be_keep_nobody_out(site: Site) -> None:
    idle = [socket.create_connection(("127.0.0.1", site.port), timeout=30) for _ in range(700)]
    began = time.monotonic()
    with site.abuser() as peer:
        assert peer.ask(pdu(SUBMIT, 2, short_message())) == (SUBMIT | RESPONSE, ROK, 2)
    assert time.monotonic() - began < 2.5  # theirs is over after 3
    for connection in idle:
        connection.close()


@pytest.mark.parametrize("length", [0x10000, 0x100])
def test_announced_pdus_that_never_come(site: Site, length: int) -> None:
    peers = [Peer(socket.create_connection(("127.0.0.1", site.port), timeout=30)) for _ in range(100)]
    for peer in peers:
        peer.send(pdu(BIND_TRX, 1, b"x" * 200, length=length)[: length - 1])
    began = time.monotonic()
    with site.abuser() as good:
        good.lives()
    for peer in peers:
        assert drain(peer) == []
        peer.connection.close()
    assert time.monotonic() - began < 9


# -- an ESME against our server: messages --------------------------------------------------------------


def test_one_sequence_number_for_all(site: Site) -> None:
    with site.abuser() as peer:
        peer.send(b"".join(pdu(SUBMIT, 7, short_message(to=next(CUSTOMERS))) for _ in range(20)))
        assert [peer.answered() for _ in range(20)] == [(SUBMIT | RESPONSE, ROK, 7)] * 20


def test_what_is_beyond_the_window_finds_the_queue_full_and_the_session_goes_on(site: Site) -> None:
    with site.abuser() as peer:
        peer.send(b"".join(pdu(SUBMIT, n, short_message(to=next(CUSTOMERS))) for n in range(1, 501)))
        answers = [peer.answered() for _ in range(500)]
        assert sorted(answer[2] for answer in answers) == list(range(1, 501))
        statuses = Counter(answer[1] for answer in answers)
        assert set(statuses) == {ROK, RMSGQFUL} and statuses[ROK] >= 20
        assert peer.ask(pdu(SUBMIT, 600, short_message()))[1] == ROK


def test_the_window_is_the_accounts_not_the_sessions(site: Site) -> None:
    with site.abuser() as first, site.abuser() as second:
        for peer in (first, second):
            peer.send(b"".join(pdu(SUBMIT, n, short_message(to=next(CUSTOMERS))) for n in range(1, 101)))
        for peer in (first, second):
            assert {peer.answered()[1] for _ in range(100)} <= {ROK, RMSGQFUL}
            peer.lives()


@pytest.mark.parametrize("parameters", [16_000, 1])
def test_parameters_by_the_thousand(site: Site, parameters: int) -> None:
    began = time.monotonic()
    with site.abuser() as peer:
        body = short_message(tlvs=tlv(0x1400, b"") * parameters)
        for n in range(20):
            assert peer.ask(pdu(SUBMIT, n, body))[::2] == (SUBMIT | RESPONSE, n)
    assert time.monotonic() - began < 9


def test_parameters_that_contradict_the_message(site: Site) -> None:
    odd = [
        tlv(0x424, b""),
        tlv(0x424, b"two texts"),
        tlv(0x424, b"x") + tlv(0x424, b"y"),
        tlv(0x424, b"z" * 65_000),
        *(tlv(0x20C, b"\0\1") + tlv(0x20E, bytes((n,))) + tlv(0x20F, bytes((of,))) for n, of in SAR),
        tlv(0x20C, b"") + tlv(0x20E, b"") + tlv(0x20F, b""),
        tlv(0x20C, b"\0\1\2") + tlv(0x20E, b"\0\2") + tlv(0x20F, b"\0\1"),
        tlv(0x1E, b"no NUL") + tlv(0x427, b"\x63") + tlv(0x423, b"\xff\0\1"),
        tlv(0x204, b"\0\1") + tlv(0x204, b"\0\2") + tlv(0x30, b"\xff") + tlv(0x19, b"\xff"),
    ]
    with site.abuser() as peer:
        for n, tlvs in enumerate(odd):
            for text, esm_class in ((b"", 0), (b"hi", 0), (b"\5\0\3\1\2\1hi", 0x40)):
                body = short_message(text, esm_class=esm_class, to=next(CUSTOMERS), tlvs=tlvs)
                command, status, sequence = peer.ask(pdu(SUBMIT, n, body))
                assert (command, sequence) == (SUBMIT | RESPONSE, n) and status != RSYSERR, (tlvs, text)
        peer.lives()


SAR = [(0, 0), (1, 0), (0, 1), (2, 1), (1, 1), (255, 255), (1, 255), (255, 1)]


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize("value", [0, 1, 0x7F, 0xFF])
def test_each_octet_of_a_message_may_be_anything(site: Site, at: int, value: int) -> None:
    """esm_class, protocol_id, priority_flag, registered_delivery, replace_if_present_flag, data_coding,
    sm_default_msg_id."""
    octets = [0] * 7
    octets[at] = value
    esm, protocol, priority, registered, replace, coding, default = octets
    head = b"\0\1\00112345\0\1\1" + next(CUSTOMERS) + b"\0" + bytes((esm, protocol, priority)) + b"\0\0"
    body = head + bytes((registered, replace, coding, default, 2)) + b"hi"
    with site.abuser() as peer:
        command, status, sequence = peer.ask(pdu(SUBMIT, 4, body))
        assert (command, sequence) == (SUBMIT | RESPONSE, 4) and status != RSYSERR
        peer.lives()


@pytest.mark.parametrize(
    "to", [b"", b"0", b"+", b"+447700900123", b"00447700900123", b"4" * 20, b"\xff" * 5, b"a b", b"\n\r\t"]
)
@pytest.mark.parametrize("types", [(0, 0), (1, 1), (5, 0), (255, 255)])
def test_any_destination_gets_an_answer(site: Site, to: bytes, types: tuple[int, int]) -> None:
    body = b"\0\1\00112345\0" + bytes(types) + to + b"\0" + bytes(9) + b"\2hi"
    with site.abuser() as peer:
        command, status, sequence = peer.ask(pdu(SUBMIT, 4, body))
        assert (command, sequence) == (SUBMIT | RESPONSE, 4) and status != RSYSERR


@pytest.mark.parametrize(
    "when",
    [
        b"",
        b"0" * 16,
        b"9" * 16,
        b"000000000100000R",
        b"991231235959948+",
        b"700101000000000+",
        b"260230000000000+",
        b"26010100000000XX",
        b"2601",
        b"-00000000000000R",
        b"\xff" * 16,
    ],
)
def test_any_time_gets_an_answer(site: Site, when: bytes) -> None:
    head = b"\0\1\00112345\0\1\1" + next(CUSTOMERS) + b"\0\0\0\0"
    with site.abuser() as peer:
        for schedule, validity in ((when, b""), (b"", when), (when, when)):
            body = head + schedule + b"\0" + validity + b"\0\0\0\0\0\2hi"
            command, status, sequence = peer.ask(pdu(SUBMIT, 4, body))
            assert (command, sequence) == (SUBMIT | RESPONSE, 4) and status != RSYSERR, (schedule, validity)


def test_many_destinations_at_once(site: Site) -> None:
    def body(count: int, each: bytes) -> bytes:
        return b"\0\1\00112345\0" + bytes((count & 0xFF,)) + each * count + bytes(9) + b"\2hi"

    good = b"\1\1\1447700900123\0"
    with site.abuser() as peer:
        for count, each in (
            (254, good),
            (255, good),
            (0, good),
            (254, b"\2list\0"),
            (254, b"\1\0\0\0"),
            (3, b"\3"),
        ):
            command, status, sequence = peer.ask(pdu(SUBMIT_MULTI, 4, body(count, each)))
            assert (command, sequence) == (SUBMIT_MULTI | RESPONSE, 4) and status != RSYSERR, (count, each)
        peer.lives()


def test_a_session_at_a_snails_pace(site: Site) -> None:
    """Octet by octet, slower than enquire_link: an octet is a sign of life, but the PDU counts when whole."""
    with site.abuser() as peer:
        for octet in pdu(SUBMIT, 5, short_message()):
            peer.send(bytes((octet,)))
            time.sleep(0.01)
        assert peer.answered() == (SUBMIT | RESPONSE, ROK, 5)


def test_requests_with_more_body_than_they_have(site: Site) -> None:
    with site.abuser() as peer:
        assert peer.ask(pdu(ENQUIRE_LINK, 3, b"x" * 500)) == (ENQUIRE_LINK | RESPONSE, ROK, 3)
        assert peer.ask(pdu(UNBIND, 4, b"\0" * 9)) == (UNBIND | RESPONSE, ROK, 4)
        assert peer.ended()


def test_what_comes_behind_an_unbind_is_not_taken(site: Site) -> None:
    to = next(CUSTOMERS)
    with site.abuser() as peer:
        peer.send(pdu(UNBIND, 2) + pdu(SUBMIT, 3, short_message(to=to)) + pdu(BIND_TRX, 4, ABUSER))
        said = drain(peer)
        assert said[0][:3] == (UNBIND | RESPONSE, ROK, 2)
        assert all(answer.status == RINVBNDSTS for answer in said[1:])
    binds(site)


def test_resets_in_mid_message(site: Site) -> None:
    submits = b"".join(pdu(SUBMIT, n, short_message(to=next(CUSTOMERS))) for n in range(1, 21))
    for cut in (1, 17, 100, len(submits) - 1, len(submits)):
        with site.abuser() as peer:
            peer.send(submits[:cut])
            reset(peer)
    binds(site)


def test_a_peer_that_never_answers_enquire_link_is_left(site: Site) -> None:
    with site.abuser() as peer:
        request = peer.read()
        assert request is not None and request.command == ENQUIRE_LINK
        peer.send(pdu(ENQUIRE_LINK | RESPONSE, request.sequence + 1) + pdu(GENERIC_NACK, 0))
        peer.lives()  # a wrong answer is a sign of life


# -- an ESME against our server: receipts --------------------------------------------------------------


def owing(site: Site, peer: Peer, count: int, first: int = 100) -> list[bytes]:
    """Messages that want receipts, and their receipts under way to the account."""
    names = []
    for n in range(first, first + count):
        to = next(CUSTOMERS)
        body = b"\0\1\00112345\0\1\1" + to + b"\0\0\0\0\0\0\1\0\0\0\2hi"
        peer.send(pdu(SUBMIT, n, body))
        while (answer := peer.read()) is None or answer.sequence != n or not answer.command & RESPONSE:
            assert answer is not None, "the connection was closed"
            if answer.command == ENQUIRE_LINK:
                peer.send(pdu(ENQUIRE_LINK | RESPONSE, answer.sequence))
        assert answer.status == ROK
        id = answer.body[:-1].decode()
        [segment] = site.daemon.reaches(id, "sent")["segments"]
        news = f"id:{segment['smsc_id']} stat:DELIVRD err:000".encode()
        assert site.friend.deliver(to.decode(), "12345", news, esm_class=4).status == ROK
        names.append(answer.body[:-1])
    return names


def settle(peer: Peer, names: list[bytes]) -> None:
    """Take the receipts of all of these, in whatever order they come."""
    left = set(names)
    while left:
        receipt = asked(peer, DELIVER)
        peer.send(pdu(DELIVER | RESPONSE, receipt.sequence, b"\0"))
        left -= {name for name in left if name in receipt.body}


def test_a_receiver_that_does_not_read_holds_up_nobody_and_loses_nothing(site: Site) -> None:
    with site.connection() as deaf:
        deaf.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        assert deaf.ask(pdu(BIND_RX, 1, ABUSER))[1] == ROK
        with site.abuser(BIND_TX) as peer:
            names = owing(site, peer, 5)
            site.honest.lives()
        reset(deaf)
    with site.abuser() as peer:
        settle(peer, names)


@pytest.mark.parametrize(
    "answer",
    [
        lambda n: pdu(GENERIC_NACK, n, status=3),
        lambda n: pdu(DELIVER | RESPONSE, n, status=0x64),
        lambda n: pdu(DELIVER | RESPONSE, n, status=0x58),
        lambda n: pdu(DELIVER | RESPONSE, n, b"", status=0xFFFFFFFF),
        lambda n: pdu(SUBMIT | RESPONSE, n, b"id\0"),  # of another kind: no answer to it
        lambda n: pdu(DELIVER | RESPONSE, n + 1000, b"\0"),
        lambda n: pdu(DELIVER | RESPONSE, n, b"\0", length=17)[:12],  # cut in its middle
        lambda n: pdu(UNBIND, 9),
        lambda n: b"",
    ],
)
def test_a_receipt_is_the_accounts_until_it_says_that_it_has_it(site: Site, answer: object) -> None:
    assert callable(answer)
    with site.abuser() as peer:
        names = owing(site, peer, 1)
        peer.send(answer(asked(peer, DELIVER).sequence))
        time.sleep(0.05)
        reset(peer)
    with site.abuser() as peer:
        settle(peer, names)


def test_receipts_answered_with_nothing_in_the_body_are_done(site: Site) -> None:
    with site.abuser() as peer:
        for body in (b"", b"\0", b"an id\0", b"\xff" * 80):
            names = owing(site, peer, 1)
            receipt = asked(peer, DELIVER)
            assert names[0] in receipt.body
            peer.send(pdu(DELIVER | RESPONSE, receipt.sequence, body))
        peer.lives()
    with site.abuser() as peer:
        ends = time.monotonic() + 1
        while time.monotonic() < ends:  # there is an enquire_link from time to time
            request = peer.read()
            assert request is not None and request.command == ENQUIRE_LINK
            peer.send(pdu(ENQUIRE_LINK | RESPONSE, request.sequence))


# -- an SMSC against our client: the bind --------------------------------------------------------------


def rebound(site: Site) -> None:
    with site.carrier() as peer:
        peer.lives()


@pytest.mark.parametrize(
    "said",
    [
        lambda n: pdu(BIND_TRX | RESPONSE, n + 1, b"foe\0"),  # of another sequence_number
        lambda n: pdu(BIND_TX | RESPONSE, n, b"foe\0"),  # of another bind
        lambda n: pdu(SUBMIT | RESPONSE, n, b"foe\0"),
        lambda n: pdu(GENERIC_NACK, 0, status=3),
        lambda n: pdu(BIND_TRX | RESPONSE, n, status=0x0D) + pdu(DELIVER, 5, short_message()),
        lambda n: pdu(BIND_TRX | RESPONSE, n, status=0x0E) + pdu(BIND_TRX | RESPONSE, n, b"foe\0"),
        lambda n: pdu(BIND_TRX | RESPONSE, n, b"foe\0")[:-1],
        lambda n: pdu(BIND_TRX | RESPONSE, n, b"foe\0", length=15),
        lambda n: pdu(OUTBIND, 1, b"foe\0\0") + pdu(ALERT, 2, b"\1\0011\0\1\0012\0"),
        lambda n: pdu(BIND_TRX, 1, b"foe\0\0\0\x34\0\0\0"),
    ],
)
def test_what_is_no_grant_binds_nothing(site: Site, said: object) -> None:
    assert callable(said)
    ups, downs = len(site.daemon.log("bind.up")), len(site.daemon.log("smpp.down"))
    with site.listener() as listener, accepted(listener) as peer:
        peer.send(said(asked(peer, BIND_TRX).sequence))
        drain(peer)
    until(lambda: len(site.daemon.log("smpp.down")) > downs, "the bind says why it is down")
    assert len(site.daemon.log("bind.up")) == ups
    rebound(site)


def test_a_grant_octet_by_octet_with_a_message_right_behind_it(site: Site) -> None:
    text = short_message(b"hello", source=next(CUSTOMERS), to=b"23456")
    with site.listener() as listener, accepted(listener) as peer:
        grant = pdu(BIND_TRX | RESPONSE, asked(peer, BIND_TRX).sequence, b"foe\0")
        for octet in grant[:-1]:
            peer.send(bytes((octet,)))
            time.sleep(0.005)
        peer.send(grant[-1:] + pdu(DELIVER, 9, text))
        assert peer.answered() == (DELIVER | RESPONSE, ROK, 9)


def test_a_carrier_that_closes_at_once_is_not_stormed(site: Site) -> None:
    with site.listener() as listener:
        count, ends = 0, time.monotonic() + 1.0
        while time.monotonic() < ends:
            listener.accept()[0].close()
            count += 1
        assert count <= 60  # one each 25 to 50 ms
    rebound(site)


# -- an SMSC against our client: messages --------------------------------------------------------------


def test_answers_octet_by_octet(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send()
        for octet in pdu(SUBMIT | RESPONSE, asked(peer, SUBMIT).sequence, b"slow\0"):
            peer.send(bytes((octet,)))
            time.sleep(0.005)
        assert site.daemon.reaches(id, "sent")["segments"][0]["smsc_id"] == "slow"


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 18])
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_connection_that_ends_in_mid_answer_leaves_doubt_and_no_second_message(
    site: Site, cut: int, how: str
) -> None:
    with site.carrier() as peer:
        id = site.send()
        submit = asked(peer, SUBMIT)
        peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, b"id\0")[:cut])
        if how == "reset":
            reset(peer)
    with site.carrier() as peer:
        site.daemon.reaches(id, "in-doubt")
        last = site.send()
        assert asked(peer, SUBMIT).body != submit.body
        assert last


def test_an_unbind_in_mid_window(site: Site) -> None:
    with site.carrier() as peer:
        ids = [site.send() for _ in range(5)]
        submits = [asked(peer, SUBMIT) for _ in ids]
        late = [site.send() for _ in range(3)]
        answers = [pdu(SUBMIT | RESPONSE, s.sequence, b"u%d\0" % s.sequence) for s in submits]
        # some before it, some behind it, one after we would have gone, one never
        peer.send(answers[0] + pdu(UNBIND, 9) + answers[1])
        time.sleep(0.05)
        peer.send(answers[2] + answers[3])
        assert peer.answered() == (UNBIND | RESPONSE, ROK, 9)
        assert peer.ended()
    stories = [site.daemon.reaches(id, "sent", "in-doubt") for id in ids]
    assert Counter(story["status"] for story in stories) == {"sent": 4, "in-doubt": 1}
    with site.carrier() as peer:  # what was not written goes out now
        for id in late:
            peer.send(pdu(SUBMIT | RESPONSE, asked(peer, SUBMIT).sequence, id.encode() + b"\0"))
            site.daemon.reaches(id, "sent")


def test_a_nack_to_nobody_answers_nothing(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send()
        submit = asked(peer, SUBMIT)
        peer.send(pdu(GENERIC_NACK, 0, status=RINVCMDLEN))
        peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, b"after\0"))
        assert site.daemon.reaches(id, "sent", "failed")["segments"][0]["smsc_id"] == "after"


def test_answers_before_there_is_a_question(site: Site) -> None:
    with site.carrier() as peer:
        for n in range(1, 200):
            peer.send(pdu(SUBMIT | RESPONSE, n, b"early%d\0" % n))
        peer.lives()
        id = site.send()
        peer.send(pdu(SUBMIT | RESPONSE, asked(peer, SUBMIT).sequence, b"mine\0"))
        assert site.daemon.reaches(id, "sent")["segments"][0]["smsc_id"] == "mine"


STATUSES = [1, 6, 9, 0x0C, 0x10, 0x11, 0x13, 0x15, 0x33, 0x40, 0x44, 0x45, 0x48, 0x51, 0x54, 0x61, 0x62, 0x65]
STATUSES += [0x66, 0x67, 0xC1, 0xFE, 0xFF, 0x100, 0x3FF, 0x400, 0x4FF, 0x501, 0x80000000, 0xFFFFFFFF]


def test_every_error_is_an_end(site: Site) -> None:
    with site.carrier() as peer:
        for status in STATUSES:
            id = site.send()
            submit = asked(peer, SUBMIT)
            peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, status=status))
            site.daemon.reaches(id, "failed")
        peer.lives()


def test_a_temporary_error_with_a_body_of_garbage_is_retried(site: Site) -> None:
    with site.carrier() as peer:
        for status in (8, 0x58, 0x14, 0x64):
            id = site.send()
            peer.send(pdu(SUBMIT | RESPONSE, asked(peer, SUBMIT).sequence, b"\xff" * 90, status=status))
            peer.send(pdu(SUBMIT | RESPONSE, asked(peer, SUBMIT).sequence, b"again\0"))
            site.daemon.reaches(id, "sent")


def test_the_window_is_kept_whatever_the_carrier_does(site: Site) -> None:
    with site.carrier() as peer:
        for _ in range(12):
            site.send()
        submits = [asked(peer, SUBMIT) for _ in range(5)]
        request = peer.read()  # an enquire_link comes, and no message
        assert request is not None and request.command == ENQUIRE_LINK
        peer.send(pdu(ENQUIRE_LINK | RESPONSE, request.sequence))
        for _ in range(7):
            peer.send(pdu(SUBMIT | RESPONSE, submits.pop(0).sequence, b"x\0") * 3)
            submits.append(asked(peer, SUBMIT))
        peer.send(b"".join(pdu(SUBMIT | RESPONSE, submit.sequence, b"x\0") for submit in submits))
        peer.lives()


def test_deliveries_by_the_thousand_at_once(site: Site) -> None:
    text = short_message(b"hello", source=next(CUSTOMERS), to=b"23456")
    with site.carrier() as peer:
        peer.connection.settimeout(30)
        flood = b"".join(pdu(DELIVER, n, text) for n in range(1, 3001))
        id = site.send()
        peer.send(flood)
        seen, submitted = set(), False
        while len(seen) < 3000 or not submitted:
            answer = peer.read()
            assert answer is not None
            if answer.command == SUBMIT:
                peer.send(pdu(SUBMIT | RESPONSE, answer.sequence, b"in-flood\0"))
                submitted = submitted or answer.body.count(b"hi") > 0
            elif answer.command == ENQUIRE_LINK:
                peer.send(pdu(ENQUIRE_LINK | RESPONSE, answer.sequence))
            else:
                assert answer.command == DELIVER | RESPONSE and answer.status != RX_T_APPN
                seen.add(answer.sequence)
        assert seen == set(range(1, 3001))
        site.daemon.reaches(id, "sent")


def test_the_longest_delivery(site: Site) -> None:
    with site.carrier() as peer:
        body = short_message(b"", source=next(CUSTOMERS), to=b"23456", tlvs=tlv(0x424, b"long " * 13_000))
        command, status, sequence = peer.ask(pdu(DELIVER, 9, body))
        assert (command, sequence) == (DELIVER | RESPONSE, 9) and status != RX_T_APPN
        peer.lives()


def test_enquiries_by_the_thousand(site: Site) -> None:
    with site.carrier() as peer:
        id = site.send()
        peer.send(b"".join(pdu(ENQUIRE_LINK, n) for n in range(1, 3001)))
        submit = None
        for n in range(1, 3001):
            while (answer := peer.read()) is not None and not answer.command & RESPONSE:
                submit = answer if answer.command == SUBMIT else submit
                if answer.command == ENQUIRE_LINK:
                    peer.send(pdu(ENQUIRE_LINK | RESPONSE, answer.sequence))
            assert answer is not None and answer[:3] == (ENQUIRE_LINK | RESPONSE, ROK, n)
        submit = submit or asked(peer, SUBMIT)
        peer.send(pdu(SUBMIT | RESPONSE, submit.sequence, b"x\0"))
        site.daemon.reaches(id, "sent")


@pytest.mark.parametrize("answer", [ENQUIRE_LINK | RESPONSE, GENERIC_NACK])
def test_any_answer_to_enquire_link_is_life(site: Site, answer: int) -> None:
    with site.carrier() as peer:
        for _ in range(3):
            request = peer.read()
            assert request is not None and request.command == ENQUIRE_LINK
            peer.send(pdu(answer, request.sequence, status=8))
        peer.lives()


def test_a_carrier_that_falls_silent_is_left_and_bound_to_again(site: Site) -> None:
    downs = len(site.daemon.log("bind.down"))
    with site.carrier() as peer:
        began = time.monotonic()
        while peer.read() is not None:
            pass
        assert time.monotonic() - began < 9
    until(lambda: len(site.daemon.log("bind.down")) > downs, "the bind is down")
    assert "silent" in site.daemon.log("bind.down")[-1]["reason"]
    rebound(site)


def test_outbind_and_alerts_in_mid_session(site: Site) -> None:
    with site.carrier() as peer:
        assert peer.ask(pdu(OUTBIND, 3, b"foe\0\0")) == (GENERIC_NACK, RINVBNDSTS, 3)
        peer.send(
            pdu(ALERT, 4, b"\1\0011\0\1\0012\0") + pdu(ALERT, 5, b"\1\0011\0\1\0012\0" + tlv(0x422, b"\0"))
        )
        peer.lives()


def test_requests_with_any_status_and_sequence_number(site: Site) -> None:
    text = short_message(b"hello", source=next(CUSTOMERS), to=b"23456")
    with site.carrier() as peer:
        for sequence in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            answer = peer.ask(pdu(DELIVER, sequence, text, status=0x45))
            assert answer == (DELIVER | RESPONSE, ROK, sequence)
        peer.send(b"".join(pdu(DELIVER, 7, text) for _ in range(20)))
        assert [peer.answered() for _ in range(20)] == [(DELIVER | RESPONSE, ROK, 7)] * 20
