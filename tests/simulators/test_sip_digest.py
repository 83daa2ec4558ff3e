from dataclasses import replace

import pytest

from simulators.sip_digest import Guard, quoted, read_credentials, response_of, unquoted
from simulators.sip_message import Malformed, Request

RFC_7616 = {  # section 3.9.1
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}
URI = "sip:+447700900123@127.0.0.1"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_responses_are_those_of_rfc_7616(algorithm: str, response: str) -> None:
    assert response_of(RFC_7616, algorithm, "Circle of Life", "GET") == response


def guard(**words: object) -> Guard:
    return replace(Guard({"acme": "secret"}, 'ea"st, west'), **words)  # type: ignore[arg-type]


def asked(one: Guard, request: Request, now: float = 0.0) -> dict[str, str]:
    """The parameters of the first challenge."""
    verdict = one.check(request, now)
    credentials = read_credentials(verdict.headers[0][1])
    assert credentials is not None
    return credentials


def answered(
    request: Request,
    challenge: dict[str, str],
    *,
    user: str = "acme",
    password: str = "secret",
    count: int = 1,
    **changes: str,
) -> Request:
    given = challenge | {
        "username": user,
        "uri": request.uri,
        "qop": "auth",
        "nc": f"{count:08x}",
        "cnonce": "1",
    }
    given |= changes
    known = given["algorithm"] if given["algorithm"] in ("MD5", "SHA-256") else "MD5"
    given["response"] = response_of(given, known, password, request.method)
    name = "Authorization" if request.method == "REGISTER" else "Proxy-Authorization"
    return replace(
        request, headers=[(name, "Digest " + ", ".join(f"{k}={quoted(v)}" for k, v in given.items()))]
    )


INVITE = Request(method="INVITE", uri=URI)
REGISTER = Request(method="REGISTER", uri="sip:127.0.0.1")


@pytest.mark.parametrize(
    ("request_", "status", "name"),
    [(INVITE, 407, "Proxy-Authenticate"), (REGISTER, 401, "WWW-Authenticate")],
)
def test_without_credentials_each_algorithm_is_offered(request_: Request, status: int, name: str) -> None:
    verdict = guard().check(request_, 0.0)
    assert (verdict.status, [key for key, _ in verdict.headers]) == (status, [name, name])
    offered = [read_credentials(value) or {} for _, value in verdict.headers]
    assert [one["algorithm"] for one in offered] == ["SHA-256", "MD5"]
    assert {one["realm"] for one in offered} == {'ea"st, west'}


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("request_", [INVITE, REGISTER])
def test_who_knows_the_password_is_let_in(algorithm: str, request_: Request) -> None:
    one = guard(algorithms=(algorithm,))
    verdict = one.check(answered(request_, asked(one, request_)), 0.0)
    assert (verdict.user, verdict.status) == ("acme", 0)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"password": "guess"}, "wrong password"),
        ({"user": "other"}, "no such user"),
        ({"uri": "sip:else@127.0.0.1"}, "another uri than the Request-URI"),
        ({"qop": "auth-int"}, "another qop than auth"),
        ({"algorithm": "SHA-512-256"}, "an algorithm that was not offered"),
    ],
)
def test_others_are_refused(words: dict[str, str], reason: str) -> None:
    one = guard()
    verdict = one.check(answered(INVITE, asked(one, INVITE), **words), 0.0)  # type: ignore[arg-type]
    assert (verdict.status, verdict.reason) == (403, reason)


def test_a_nonce_grows_stale_and_a_counter_is_good_once() -> None:
    one = guard(nonce_life=60.0)
    challenge = asked(one, INVITE)
    assert one.check(answered(INVITE, challenge, count=2), 1.0).status == 0
    assert one.check(answered(INVITE, challenge, count=1), 2.0).status == 0  # overtaken on its way
    again = one.check(answered(INVITE, challenge, count=2), 3.0)
    assert (again.status, again.reason) == (407, "stale")
    late = one.check(answered(INVITE, challenge, count=3), 61.0)
    assert "stale=true" in late.headers[0][1]


def test_a_nonce_of_nobodys_is_stale_and_a_flood_of_nonces_is_bounded() -> None:
    one = guard()
    challenge = asked(one, INVITE)
    assert one.check(answered(INVITE, challenge, nonce="made up"), 0.0).reason == "stale"
    for _ in range(1001):
        one.check(INVITE, 0.0)
    assert one.check(answered(INVITE, challenge), 0.0).reason == "stale"


def test_credentials_for_another_realm_are_asked_for_again() -> None:
    one = guard()
    assert one.check(answered(INVITE, asked(one, INVITE), realm="north"), 0.0).reason == "no credentials"


@pytest.mark.parametrize("value", ["Digest username", 'Digest realm="a", realm="b"'])
def test_credentials_that_cannot_be_read_are_malformed(value: str) -> None:
    with pytest.raises(Malformed):
        read_credentials(value)


def test_another_scheme_is_none_of_ours() -> None:
    assert read_credentials("Basic dXNlcjpwYXNz") is None


@pytest.mark.parametrize("text", ["", "a", 'a"b', "a\\b", '\\"', "a, b"])
def test_quoted_text_is_read_back(text: str) -> None:
    assert unquoted(quoted(text)) == text
