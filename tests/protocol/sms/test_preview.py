"""What a preview says of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.national import Language, Shift
from gateway.protocol.sms.preview import Preview, Reading, Terms, preview
from gateway.protocol.sms.segments import LongMethod, split

TURKISH = Terms(languages=(Language.TURKISH,))


def one(text: str, coding: Coding, size: int, shift: Shift = Shift()) -> Reading:  # noqa: B008 (immutable)
    return Reading(text, coding, (text,), (size,), shift)


def test_a_text_that_fits_needs_no_explanation() -> None:
    assert preview("5 €") == Preview(one("5 €", Coding.GSM, 4), None, {}, None, None)


def test_what_forces_ucs2_and_what_would_save() -> None:
    text = "It’s “here”… " + "x" * 100
    plain = 'It\'s "here"... ' + "x" * 100
    assert preview(text) == Preview(
        Reading(text, Coding.UCS2, (text[:67], text[67:]), (67, 46)),
        None,
        {"’": 3, "“": 6, "”": 11, "…": 12},
        one("Its here " + "x" * 100, Coding.GSM, 109),
        one(plain, Coding.GSM, 115),
    )


def test_transliteration_that_does_not_help_says_so() -> None:
    shown = preview("It’s ć")
    assert shown.transliterated == one("It's ć", Coding.UCS2, 6)
    assert preview("ć").transliterated is None


def test_a_surrogate_pair_is_one_character_and_two_units() -> None:
    shown = preview("😀😀")
    assert (shown.now.units, shown.foreign) == (4, {"😀": 1})


def test_national_tables_count_if_they_are_to_be_used() -> None:
    text = "ş" + "a" * 152
    assert preview(text).now.segments == 3
    shown = preview(text, TURKISH).now
    assert shown == one(text, Coding.GSM, 154, Shift(single=Language.TURKISH))
    assert shown.tables == ("turkish",)


def test_a_carrier_that_transliterates_gets_the_plain_text_where_that_saves() -> None:
    terms = Terms(transliterate=True)
    shown = preview("“a”", terms)
    assert (shown.now, shown.given) == (one('"a"', Coding.GSM, 3), one("“a”", Coding.UCS2, 3))
    assert shown.foreign == {}
    shown = preview("“ć”", terms)  # UCS-2 anyway, and no shorter
    assert (shown.now.text, shown.given) == ("“ć”", None)


@pytest.mark.parametrize(
    ("alphabet", "text", "lacking"),
    [
        (Coding.GSM, "ê€", {"ê": 1}),
        (Coding.PACKED, "ê€", {"ê": 1}),
        (Coding.LATIN1, "ê€", {"€": 2}),
        (Coding.ASCII, "aê€ê", {"ê": 2, "€": 3}),
        (Coding.UTF8, "ê€😀", {}),
    ],
)
def test_what_forces_ucs2_depends_on_the_default_alphabet(
    alphabet: Coding, text: str, lacking: dict[str, int]
) -> None:
    shown = preview(text, Terms(alphabet=alphabet))
    assert shown.foreign == lacking
    assert (shown.now.coding is Coding.UCS2) == bool(lacking)


def test_the_units_of_other_alphabets_are_octets() -> None:
    assert preview("é", Terms(alphabet=Coding.UTF8)).now == one("é", Coding.UTF8, 2)
    assert preview("é", Terms(alphabet=Coding.LATIN1)).now == one("é", Coding.LATIN1, 1)


@given(
    text=st.text(alphabet=st.sampled_from("ab[€éêşğाकЖ😀“’\n@"), max_size=500),
    terms=st.builds(
        Terms,
        method=st.sampled_from([LongMethod.UDH8, LongMethod.UDH16, LongMethod.SAR]),
        alphabet=st.sampled_from([Coding.GSM, Coding.PACKED, Coding.LATIN1, Coding.ASCII, Coding.UTF8]),
        languages=st.lists(st.sampled_from([Language.TURKISH, Language.HINDI]), max_size=2).map(tuple),
        transliterate=st.booleans(),
    ),
)
def test_what_is_shown_is_what_is_sent(text: str, terms: Terms) -> None:
    shown = preview(text, terms)
    assert "".join(shown.now.parts) == shown.now.text == terms.written(text)
    assert shown.now.segments == terms.count(shown.now.text)
    sent = split(
        shown.now.text,
        reference=1,
        method=terms.method,
        alphabet=terms.alphabet,
        languages=terms.languages,
    )
    assert len(sent) == shown.now.segments
    assert (sent[0].data_coding == Coding.UCS2) == (shown.now.coding is Coding.UCS2)
