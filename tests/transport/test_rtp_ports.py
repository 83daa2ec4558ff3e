"""gateway.transport.rtp_ports."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.transport.rtp_ports import NoPortFree, RtpPorts
from tests.peers.rtp_phone import LOOPBACK, free_even_ports


@contextmanager
def bound(ports: RtpPorts) -> Iterator[tuple[int, int]]:
    rtp, rtcp = ports.bind()
    with rtp, rtcp:
        yield rtp.getsockname()[1], rtcp.getsockname()[1]


def test_pairs_are_even_and_odd_bound_in_the_order_given_and_bounded() -> None:
    first, second = free_even_ports(2)
    ports = RtpPorts(LOOPBACK, [first + 1, second, first])
    with bound(ports) as one, bound(ports) as two:
        assert (one, two) == ((second, second + 1), (first, first + 1))
        with pytest.raises(NoPortFree) as refused:
            ports.bind()
        assert refused.value.retryable
    ports.release(second)
    with bound(ports) as again:
        assert again[0] == second


@pytest.mark.parametrize("which", [0, 1])
def test_a_port_that_another_program_holds_is_passed_over_and_tried_again_later(which: int) -> None:
    taken, free = free_even_ports(2)
    ports = RtpPorts(LOOPBACK, [taken, free])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, taken + which))
        with bound(ports) as pair:
            assert pair[0] == free
        with pytest.raises(NoPortFree):
            ports.bind()
    with bound(ports) as pair:
        assert pair[0] == taken


def test_an_address_that_is_not_ours_is_no_matter_of_ports() -> None:
    ports = RtpPorts("192.0.2.1", [30_000])
    with pytest.raises(OSError, match="assign"):
        ports.bind()
