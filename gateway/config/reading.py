"""Settings of what is read out of customers' texts: a service's [nlp]."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from gateway.config.written import Seconds

Language = Literal["en", "de", "fr", "es", "it", "pt", "tr"]  # those that text/ knows
Stage = Literal["normalise", "language", "profanity", "entities", "intent", "sentiment"]


class Intent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that customers want, and how they say it."""

    examples: list[str]


class Profanity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Beside the lists of the languages: `words` of the service's own ("word", or "begin*" for all that
    begins so) and words that `allow` lets pass."""

    action: Literal["flag", "mask", "reject"] = "flag"  # set nlp.profane; stars for letters; answer nothing
    words: list[str] = field(default_factory=list)
    allow: list[str] = field(default_factory=list)
    reply: str = ""  # to a text that is rejected; empty: none


class NlpTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a text is to be read as; what is left out is not looked at."""

    text: str
    now: str = ""  # "2026-11-30T18:00": when it comes, in the zone; empty: that very moment
    intent: str | None = None  # "": none
    language: str | None = None
    sentiment: Literal["positive", "neutral", "negative"] | None = None
    answer: Literal["yes", "no", ""] | None = None
    profane: bool | None = None
    entities: dict[str, Any] = field(default_factory=dict)  # { date = "2026-12-01", number = 2 }


class Nlp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is read out of a text to the service, before its keywords and rules see it."""

    stages: list[Stage] = field(
        default_factory=lambda: ["normalise", "language", "profanity", "entities", "intent", "sentiment"]
    )
    languages: list[Language] = field(default_factory=list)  # it may be in; empty: those of the service
    zone: str = "UTC"  # in which "tomorrow" begins at midnight
    date_order: Literal["dmy", "mdy"] = "dmy"  # of 3/12/2026
    budget: Seconds = Seconds(0.02)  # of each stage; one that takes longer is left out
    budgets: dict[str, Seconds] = field(default_factory=dict)  # of single stages: { intent = "50ms" }
    threshold: float = 0.35  # confidence that an intent needs
    intents: dict[str, Intent] = field(default_factory=dict)
    profanity: Profanity = field(default_factory=Profanity)
    tests: list[NlpTest] = field(default_factory=list)
