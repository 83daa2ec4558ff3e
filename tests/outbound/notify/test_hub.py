from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import cast

import msgspec
import pytest

from gateway.outbound.notify.hub import Hub, sign, sign_at
from gateway.outbound.webhook.client import Client
from gateway.outbound.webhook.connection import Done
from gateway.outbound.webhook.target import Origin, Target
from gateway.values.work import Notification

SECRETS = {"signed": "s3cret", "plain": "", "many": "other"}
BATCHES = {"signed": 1, "plain": 1, "many": 3}


class Hands:
    def now(self) -> float:
        return 1_763_906_709.5

    def monotonic(self) -> float:
        return 0.0


class Wire:
    """A client that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[Target, bytes, Done]] = []

    def send(self, to: Target, request: bytes, done: Done) -> None:
        self.sent.append((to, request, done))


class Bench:
    def __init__(self) -> None:
        self.wire = Wire()
        self.outcomes: list[tuple[str, bool]] = []
        self.previous = ""
        self.hub = Hub(
            SECRETS.__getitem__,
            Hands(),
            BATCHES.__getitem__,
            client=cast(Client, self.wire),
            previous=lambda service: self.previous,
        )

    def send(self, *notifications: Notification) -> tuple[dict[str, str], bytes]:
        """What has left: headers and body."""
        self.hub.send(notifications, lambda reason, away: self.outcomes.append((reason, away)))
        head, _, body = self.wire.sent[-1][1].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")[1:]
        pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        return dict(pairs), body


def one(service: str = "signed", id: str = "n1", body: bytes = b'{"n":1}', url: str = "") -> Notification:
    return Notification(
        id=id,
        ref="m1",
        service=service,
        url=url or "https://example.org/dlr?x",
        body=body,
        due=0.0,
        created_at=0.0,
    )


def test_sign_is_hmac_sha256_over_the_body_as_verifiers_of_that_header_expect() -> None:
    # printf '{}' | openssl dgst -sha256 -hmac s3cret
    digest = "adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b"
    assert sign("s3cret", b"{}") == f"sha256={digest}"


def test_the_time_is_signed_with_the_body_beside_it() -> None:
    # printf '1763906709.{}' | openssl dgst -sha256 -hmac s3cret
    digest = "aee1491fbac4f263272eb4bed4f47cac761784757f9b2e7f483ae2bc9452bae4"
    assert sign_at("s3cret", "1763906709", b"{}") == f"sha256={digest}"


def test_one_goes_as_it_is_with_its_id_and_its_signature_beside_it() -> None:
    bench = Bench()
    headers, body = bench.send(one())
    to, request, _ = bench.wire.sent[0]
    assert to.origin == Origin(True, "example.org", 443)
    assert request.startswith(b"POST /dlr?x HTTP/1.1\r\n")
    assert body == b'{"n":1}'
    assert headers["X-Hub-Id"] == "n1"
    assert headers["X-Hub-Timestamp"] == "1763906709"
    assert headers["X-Hub-Signature-256"] == sign("s3cret", body)
    assert headers["X-Hub-Timestamp-Signature-256"] == sign_at("s3cret", "1763906709", body)
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == "7"


def test_without_a_secret_nothing_is_signed() -> None:
    headers, _ = Bench().send(one("plain"))
    assert headers["X-Hub-Id"] == "n1"
    assert "X-Hub-Signature-256" not in headers and "X-Hub-Timestamp" not in headers


def test_several_go_as_an_array_in_their_order_signed_as_a_whole_each_with_its_id() -> None:
    notes = [one("many", f"n{n}", msgspec.json.encode({"n": n, "text": "ü"})) for n in range(3)]
    headers, body = Bench().send(*notes)
    assert msgspec.json.decode(body) == [{"hub_id": f"n{n}", "n": n, "text": "ü"} for n in range(3)]
    expected = hmac.new(b"other", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={expected}"
    assert "X-Hub-Id" not in headers


def test_a_service_that_takes_arrays_gets_one_for_a_single_notification_too() -> None:
    _, body = Bench().send(one("many", body=b"{}"))
    assert body == b'[{"hub_id":"n1"}]'


def test_how_many_may_go_together_is_the_services_choice() -> None:
    hub = Bench().hub
    assert [hub.together(one(service)) for service in ("signed", "many", "gone")] == [1, 3, 1]


@pytest.mark.parametrize(
    ("status", "given", "reason"),
    [
        (200, "", ""),
        (204, "", ""),
        (299, "", ""),
        (302, "", "HTTP 302"),
        (404, "", "HTTP 404"),
        (503, "", "HTTP 503"),
        (0, "no answer within 10 s", "no answer within 10 s"),
    ],
)
def test_taken_is_what_was_answered_by_2xx(status: int, given: str, reason: str) -> None:
    bench = Bench()
    bench.send(one())
    bench.wire.sent[0][2](status, given)
    assert bench.outcomes == [(reason, False)]


@pytest.mark.parametrize(
    ("notification", "reason"),
    [
        (one("gone"), "service 'gone', whose secret would sign it, is not configured any more"),
        (one(url="http://[bad/"), "'http://[bad/' is no URL: "),
    ],
)
async def test_what_cannot_be_sent_fails_but_not_before_the_caller_knows_that_it_was_sent(
    notification: Notification, reason: str
) -> None:
    bench = Bench()
    bench.hub.send([notification], lambda reason, away: bench.outcomes.append((reason, away)))
    assert bench.outcomes == []
    await asyncio.sleep(0)
    [(said, away)] = bench.outcomes
    assert said.startswith(reason) and not away
    assert bench.wire.sent == []


async def test_while_a_secret_is_replaced_both_sign() -> None:
    bench = Bench()
    bench.previous = "before"
    headers, body = bench.send(one())
    stamp = headers["X-Hub-Timestamp"]
    assert headers["X-Hub-Signature-256"] == sign("before", body)
    assert headers["X-Hub-Signature-256-Next"] == sign("s3cret", body)
    assert headers["X-Hub-Timestamp-Signature-256"] == sign_at("before", stamp, body)
    assert headers["X-Hub-Timestamp-Signature-256-Next"] == sign_at("s3cret", stamp, body)
    bench.previous = ""
    headers, body = bench.send(one())
    assert headers["X-Hub-Signature-256"] == sign("s3cret", body)
    assert not [name for name in headers if name.endswith("-Next")]
