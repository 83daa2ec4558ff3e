"""What becomes of typography, and that nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms import gsm
from gateway.protocol.sms.transliteration import transliterate


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("‘a’ ‚b‛ it′s `c´ ‹d›", "'a' 'b' it's 'c' 'd'"),
        ("“a” „b‟ «c»", '"a" "b" "c"'),
        ("1‐2‑3‒4–5—6―7−8", "1-2-3-4-5-6-7-8"),
        ("and so on…", "and so on..."),
        ("10\xa0000\u202f€\tnow\u3000!", "10 000 € now !"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("co\xadoperate\u200b\ufeff", "cooperate"),
        ("oﬃce ﬁeld ﬂy cœur Œuvre ĳs", "office field fly coeur OEuvre ijs"),
        ("½ × ¼ ≤ 3/4 → ©™", "1/2 x 1/4 <= 3/4 -> (c)TM"),
        ("ＨＥＬＬＯ！", "HELLO!"),
        ("cafe\u0301 Ko\u0308ln", "café Köln"),
    ],
)
def test_typography_becomes_plain(text: str, plain: str) -> None:
    assert transliterate(text) == plain
    assert gsm.fits(plain)


@pytest.mark.parametrize("text", ["", "Hi", "ć Ж 你好", "👩\u200d🚒 ❤\ufe0f", "ê ş ğ", "אב\u200f", "নমস্তে"])
def test_what_says_something_stays(text: str) -> None:
    assert transliterate(text) == text


@given(st.text())
def test_twice_is_as_good_as_once_and_gsm_is_never_touched(text: str) -> None:
    plain = transliterate(text)
    assert transliterate(plain) == plain
    if gsm.fits(text):
        assert plain == text
