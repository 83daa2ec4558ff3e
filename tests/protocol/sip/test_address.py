"""Addresses and their transports."""

import pytest

from gateway.protocol.sip.address import Address, transport_named


def test_udp_is_meant_unless_another_transport_is_named() -> None:
    assert Address("192.0.2.1", 5060) == Address("192.0.2.1", 5060, "udp")
    assert not Address("192.0.2.1", 5060).reliable
    assert Address("192.0.2.1", 5060, "tcp").reliable and Address("192.0.2.1", 5061, "tls").reliable


@pytest.mark.parametrize(("text", "transport"), [
    ("udp", "udp"), ("TCP", "tcp"), ("tls", "tls"), ("sctp", None), ("", None), (None, None),
])  # fmt: skip
def test_a_transport_is_read_in_any_case(text: str | None, transport: str | None) -> None:
    assert transport_named(text) == transport
