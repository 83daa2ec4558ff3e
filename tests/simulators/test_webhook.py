import hashlib
import hmac
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

SECRET = "s3cret"
Start = Callable[..., Any]


def signed(body: bytes, timestamp: str = "1767225600", secret: str = SECRET) -> dict[str, str]:
    def sign(octets: bytes) -> str:
        return "sha256=" + hmac.new(secret.encode(), octets, hashlib.sha256).hexdigest()

    return {
        "X-Hub-Signature-256": sign(body),
        "X-Hub-Timestamp": timestamp,
        "X-Hub-Timestamp-Signature-256": sign(timestamp.encode() + b"." + body),
    }


@pytest.fixture
def webhook(start: Start) -> Iterator[Callable[..., tuple[Any, http.client.HTTPConnection]]]:
    connections = []

    def run(*options: str) -> tuple[Any, http.client.HTTPConnection]:
        simulator = start("webhook", "--listen", "127.0.0.1:0", "--secret", SECRET, *options)
        connections.append(http.client.HTTPConnection("127.0.0.1", simulator.port(), timeout=30))
        return simulator, connections[-1]

    yield run
    for connection in connections:
        connection.close()


def post(
    connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], path: str = "/dlr"
) -> int:
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    response.read()
    return response.status


def test_a_signed_notification_is_taken_and_shown(webhook: Start) -> None:
    simulator, connection = webhook()
    body = json.dumps({"transid": "t1", "status": "delivered"}).encode()
    assert post(connection, body, signed(body), "/dlr?x=1") == 200
    event = simulator.wait("notification")
    assert (event["path"], event["valid"], event["reason"], event["attempt"]) == ("/dlr?x=1", True, None, 1)
    assert event["body"] == {"transid": "t1", "status": "delivered"}
    assert event["timestamp"] == "1767225600"


def test_a_wrong_signature_is_named_and_refused(webhook: Start) -> None:
    simulator, connection = webhook()
    good = signed(b"{}")
    for headers, body, reason in [
        ({"X-Hub-Timestamp": "1767225600"}, b"{}", "no X-Hub-Signature-256"),
        ({"X-Hub-Signature-256": good["X-Hub-Signature-256"]}, b"{}", "no X-Hub-Timestamp"),
        (good | {"X-Hub-Timestamp": "1767225601"}, b"{}", "X-Hub-Timestamp-Signature-256 does not match"),
        (good, b"{ }", "X-Hub-Signature-256 does not match"),
        (signed(b"{}", secret="other"), b"{}", "X-Hub-Signature-256 does not match"),
    ]:
        assert post(connection, body, headers) == 401
        event = simulator.wait("notification")
        assert event["valid"] is False
        assert reason in event["reason"]
    simulator.command("stats")
    simulator.wait("stats", received=5, valid=0, invalid=5, failed=5, unique=2)


def test_the_first_fail_and_a_repeat_is_counted(webhook: Start) -> None:
    simulator, connection = webhook("--fail-first", "2", "--status", "204")
    body = b'{"n": 1}'
    assert [post(connection, body, signed(body)) for _ in range(4)] == [503, 503, 204, 204]
    assert [simulator.wait("notification")["attempt"] for _ in range(4)] == [1, 2, 3, 4]


def test_set_changes_answers_at_run_time(webhook: Start) -> None:
    simulator, connection = webhook()
    simulator.command("set", status=500, delay=0.2)
    began = time.monotonic()
    assert post(connection, b"{}", signed(b"{}")) == 500
    assert time.monotonic() - began >= 0.2
    simulator.command("set", secret="new", status=200, delay=0, fail_first=1)
    headers = signed(b"{}", secret="new")
    assert [post(connection, b"{}", headers) for _ in range(2)] == [503, 200]
    simulator.write(b'{"cmd": "set", "statsu": 200}\n')
    assert "no option 'statsu'" in simulator.wait("error")["reason"]


def test_one_connection_serves_many_and_closes_on_demand(webhook: Start) -> None:
    _, connection = webhook()
    assert post(connection, b"{}", signed(b"{}")) == 200
    first = connection.sock
    assert post(connection, b"not JSON", signed(b"not JSON")) == 200
    assert connection.sock is first
    assert post(connection, b"{}", signed(b"{}") | {"Connection": "close"}) == 200
    assert connection.sock is None


def test_what_is_not_a_notification_is_refused(webhook: Start) -> None:
    simulator, connection = webhook()
    connection.request("GET", "/")
    response = connection.getresponse()
    assert (response.status, response.read()) == (405, b"POST a notification\n")
    for octets, status in [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
    ]:
        with socket.create_connection((connection.host, connection.port), timeout=30) as peer:
            peer.sendall(octets)
            assert peer.recv(65536).split(b" ")[1] == status, octets
        simulator.wait("malformed")


def test_octets_may_arrive_one_by_one(webhook: Start) -> None:
    simulator, connection = webhook()
    headers = "".join(f"{name}: {value}\r\n" for name, value in signed(b"{}").items())
    request = f"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n{headers}\r\n".encode()
    with socket.create_connection((connection.host, connection.port), timeout=30) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in request:
            peer.sendall(bytes([octet]))
        assert peer.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"{}")
        assert peer.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    assert simulator.wait("notification")["valid"] is True
