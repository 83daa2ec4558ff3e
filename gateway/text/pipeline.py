"""What a service reads out of a text: the stages of its [nlp], in their order.

    normalise   blanks and letters as they should be     nlp.text
    language    ISO 639-1 code, 0 to 1                    nlp.language, nlp.language_confidence
    profanity   whether and which words offend           nlp.profane, nlp.offending; nlp.masked, with stars
    entities    all, and the first of each kind           nlp.entities, nlp.date, nlp.time, nlp.datetime,
                                                          nlp.number, nlp.amount, nlp.currency, nlp.phone,
                                                          nlp.email
                a yes or a no                             nlp.answer ("yes", "no", "")
    intent      and which words decided                   nlp.intent, nlp.confidence, nlp.because
    sentiment   label, and -1 to 1                        nlp.sentiment, nlp.score
                the stages that were left out             nlp.late

Every variable is there always, empty where its stage is not wanted or found nothing; `nlp.datetime` also for
a mere date or time.  A stage has its time: it looks at the clock as it goes, and one that is not done by then
is left out as if it had found nothing, as is one that fails.  Texts are read up to LIMIT_CHARACTERS.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from gateway.config import model
from gateway.config.model import Nlp, Service
from gateway.text import language as languages
from gateway.text.entities import Entity, find
from gateway.text.intent import Intent, Intents
from gateway.text.language import Language
from gateway.text.lexicon import Lexicon, lexicon
from gateway.text.profanity import Found, Words, masked
from gateway.text.sentiment import Sentiment, sentiment

LIMIT_CHARACTERS = 1_000
_STAGES: tuple[str, ...] = get_args(model.Stage)
_SURE = 0.5  # below, any of the languages may be it

_EMPTY: Mapping[str, Any] = {
    "text": "", "language": "", "language_confidence": 0.0, "profane": False, "offending": [], "masked": "",
    "entities": [], "date": "", "time": "", "datetime": "", "number": "", "amount": "", "currency": "",
    "phone": "", "email": "", "answer": "", "intent": "", "confidence": 0.0, "because": [],
    "sentiment": "", "score": 0.0, "late": [],
}  # fmt: skip


# Nodes of flows that read texts, whether or not the service has all its texts read
_READING = {"nlp", "sentiment", "profanity"}


def reads(service: Service) -> bool:
    """Whether somebody asks what texts to the service say."""
    if service.nlp is not None:
        return True
    tables = (flow.get("nodes") for flow in service.flows.values())
    nodes = (node for table in tables if isinstance(table, dict) for node in table.values())
    return any(isinstance(node, dict) and node.get("type") in _READING for node in nodes)


class Late(Exception):
    """A stage has used up its time."""


class Analysis(Struct, frozen=True):
    """`variables` are those of the module's docstring, without "nlp."; the rest is what they were made of,
    None where its stage was left out.  `failed` says of each stage left out why."""

    variables: dict[str, Any]
    language: Language | None = None
    profane: tuple[Found, ...] = ()
    entities: tuple[Entity, ...] = ()
    intent: Intent | None = None
    sentiment: Sentiment | None = None
    failed: dict[str, str] = {}

    @property
    def masked(self) -> str:
        return str(self.variables["masked"])


class Reader:
    """Reads the texts to one service.  `clock` gives seconds that never step back."""

    def __init__(self, service: Service, clock: Callable[[], float]) -> None:
        settings = service.nlp or Nlp()
        self._settings = settings
        self._country = service.country
        self._clock = clock
        self.languages = languages.of_service(service)
        self.zone = ZoneInfo(settings.zone)
        self.lexicons = {name: lexicon(name) for name in self.languages}
        self._intents = Intents(
            {name: intent.examples for name, intent in settings.intents.items()}, self.languages
        )
        self._words = Words(list(self.lexicons.values()), settings.profanity.words, settings.profanity.allow)
        if "language" in settings.stages or service.nlp is None:
            languages.prepare(self.languages)
        # what is loaded by its first use is not to be loaded while a customer waits
        _Reading(self, "020 7946 0000, tomorrow at 5pm", datetime(2026, 1, 5, tzinfo=UTC)).through(_STAGES)

    def read(self, text: str, now: float, stages: Sequence[str] | None = None) -> Analysis:
        """`now` in Unix seconds is when it was said; `stages` instead of those of the settings."""
        return _Reading(self, text, datetime.fromtimestamp(now, UTC).astimezone(self.zone)).through(
            self._settings.stages if stages is None else stages
        )

    def stage(self, name: str, reading: _Reading, check: Callable[[], None]) -> None:
        text, settings = reading.text, self._settings
        match name:
            case "normalise":
                reading.text = " ".join(unicodedata.normalize("NFC", text).split())
                reading.set(text=reading.text)
            case "language":
                reading.language = languages.detect(text, self.languages)
                sure = reading.language.confidence >= _SURE
                reading.set(
                    language=reading.language.name if sure else "",
                    language_confidence=round(reading.language.confidence, 3),
                )
            case "profanity":
                reading.profane = tuple(self._words.find(text, check))
                reading.set(
                    profane=bool(reading.profane),
                    offending=[found.word for found in reading.profane],
                    masked=masked(text, reading.profane[::-1]),
                )
            case "entities":
                self._entities(reading, check)
            case "intent":
                reading.intent = self._intents.recognise(text, settings.threshold, check)
                reading.set(
                    intent=reading.intent.name,
                    confidence=reading.intent.confidence,
                    because=[word for word, _ in reading.intent.words],
                )
            case "sentiment":
                reading.sentiment = sentiment(text, self.likely(reading)[0], check)
                reading.set(sentiment=reading.sentiment.label, score=reading.sentiment.score)

    def _entities(self, reading: _Reading, check: Callable[[], None]) -> None:
        named = find(
            reading.text,
            self.likely(reading),
            now=reading.now,
            country=self._country,
            order=self._settings.date_order,
            check=check,
        )
        reading.entities = named.entities
        reading.set(
            answer=named.answer,
            entities=[{"kind": e.kind, "value": e.value, "text": e.text} for e in named.entities],
        )
        for entity in reversed(named.entities):
            if entity.kind == "money":
                reading.set(**entity.value)
            elif entity.kind != "datetime":
                reading.set(**{entity.kind: entity.value})
        if named.moment is not None:
            at = named.moment
            reading.set(datetime=at.isoformat())
            moments = {e.kind for e in named.entities}
            if "date" not in moments and "datetime" in moments:
                reading.set(date=at.date().isoformat())
            if "time" not in moments and "datetime" in moments:
                reading.set(time=at.strftime("%H:%M"))

    def likely(self, reading: _Reading) -> list[Lexicon]:
        """Those of the languages that the text may be in, the likeliest first."""
        name = reading.variables["language"]
        return [self.lexicons[name]] if name else list(self.lexicons.values())

    def budget(self, stage: str) -> float:
        return float(self._settings.budgets.get(stage, self._settings.budget))

    def clock(self) -> float:
        return self._clock()


class _Reading:
    """One text on its way through the stages."""

    def __init__(self, reader: Reader, text: str, now: datetime) -> None:
        self._reader = reader
        self.text = text[:LIMIT_CHARACTERS]
        self.now = now
        self.variables: dict[str, Any] = {**_EMPTY, "text": text, "masked": text}
        self.language: Language | None = None
        self.profane: tuple[Found, ...] = ()
        self.entities: tuple[Entity, ...] = ()
        self.intent: Intent | None = None
        self.sentiment: Sentiment | None = None

    def set(self, **variables: Any) -> None:
        self.variables.update(variables)

    def through(self, stages: Sequence[str]) -> Analysis:
        failed: dict[str, str] = {}
        for name in stages:
            try:
                self._reader.stage(name, self, self._timer(name))
            except Late:
                failed[name] = f"took longer than {self._reader.budget(name) * 1000:g} ms"
            except Exception as error:  # a reading that fails must not cost the message
                failed[name] = f"{type(error).__name__}: {error}"
        self.set(late=list(failed))
        return Analysis(
            self.variables, self.language, self.profane, self.entities, self.intent, self.sentiment, failed
        )

    def _timer(self, stage: str) -> Callable[[], None]:
        until = self._reader.clock() + self._reader.budget(stage)

        def check() -> None:
            if self._reader.clock() > until:
                raise Late

        return check
