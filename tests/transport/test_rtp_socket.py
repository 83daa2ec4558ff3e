"""gateway.transport.rtp_socket, told Unix time for the monotonic one so that both clocks are the same."""

import socket
import time
from collections.abc import Iterator

import pytest

from gateway.transport.rtp_socket import MediaSocket
from tests.peers.rtp_phone import LOOPBACK

AN_HOUR = 3600.0


@pytest.fixture
def far() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        yield sock


@pytest.fixture
def ours(far: socket.socket) -> Iterator[MediaSocket]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((LOOPBACK, 0))
    sock.setblocking(False)
    far.connect(sock.getsockname())
    mine = MediaSocket(sock)
    yield mine
    mine.close()


def test_a_datagram_has_the_time_at_which_it_came_and_not_that_of_its_turn(
    ours: MediaSocket, far: socket.socket
) -> None:
    before = time.time()
    far.send(b"one")
    after = time.time()
    [(data, source, at)] = ours.read(after + AN_HOUR, 0.0)
    assert (data, source) == (b"one", far.getsockname())
    assert before - 0.001 <= at <= after + 0.001


def test_the_turn_ends_with_a_datagram_that_has_just_come(ours: MediaSocket, far: socket.socket) -> None:
    for data in (b"one", b"two"):
        far.send(data)
    just_now = time.time() - AN_HOUR
    assert [data for data, *_ in ours.read(just_now, 0.0)] == [b"one"]
    assert [data for data, *_ in ours.read(just_now, 0.0)] == [b"two"]
    assert list(ours.read(just_now, 0.0)) == []


def test_what_has_waited_is_taken_at_once_but_a_flood_is_not(ours: MediaSocket, far: socket.socket) -> None:
    for number in range(40):
        far.send(bytes([number]))
    later = time.time() + AN_HOUR
    taken = [data[0] for data, *_ in ours.read(later, 0.0)]
    assert taken == list(range(16))


def test_a_closed_one_has_nothing_and_sends_nothing(ours: MediaSocket, far: socket.socket) -> None:
    far.send(b"one")
    ours.close()
    ours.close()
    assert not ours.is_open and list(ours.read(time.time(), 0.0)) == []
    with pytest.raises(OSError, match="descriptor"):
        ours.send(b"two", far.getsockname())
