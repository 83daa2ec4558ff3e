"""Session-Expires and Min-SE, read and written (RFC 4028)."""

import pytest

from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import Request, make_request, respond
from gateway.protocol.sip.session_timer import Agreement, agree, agreed, least, too_short


def update(*headers: tuple[str, str]) -> Request:
    via, ends = Via("UDP", "h", None, {}), {"from_": "<sip:a@h>;tag=1", "to": "<sip:b@h>;tag=2"}
    return make_request("UPDATE", "sip:h", via=via, call_id="c", cseq=1, headers=headers, **ends)


KNOWS = ("Supported", "path, Timer")


@pytest.mark.parametrize(("headers", "agreement"), [
    ([KNOWS, ("Session-Expires", "1800")], Agreement(1800, by_uac=True)),
    ([KNOWS, ("x", "1800 ; refresher = UAC")], Agreement(1800, by_uac=True)),
    ([KNOWS, ("Session-Expires", "1800;refresher=uas")], Agreement(1800, by_uac=False)),
    ([("Session-Expires", "1800;refresher=uac")], Agreement(1800, by_uac=False)),
    ([("Session-Expires", "30")], Agreement(90, by_uac=False)),  # it could not read a 422
    ([KNOWS], None),
    ([KNOWS, ("Session-Expires", "soon")], None),
    ([KNOWS, ("Session-Expires", "0")], None),
    ([KNOWS, ("Session-Expires", "-1")], None),
    ([KNOWS, ("Session-Expires", "9999999999")], None),
])  # fmt: skip
def test_what_our_2xx_says(headers: list[tuple[str, str]], agreement: Agreement | None) -> None:
    assert agree(update(*headers)) == agreement


@pytest.mark.parametrize(("value", "agreement"), [
    ("1800;refresher=uas", Agreement(1800, by_uac=False)),
    ("1800;refresher=uac", Agreement(1800, by_uac=True)),
    ("1800", Agreement(1800, by_uac=True)), ("5;refresher=uas", Agreement(90, by_uac=False)), ("", None),
])  # fmt: skip
def test_what_theirs_says(value: str, agreement: Agreement | None) -> None:
    assert agreed(respond(update(), 200, headers=[("Session-Expires", value)])) == agreement


def test_the_refresher_acts_at_half_time_and_the_other_hangs_up_a_little_before_the_end() -> None:
    assert Agreement(1800, by_uac=True).field == ("Session-Expires", "1800;refresher=uac")
    assert (Agreement(1800, True).refresh_after, Agreement(1800, True).expires_after) == (900, 1768)
    assert Agreement(90, True).expires_after == 60


def test_only_who_knows_session_timers_is_told_that_the_interval_is_too_short() -> None:
    assert too_short(update(KNOWS, ("Session-Expires", "89")))
    assert not too_short(update(KNOWS, ("Session-Expires", "90")))
    assert not too_short(update(("Session-Expires", "89")))
    assert not too_short(update(KNOWS, ("Session-Expires", "x")))


@pytest.mark.parametrize(("value", "seconds"), [("120", 120), ("120;x=y", 120), ("", 0), ("x", 0)])
def test_min_se(value: str, seconds: int) -> None:
    assert least(update(("Min-SE", value))) == seconds
