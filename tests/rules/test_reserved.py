import pytest

from gateway.config.model import Replies, Service
from gateway.protocol.sms.segments import count
from gateway.rules.reserved import KINDS, LANGUAGES, Word, answer, reserved, spokesman, words


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((word, "stop") for word in ("STOP", "stopall", "Unsubscribe", "CANCEL", "end", "Quit.", " stop! ")),
        ("START", "start"),
        ("unstop", "start"),
        ("HELP", "help"),
        ("info?", "help"),
        ("stop sending", ""),
        ("please stop", ""),
        ("stopp", ""),
        ("yes", ""),
        ("", ""),
    ],
)
def test_a_reserved_word_is_one_only_as_the_whole_text_and_spelt_right(text: str, kind: str) -> None:
    word = reserved(text)
    assert (word.kind if word else "") == kind


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("Stopp", "de", "stop"),
        ("ABMELDEN", "de", "stop"),
        ("arrêt", "fr", "stop"),
        ("BAJA", "es", "stop"),
        ("aiuto", "it", "help"),
        ("SAIR", "pt", "stop"),
        ("afmelden", "nl", "stop"),
        ("İPTAL", "tr", "stop"),
        ("IPTAL", "tr", "stop"),
        ("pomoc", "pl", "help"),
        ("СТОП", "ru", "stop"),
        ("ΣΤΟΠ", "el", "stop"),
    ],
)
def test_each_language_has_its_words(text: str, language: str, kind: str) -> None:
    assert reserved(text, [language]) == Word(kind, language)
    assert reserved(text) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_kind_and_answers_it_in_two_segments_at_most(language: str) -> None:
    assert {word.kind for word in words((language,)).values() if word.language == language} == set(KINDS)
    for kind in KINDS:
        said = answer(Word(kind, language), Service(name="Pizza", languages=[language]), "Pizza")
        assert said.startswith("Pizza: ")
        assert count(said)[1] <= 2


def test_an_english_word_is_answered_in_the_services_first_language() -> None:
    german = Service(name="Pizza", languages=["de", "fr"])
    assert answer(Word("stop", "en"), german, "Pizza").startswith("Pizza: Sie erhalten keine")
    assert answer(Word("stop", "en"), Service(name="Pizza", languages=["de", "en"]), "Pizza").startswith(
        "Pizza: you will"
    )


def test_a_service_has_its_own_reply_and_a_name_names_no_variable() -> None:
    service = Service(name="Pizza", replies={"en": Replies(help="Call $(sms.to)")})
    assert answer(Word("help", "en"), service, "Pizza") == "Call $(sms.to)"
    assert answer(Word("stop", "en"), service, "A $(b)").startswith("A $$(b):")


def test_of_several_services_the_one_with_a_reply_of_its_own_answers() -> None:
    services = {
        "a": Service(name="A"),
        "b": Service(name="B", replies={"en": Replies(help="Call us"), "fr": Replies(stop="Adieu")}),
    }
    assert spokesman(Word("help", "en"), ["a", "b"], services) == "b"
    assert spokesman(Word("stop", "en"), ["a", "b"], services) == "a"
    assert spokesman(Word("stop", "fr"), ["a", "b"], services) == "b"
    assert spokesman(Word("stop", "fr"), [], services) == ""
