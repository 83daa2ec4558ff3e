"""Which language a text is in: its letters tell (lingua's model of them), and so do the words of every day.

Texts by phone are short: "oui merci" has letters of half of Europe, but its words are French.  Without
anything that tells, the answer is "".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, get_args

from msgspec import Struct

from gateway.config import model
from gateway.text.lexicon import lexicon
from gateway.text.tokens import tokens

LANGUAGES: tuple[str, ...] = get_args(model.Language)
MISSING = "the language of a text is told by lingua, which is not installed: pip install 'trunkline[nlp]'"

_CHARACTERS = 200  # of a text, which are enough
_WORD_WEIGHT = 4.0  # how much likelier a language is for each common word of its own


class Language(Struct, frozen=True):
    """`name` is an ISO 639-1 code, "" for a text that tells nothing; `confidence` 0 to 1; `words` are those
    of its own that told it."""

    name: str
    confidence: float
    words: tuple[str, ...] = ()


def of_service(service: model.Service) -> tuple[str, ...]:
    """Those that texts to a service may be in, the likeliest first."""
    wanted: Sequence[str] = service.nlp.languages if service.nlp is not None else ()
    return tuple(wanted or [name for name in service.languages if name in LANGUAGES]) or ("en",)


def missing(service: model.Service) -> bool:
    """Whether one whose texts are read wants what only lingua can tell, which is not installed."""
    wanted = service.nlp is None or "language" in service.nlp.stages
    return wanted and len(of_service(service)) > 1 and find_spec("lingua") is None


def prepare(languages: Sequence[str]) -> None:
    """Read what `detect` needs of these languages, so that no text waits for it.  Raises ImportError."""
    if len(languages) > 1:
        _detector(tuple(languages))


def detect(text: str, languages: Sequence[str] = LANGUAGES) -> Language:
    """The likeliest of `languages`, which are all that it can be.  Raises ImportError without lingua."""
    text = text[:_CHARACTERS]
    words = [token.text for token in tokens(text) if token.kind == "word"]
    if not words or len(languages) == 1:
        return Language(languages[0] if words else "", 1.0 if words else 0.0)
    told = _detector(tuple(languages)).compute_language_confidence_values(text)
    # a floor: letters alone rule no language out; rounded: lingua adds up in an order that changes
    chances = {value.language.iso_code_639_1.name.lower(): round(value.value, 6) + 0.05 for value in told}
    own = {name: [word for word in words if word in lexicon(name).common] for name in languages}
    for name in languages:
        chances[name] *= _WORD_WEIGHT ** sum(_telling(word, languages) for word in own[name])
    best = max(languages, key=lambda name: chances[name])
    return Language(best, round(chances[best] / sum(chances.values()), 4), tuple(dict.fromkeys(own[best])))


def _telling(word: str, languages: Sequence[str]) -> float:
    """1 for a word of one language, less for one that several have."""
    return 1 / sum(word in lexicon(name).common for name in languages)


@cache
def _detector(languages: tuple[str, ...]) -> Any:
    # not before somebody asks: 15 MiB and a third of a second
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, name.upper()) for name in languages]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
    return builder.with_low_accuracy_mode().with_preloaded_language_models().build()
