"""gateway.transport.rtp_ports."""

import socket

import pytest

from gateway.transport.rtp_ports import NoPortFree, RtpPorts
from tests.peers.rtp_phone import LOOPBACK, free_even_ports


def test_ports_are_even_bound_in_the_order_given_and_bounded() -> None:
    first, second = free_even_ports(2)
    ports = RtpPorts(LOOPBACK, [first + 1, second, first])
    with ports.bind() as one, ports.bind() as two:
        assert [sock.getsockname()[1] for sock in (one, two)] == [second, first]
        with pytest.raises(NoPortFree) as refused:
            ports.bind()
        assert refused.value.retryable
    ports.release(second)
    with ports.bind() as again:
        assert again.getsockname()[1] == second


def test_a_port_that_another_program_holds_is_passed_over_and_tried_again_later() -> None:
    taken, free = free_even_ports(2)
    ports = RtpPorts(LOOPBACK, [taken, free])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, taken))
        with ports.bind() as sock:
            assert sock.getsockname()[1] == free
        with pytest.raises(NoPortFree):
            ports.bind()
    with ports.bind() as sock:
        assert sock.getsockname()[1] == taken


def test_an_address_that_is_not_ours_is_no_matter_of_ports() -> None:
    ports = RtpPorts("192.0.2.1", [30_000])
    with pytest.raises(OSError, match="assign"):
        ports.bind()
