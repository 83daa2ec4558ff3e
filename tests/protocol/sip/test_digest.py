"""Challenges read, the strongest chosen, credentials written; the examples of the standards."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.digest import (
    LONGEST_NONCE,
    Challenge,
    Digest,
    read_challenges,
    response_of,
    strongest,
)
from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import Request, Response, make_request, respond

RFC7616 = {
    "username": "Mufasa", "password": "Circle of Life", "method": "GET", "uri": "/dir/index.html",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
}  # fmt: skip
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"


@pytest.mark.parametrize(("challenge", "fields", "response"), [
    # RFC 2617 section 3.5
    (Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "auth"),
     RFC7616 | {"password": "Circle Of Life", "cnonce": "0a4f113b"},
     "6629fae49393a05397450978507c4ef1"),
    # RFC 2069 section 2.4 as its errata have it: no qop
    (Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093"),
     RFC7616 | {"password": "CircleOfLife"},
     "1949323746fe6a43ef61f9606e7febea"),
    # RFC 7616 section 3.9.1
    (Challenge("http-auth@example.org", NONCE, "MD5", "auth"), RFC7616,
     "8ca523f5e9506fed4657c9700eebdbec"),
    (Challenge("http-auth@example.org", NONCE, "SHA-256", "auth"), RFC7616,
     "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    # section 3.9.2 as erratum 4897 has it: the printed one is not SHA-512/256
    (Challenge("api@example.org", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", "SHA-512-256", "auth"),
     {"username": "J\u00e4s\u00f8n Doe", "password": "Secret, or not?", "method": "GET", "uri": "/doe.json",
          "cnonce": "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"},
     "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"),
])  # fmt: skip
def test_the_examples_of_the_standards(challenge: Challenge, fields: dict[str, str], response: str) -> None:
    assert response_of(challenge, **fields) == response


def test_sess_hashes_the_nonces_into_the_secret() -> None:
    import hashlib

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    challenge = Challenge("r", "n", "MD5-sess", "auth-int")
    secret = md5(f"{md5('u:r:p')}:n:c")
    what = md5(f"INVITE:sip:x:{md5('body')}")
    assert response_of(
        challenge, username="u", password="p", method="INVITE", uri="sip:x", body=b"body", cnonce="c", nc=10
    ) == md5(f"{secret}:n:0000000a:c:auth-int:{what}")


@pytest.mark.parametrize(("lines", "realms"), [
    (['Digest realm="a, b", nonce="n,1", qop="auth,auth-int"'], ["a, b"]),
    (['Digest realm="a", nonce="1", algorithm=SHA-256, Digest realm="b", nonce="2"'], ["a", "b"]),
    (['Digest realm="a", nonce="1"', 'digest REALM="b",NONCE="2"'], ["a", "b"]),
    (['Basic realm="a", Digest realm="b", nonce="2", Negotiate YWJj, realm="c"'], ["b"]),
    (['Digest realm="say \\"hi\\"", nonce="1"'], ['say "hi"']),
    (["Digest realm=bare, nonce=YWJj==, stale=TRUE, qop=auth"], ["bare"]),
    (['Digest realm="a", nonce="1", algorithm="SHA-256"'], ["a"]),
    (['Digest realm="a", nonce="1", algorithm=AKAv1-MD5'], []),
    (['Digest realm="a", nonce="1", qop="token"'], []),
    (['Digest realm="a"'], []),
    (['Digest nonce="a"'], []),
    (['Digest realm="a", nonce=""'], []),
    ([f'Digest realm="a", nonce="{"n" * (LONGEST_NONCE + 1)}"'], []),
    (['Digest realm="unclosed, nonce="1"'], []),
    (['Digest realm="a", nonce="1\x01"'], []),
    (["", ",,,", "Digest", "Digest ,"], []),
])  # fmt: skip
def test_challenges_are_read_as_they_are_found_in_the_wild(lines: list[str], realms: list[str]) -> None:
    assert [challenge.realm for challenge in read_challenges(lines)] == realms


def test_what_a_challenge_says() -> None:
    (challenge,) = read_challenges(
        ['Digest realm="r", nonce="n", qop="auth-int, AUTH", opaque="", stale=True, algorithm=sha-256-sess']
    )
    assert challenge == Challenge("r", "n", "sha-256-sess", "auth", "", stale=True)


def test_the_strongest_of_a_realm_is_chosen_and_of_equals_the_first() -> None:
    lines = [
        'Digest realm="a", nonce="md5"',
        'Digest realm="a", nonce="first", algorithm=SHA-256-sess',
        'Digest realm="a", nonce="second", algorithm=SHA-256',
        'Digest realm="b", nonce="best", algorithm=SHA-512-256',
        'Digest realm="b", nonce="md5", algorithm=MD5',
    ]
    assert [challenge.nonce for challenge in strongest(read_challenges(lines))] == ["first", "best"]


@given(st.lists(st.text(alphabet='Digestrealmnonce=",\\ <>:\x00\x7f\udcff', max_size=60), max_size=4))
def test_any_text_gives_challenges_or_none(lines: list[str]) -> None:
    for challenge in read_challenges(lines):
        assert challenge.nonce


# --- a client


def request(cseq: int = 1, method: str = "REGISTER") -> Request:
    return make_request(
        method, "sip:carrier.example", via=Via("UDP", "192.0.2.1", 5060, {"branch": f"z9hG4bK{cseq}"}),
        from_="<sip:u@carrier.example>;tag=a", to="<sip:u@carrier.example>", call_id="c", cseq=cseq,
    )  # fmt: skip


def refusal(to: Request, *challenges: str, status: int = 401) -> Response:
    field = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return respond(to, status, headers=[(field, challenge) for challenge in challenges])


def client() -> Digest:
    words = (f"cnonce{n}" for n in itertools.count(1))
    return Digest("u", "p", lambda: next(words))


def challenged(digest: Digest, challenge: str, status: int = 401) -> tuple[Request, bool]:
    """A request without credentials meets this challenge; the request that takes its place."""
    first, again = request(1), request(2)
    return again, digest.answer(first, refusal(first, challenge, status=status), again)


def test_credentials_are_written_as_the_standard_has_them() -> None:
    again, answered = challenged(
        client(), 'Digest realm="a, \\"b\\"", nonce="n", qop="auth,auth-int", opaque="o", algorithm=SHA-256'
    )
    assert answered
    challenge = Challenge('a, "b"', "n", "SHA-256", "auth")
    response = response_of(
        challenge, username="u", password="p", method="REGISTER", uri="sip:carrier.example", cnonce="cnonce1"
    )
    assert again.headers.lines("Authorization") == [
        f'Digest username="u", realm="a, \\"b\\"", nonce="n", uri="sip:carrier.example", '
        f'response="{response}", algorithm=SHA-256, opaque="o", cnonce="cnonce1", qop=auth, nc=00000001'
    ]


def test_without_qop_there_is_neither_counter_nor_cnonce() -> None:
    again, answered = challenged(client(), 'Digest realm="a", nonce="n"')
    assert answered
    (line,) = again.headers.lines("Authorization")
    assert not any(word in line for word in ("nc=", "cnonce", "qop", "algorithm", "opaque"))


def test_a_proxy_is_answered_in_its_own_field() -> None:
    again, answered = challenged(client(), 'Digest realm="a", nonce="n"', status=407)
    assert answered
    assert "Proxy-Authorization" in again.headers
    assert "Authorization" not in again.headers


def test_a_nonce_is_used_again_with_its_counter() -> None:
    digest = client()
    challenged(digest, 'Digest realm="a", nonce="n", qop="auth"')
    later = request(3)
    digest.authorize(later)
    assert 'cnonce="cnonce1", qop=auth, nc=00000002' in later.headers.get("Authorization")


def test_what_a_registrar_asked_for_is_not_shown_to_those_whom_we_call() -> None:
    digest = client()
    challenged(digest, 'Digest realm="a", nonce="n", qop="auth"')
    invite, again = request(3, "INVITE"), request(4, "INVITE")
    digest.authorize(invite)
    assert "Authorization" not in invite.headers
    assert digest.answer(invite, refusal(invite, 'Digest realm="a", nonce="m", qop="auth"'), again)
    later, register = request(5, "BYE"), request(6)
    digest.authorize(later)
    digest.authorize(register)
    assert 'nonce="m"' in later.headers.get("Authorization")
    assert 'nonce="n"' in register.headers.get("Authorization")


def test_without_qop_nothing_is_sent_unasked() -> None:
    digest = client()
    challenged(digest, 'Digest realm="a", nonce="n"')
    later = request(3)
    digest.authorize(later)
    assert "Authorization" not in later.headers


def test_proxy_and_registrar_are_both_satisfied() -> None:
    digest = client()
    first, second, third = request(1), request(2), request(3)
    assert digest.answer(first, refusal(first, 'Digest realm="p", nonce="n"', status=407), second)
    assert digest.answer(second, refusal(second, 'Digest realm="r", nonce="m", qop="auth"'), third)
    assert 'realm="p"' in third.headers.get("Proxy-Authorization")
    assert 'realm="r"' in third.headers.get("Authorization")


def test_every_realm_of_a_fork_gets_its_credentials() -> None:
    first, again = request(1), request(2)
    challenges = 'Digest realm="a", nonce="1"', 'Digest realm="b", nonce="2"'
    assert client().answer(first, refusal(first, *challenges, status=407), again)
    assert len(again.headers.lines("Proxy-Authorization")) == 2


def again_after(digest: Digest, sent: Request, challenge: str) -> bool:
    return digest.answer(sent, refusal(sent, challenge), request(9))


def test_the_same_nonce_again_is_not_answered_twice_even_if_called_stale() -> None:
    digest = client()
    sent, _ = challenged(digest, 'Digest realm="a", nonce="n", qop="auth"')
    assert not again_after(digest, sent, 'Digest realm="a", nonce="n", qop="auth"')
    assert not again_after(digest, sent, 'Digest realm="a", nonce="n", qop="auth", stale=true')


def test_a_wrong_password_is_tried_once_though_the_nonce_is_new_each_time() -> None:
    digest = client()
    sent, _ = challenged(digest, 'Digest realm="a", nonce="n", qop="auth"')
    assert not again_after(digest, sent, 'Digest realm="a", nonce="m", qop="auth"')
    sent, _ = challenged(digest, 'Digest realm="b", nonce="n"')
    assert not again_after(digest, sent, 'Digest realm="b", nonce="m"')


def test_a_stale_nonce_is_replaced() -> None:
    digest = client()
    sent, _ = challenged(digest, 'Digest realm="a", nonce="n", qop="auth"')
    again = request(3)
    assert digest.answer(sent, refusal(sent, 'Digest realm="a", nonce="m", qop="auth", stale=true'), again)
    assert 'nonce="m"' in again.headers.get("Authorization")
    assert "nc=00000001" in again.headers.get("Authorization")


def test_a_nonce_that_has_run_out_unsaid_is_replaced() -> None:
    digest = client()
    challenged(digest, 'Digest realm="a", nonce="n", qop="auth"')
    later, again = request(3), request(4)
    digest.authorize(later)
    assert digest.answer(later, refusal(later, 'Digest realm="a", nonce="m", qop="auth"'), again)
    assert 'nonce="m"' in again.headers.get("Authorization")


def test_a_challenge_that_cannot_be_met_is_not_answered() -> None:
    assert not challenged(client(), 'Digest realm="a", nonce="n", algorithm=AKAv1-MD5')[1]
    assert not challenged(client(), "Bearer")[1]


def test_a_peer_cannot_make_us_remember_realms_without_end() -> None:
    digest = client()
    for realm in range(50):
        challenged(digest, f'Digest realm="{realm}", nonce="n", qop="auth"')
    later = request(3)
    digest.authorize(later)
    assert len(later.headers.lines("Authorization")) == 8
