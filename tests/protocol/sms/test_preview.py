"""What a preview says of a text."""

from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.national import Language
from gateway.protocol.sms.preview import Preview, Reading, preview


def test_a_text_that_fits_needs_no_explanation() -> None:
    assert preview("5 €") == Preview(Reading("5 €", Coding.GSM, 1, 4), {}, None, None)


def test_what_forces_ucs2_and_what_would_save() -> None:
    text = "It’s “here”… " + "x" * 100
    plain = 'It\'s "here"... ' + "x" * 100
    assert preview(text) == Preview(
        Reading(text, Coding.UCS2, 2, 113),
        {"’": 3, "“": 6, "”": 11, "…": 12},
        Reading("Its here " + "x" * 100, Coding.GSM, 1, 109),
        Reading(plain, Coding.GSM, 1, 115),
    )


def test_transliteration_that_does_not_help_says_so() -> None:
    shown = preview("It’s ć")
    assert shown.transliterated == Reading("It's ć", Coding.UCS2, 1, 6)
    assert preview("ć").transliterated is None


def test_a_surrogate_pair_is_one_character_and_two_units() -> None:
    shown = preview("😀😀")
    assert (shown.now.units, shown.foreign) == (4, {"😀": 1})


def test_national_tables_count_if_they_are_to_be_used() -> None:
    text = "ş" + "a" * 152
    assert preview(text).now.segments == 3
    shown = preview(text, languages=[Language.TURKISH]).now
    assert (shown.coding, shown.segments, shown.units) == (Coding.GSM, 1, 154)
