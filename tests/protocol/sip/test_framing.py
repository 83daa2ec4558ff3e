"""Messages cut out of a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sip.framing import LONGEST_BODY, LONGEST_HEAD, PING, PONG, Framer, StreamError

ONE = b"OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\nContent-Length: 4\r\n\r\nbody"
TWO = b"SIP/2.0 200 OK\r\nl : 0\r\n\r\n"
FOLDED = b"SIP/2.0 200 OK\r\nCONTENT-LENGTH:\r\n 2\r\n\r\n\r\n"


@pytest.mark.parametrize("message", [ONE, TWO, FOLDED])
def test_a_message_is_whole_at_its_last_octet(message: bytes) -> None:
    framer = Framer()
    for octet in message[:-1]:
        assert framer.feed(bytes([octet])) == []
        assert framer.begun
    assert framer.feed(message[-1:]) == [message]
    assert not framer.begun


@given(
    st.lists(st.sampled_from([ONE, TWO, FOLDED, PING, PONG]), max_size=8),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_where_the_stream_is_cut_makes_no_difference(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    framer, out, start = Framer(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        out += framer.feed(stream[start:cut])
        start = max(start, cut)
    whole = Framer()
    assert out == whole.feed(stream) == [part for part in parts if part not in (PING, PONG)]
    assert framer.pings == whole.pings


def test_pings_are_counted_and_pongs_are_not() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n\r") == framer.feed(b"\n") == []
    assert framer.pings == 1
    framer.pongs_due = 2
    assert framer.feed(PONG) == framer.feed(PONG) == []
    assert (framer.pings, framer.pongs_due) == (1, 0)


@pytest.mark.parametrize("stream", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    f"SIP/2.0 200 OK\r\nContent-Length: {LONGEST_BODY + 1}\r\n\r\n".encode(),
    b"x" * (LONGEST_HEAD + 1),
    b"\x16\x03\x01" + b"\x00" * LONGEST_HEAD,
])  # fmt: skip
def test_what_cannot_be_cut_is_an_error(stream: bytes) -> None:
    with pytest.raises(StreamError):
        Framer().feed(stream)
