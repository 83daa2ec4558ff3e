from __future__ import annotations

import pytest

from gateway.http.client import LOOPBACK, Proxies

LB = "10.0.0.0/8"


@pytest.mark.parametrize(
    ("trusted", "connection", "forwarded", "client"),
    [
        (LOOPBACK, "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (LOOPBACK, "::1", "2001:db8::7", "2001:db8::7"),
        (LOOPBACK, "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (LOOPBACK, "127.0.0.1", "", "127.0.0.1"),
        (LOOPBACK, "127.0.0.1", "unknown", "127.0.0.1"),
        (LOOPBACK, "198.51.100.1", "203.0.113.9", "198.51.100.1"),
        (LOOPBACK, "10.0.0.5", "203.0.113.9", "10.0.0.5"),
        ((LB,), "10.0.0.5", "203.0.113.9", "203.0.113.9"),
        ((LB,), "10.0.0.5", "8.8.8.8, 203.0.113.9", "203.0.113.9"),  # the first the client has made up
        ((LB,), "10.0.0.5", "203.0.113.9, 10.0.0.4, 10.0.0.3", "203.0.113.9"),
        ((LB,), "10.0.0.5", "203.0.113.9,, 10.0.0.3", "10.0.0.3"),
        ((LB,), "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        ((), "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        (LOOPBACK, "", "203.0.113.9", ""),
    ],
)
def test_a_client_is_whom_the_last_trusted_proxy_names(
    trusted: tuple[str, ...], connection: str, forwarded: str, client: str
) -> None:
    assert Proxies(trusted).client(connection, forwarded) == client


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="no network"):
        Proxies(["my-proxy"])
