"""gateway.protocol.rtp.digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.rtp.digits import Presses, Way, digit_of_info
from gateway.protocol.rtp.telephone_event import DIGITS


def heard(*told: tuple[str, Way, float]) -> str:
    presses = Presses()
    return "".join(digit for digit, way, at in told if presses.is_new(digit, way, at))


def test_one_press_told_three_ways_is_one() -> None:
    assert heard(("5", Way.TONE, 0.0), ("5", Way.EVENT, 0.04), ("5", Way.INFO, 0.9)) == "5"


def test_equal_digits_in_a_row_stay_two_whatever_the_order_in_which_they_come() -> None:
    events = [("1", Way.EVENT, 0.0), ("1", Way.EVENT, 0.2)]
    infos = [("1", Way.INFO, 0.1), ("1", Way.INFO, 0.3)]
    assert heard(*events, *infos) == "11"
    assert heard(events[0], infos[0], events[1], infos[1]) == "11"


def test_the_same_key_much_later_is_a_press_of_its_own() -> None:
    assert heard(("1", Way.EVENT, 0.0), ("1", Way.INFO, 2.5)) == "11"


def test_another_key_is_another_press() -> None:
    assert heard(("1", Way.EVENT, 0.0), ("2", Way.INFO, 0.1), ("2", Way.EVENT, 0.2)) == "12"


@given(st.lists(st.sampled_from(DIGITS), max_size=12), st.sets(st.sampled_from(Way), min_size=1))
def test_each_press_counts_once_for_every_set_of_ways(digits: list[str], ways: set[Way]) -> None:
    told = [(d, way, n * 0.15 + 0.01 * i) for n, d in enumerate(digits) for i, way in enumerate(sorted(ways))]
    assert heard(*told) == "".join(digits)


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("Application/DTMF-Relay; charset=utf-8", b"Duration= 160\nsignal = *\n", "*"),
        ("application/dtmf-relay", b"Signal=11\r\nDuration=100", "#"),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b" a\r\n", "A"),
        ("application/dtmf", b"10", "*"),
    ],
)
def test_info_bodies_as_gateways_write_them(content_type: str, body: bytes, digit: str) -> None:
    assert digit_of_info(content_type, body) == digit


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"5"),
        ("application/dtmf", b""),
        ("application/dtmf", b"12"),
        ("application/dtmf", b"\xff"),
        ("application/dtmf-relay", b"5"),
        ("application/dtmf-relay", b"Signal=hf"),
    ],
)
def test_what_tells_of_no_key_says_so(content_type: str, body: bytes) -> None:
    with pytest.raises(ValueError, match="no"):
        digit_of_info(content_type, body)


@given(st.sampled_from(["application/dtmf", "application/dtmf-relay"]), st.binary(max_size=40))
def test_any_body_gives_a_key_or_value_error(content_type: str, body: bytes) -> None:
    try:
        assert digit_of_info(content_type, body) in DIGITS
    except ValueError:
        pass
