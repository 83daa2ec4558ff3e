from __future__ import annotations

import pytest

from gateway.config.model import Nlp, Service
from gateway.text.language import LANGUAGES, detect, missing, of_service, prepare

TEXTS = [
    ("en", "I want to order a pizza please"),
    ("en", "where is my parcel"),
    ("en", "thanks"),
    ("de", "Wo ist mein Paket"),
    ("de", "bitte morgen um 17 Uhr anrufen"),
    ("de", "ja bitte"),
    ("fr", "où est mon colis"),
    ("fr", "oui merci"),
    ("fr", "je voudrais un rendez-vous mardi"),
    ("es", "donde esta mi paquete"),
    ("es", "llamame mañana"),
    ("es", "si gracias"),
    ("it", "dove e il mio pacco"),
    ("it", "chiamami domani"),
    ("pt", "quero uma pizza grande por favor"),
    ("pt", "sim obrigado"),
    ("tr", "kargom nerede"),
    ("tr", "yarın beni arayın"),
    ("tr", "cok kotu hizmet"),
]


@pytest.mark.parametrize(("language", "text"), TEXTS)
def test_short_texts(language: str, text: str) -> None:
    assert detect(text).name == language


def test_the_same_text_always_reads_the_same() -> None:
    assert len({detect("quiero una pizza grande") for _ in range(20)}) == 1


def test_the_words_that_told_it_are_named() -> None:
    assert detect("oui merci").words == ("oui", "merci")


def test_figures_are_in_no_language() -> None:
    assert detect("12345 :-)").name == ""


def test_only_the_languages_that_it_may_be_in() -> None:
    assert detect("oui merci", ("en", "de")).name in ("en", "de")
    assert detect("oui", ("de",)).name == "de"


def test_a_service_reads_its_own_languages() -> None:
    prepare(LANGUAGES)
    assert of_service(Service(name="x", languages=["de", "pl"])) == ("de",)
    assert of_service(Service(name="x", languages=["pl"])) == ("en",)
    assert of_service(Service(name="x", nlp=Nlp(languages=["fr", "de"]))) == ("fr", "de")


def test_lingua_is_needed_only_to_tell_languages_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.text.language.find_spec", lambda name: None)
    assert not missing(Service(name="x", nlp=Nlp()))
    assert missing(Service(name="x", nlp=Nlp(languages=["en", "de"])))
    assert not missing(Service(name="x", nlp=Nlp(languages=["en", "de"], stages=["entities"])))
    assert missing(Service(name="x", languages=["en", "de"]))
    assert not missing(Service(name="x", languages=["en", "pl"]))
