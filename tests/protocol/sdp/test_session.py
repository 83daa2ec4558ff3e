"""gateway.protocol.sdp.session."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.sdp import (
    Answer,
    Direction,
    Encryption,
    Negotiated,
    OfferAnswer,
    Refused,
    Wishes,
    build_offer,
    parse,
)


def ours() -> OfferAnswer:
    return OfferAnswer("192.0.2.1", 30_000, session_id=7)


def version(description: bytes) -> str:
    return parse(description).origin.session_version


def answered(session: OfferAnswer, offer: bytes) -> Answer:
    answer = session.answer(offer)
    assert isinstance(answer, Answer), answer
    return answer


def theirs(direction: Direction = Direction.SENDRECV, port: int = 4000) -> bytes:
    return build_offer("198.51.100.7", port, [Codec.PCMA], session_id=1, direction=direction)


def test_an_offer_and_its_answer_agree_on_both_sides() -> None:
    caller, callee = OfferAnswer("192.0.2.9", 4000, Wishes([Codec.PCMA]), session_id=1), ours()
    answer = answered(callee, caller.offer())
    there = caller.accept(answer.sdp)
    assert isinstance(there, Negotiated)
    assert (answer.media.remote_address, answer.media.remote_port) == ("192.0.2.9", 4000)
    assert (there.remote_address, there.remote_port) == ("192.0.2.1", 30_000)
    assert there.codec == answer.media.codec == Codec.PCMA


def test_the_version_grows_with_each_change_and_only_then() -> None:
    session = ours()
    first = answered(session, theirs()).sdp
    assert (version(first), answered(session, theirs()).sdp) == ("1", first)
    held = answered(session, theirs(Direction.SENDONLY))
    assert (version(held.sdp), held.media.direction) == ("2", Direction.RECVONLY)
    assert version(session.offer(Direction.SENDONLY)) == "3"
    assert version(answered(session, theirs()).sdp) == "4"


def test_a_moved_port_is_followed_without_a_new_version_of_ours() -> None:
    session = ours()
    answered(session, theirs())
    moved = answered(session, theirs(port=5000))
    assert (moved.media.remote_port, version(moved.sdp)) == (5000, "1")


def test_what_cannot_be_agreed_changes_nothing() -> None:
    session = ours()
    first = answered(session, theirs())
    for offer in (b"", b"v=0\r\n", theirs().replace(b"RTP/AVP", b"UDP/TLS")):
        assert isinstance(session.answer(offer), Refused)
        assert isinstance(session.accept(offer), Refused)
    assert answered(session, theirs()) == first


def secured(encryption: Encryption, letter: bytes) -> OfferAnswer:
    keys = itertools.count(1)
    wishes = Wishes(encryption=encryption, key=lambda suite: (letter + bytes([next(keys)])) * 15)
    return OfferAnswer("192.0.2.1", 30_000, wishes, session_id=7)


@pytest.mark.parametrize("caller", ["optional", "required"])
@pytest.mark.parametrize("callee", ["optional", "required"])
def test_keys_of_an_offer_and_its_answer_cross(caller: str, callee: str) -> None:
    here, there = secured(Encryption(caller), b"c"), secured(Encryption(callee), b"s")
    answer = answered(there, here.offer())
    agreed = here.accept(answer.sdp)
    assert isinstance(agreed, Negotiated) and agreed.srtp is not None and answer.media.srtp is not None
    assert agreed.srtp.suite == answer.media.srtp.suite == "AES_CM_128_HMAC_SHA1_80"
    assert (agreed.srtp.local_key, agreed.srtp.remote_key) == (b"c\x01" * 15, b"s\x01" * 15)
    assert (answer.media.srtp.local_key, answer.media.srtp.remote_key) == (b"s\x01" * 15, b"c\x01" * 15)
    assert b"c\x01" not in repr(agreed).encode()
    again = answered(there, here.offer())  # a further offer changes no key
    assert again.media.srtp == answer.media.srtp


@pytest.mark.parametrize(("caller", "callee"), [("optional", "off"), ("off", "optional"), ("off", "off")])
def test_who_may_go_without_keys_goes_without(caller: str, callee: str) -> None:
    here, there = secured(Encryption(caller), b"c"), secured(Encryption(callee), b"s")
    answer = answered(there, here.offer())
    agreed = here.accept(answer.sdp)
    assert isinstance(agreed, Negotiated) and agreed.srtp is None and answer.media.srtp is None


@pytest.mark.parametrize(("caller", "callee"), [("required", "off"), ("off", "required")])
def test_who_insists_is_refused_or_refuses(caller: str, callee: str) -> None:
    here, there = secured(Encryption(caller), b"c"), secured(Encryption(callee), b"s")
    refusal = there.answer(here.offer())
    assert isinstance(refusal, Refused) and "srtp = " in refusal.reason


def test_an_answer_that_names_none_of_our_lines_is_none() -> None:
    here, there = secured(Encryption.REQUIRED, b"c"), secured(Encryption.REQUIRED, b"s")
    answer = answered(there, here.offer()).sdp
    refusal = here.accept(answer.replace(b"a=crypto:1 ", b"a=crypto:9 "))
    assert isinstance(refusal, Refused) and "a=crypto" in refusal.reason


@given(st.binary(max_size=200))
def test_any_octets_give_a_value(octets: bytes) -> None:
    assert isinstance(ours().answer(b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\n" + octets), Answer | Refused)
