"""Keywords: from a text to one of our numbers to the service that answers it.

A text is compared normalised (text.normalise), in this order, over all services that share the number:

    exact            the whole text is a keyword          "ORDER NOW" -> [keywords."ORDER NOW"]
    first-word       its first word is one                "order two" -> [keywords.ORDER]
    alias            the whole text or its first word is an alias
    number-default   the keyword named "*" with `number` set
    service-default  the service's `default`, or its keyword "*" without `number`

A keyword without `number` holds for every number of its service.  Where two services claim the same word on
the same number, the first by name has it and `conflicts` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from gateway.config.model import Keyword, Service
from gateway.text.normalise import first_word, normalise, words
from gateway.values.address import canonical
from gateway.values.errors import BadAddress
from gateway.values.fault import Fault

ANYTHING = "*"

# Only when the whole text is the word: "stop sending" is for a person to read
RESERVED: Mapping[str, str] = {
    "stop": "stop",
    "stopall": "stop",
    "unsubscribe": "stop",
    "cancel": "stop",
    "end": "stop",
    "quit": "stop",
    "start": "start",
    "unstop": "start",
    "help": "help",
    "info": "help",
}


def reserved(text: str) -> str:
    """stop, start, help, or "" for a text that is no reserved word."""
    return RESERVED.get(normalise(text), "")


class Match(Struct, frozen=True, kw_only=True):
    """What a text on a number came to.  `how` is one of the module docstring's words, or "none"."""

    how: str = "none"
    service: str = ""
    name: str = ""  # the keyword as the service file spells it; "" for `default`
    keyword: Keyword | None = None
    word: str = ""  # what matched, normalised; for defaults and none the first word
    rest: str = ""  # what followed the matched word, as typed; for defaults and none the whole text
    words: tuple[str, ...] = ()  # all words, normalised

    @property
    def by_word(self) -> bool:
        """The customer named a keyword (a default was not reached)."""
        return self.how in ("exact", "first-word", "alias")


class _Claim(Struct, frozen=True):
    service: str
    name: str
    keyword: Keyword
    path: str


class _Words:
    """What one number listens to: one claim for each word in each tier."""

    def __init__(self) -> None:
        self.names: dict[str, _Claim] = {}
        self.aliases: dict[str, _Claim] = {}
        self.number_default: dict[str, _Claim] = {}
        self.service_default: dict[str, _Claim] = {}


class Keywords:
    """All keywords of all live services.  Immutable after `build`."""

    def __init__(self) -> None:
        self._numbers: dict[str, _Words] = {}
        self._services: dict[str, tuple[str, ...]] = {}
        self._faults: list[Fault] = []

    @classmethod
    def build(cls, services: Mapping[str, Service]) -> Keywords:
        """`services` by file name.  Suspended services keep their numbers (a STOP to them counts), but no
        keyword of theirs matches."""
        keywords = cls()
        for name in sorted(services):
            keywords._add(name, services[name])
        keywords._find_hidden_aliases()
        return keywords

    def services(self, number: str) -> tuple[str, ...]:
        """The services, live or not, that have this canonical number among their assets, by name."""
        return self._services.get(number, ())

    def match(self, number: str, text: str) -> Match:
        """`number` is canonical and ours; `text` as the customer typed it."""
        heard = self._numbers.get(number, _NOTHING)
        whole, (first, rest) = normalise(text), first_word(text)
        for how, claims, word, remainder in (
            ("exact", heard.names, whole, ""),
            ("first-word", heard.names, first, rest),
            ("alias", heard.aliases, whole, ""),
            ("alias", heard.aliases, first, rest),
        ):
            if claim := claims.get(word):
                return _match(how, claim, word, remainder, text)
        for how, claims in (
            ("number-default", heard.number_default),
            ("service-default", heard.service_default),
        ):
            if claim := claims.get(ANYTHING):
                return _match(how, claim, first, text.strip(), text)
        return Match(word=first, rest=text.strip(), words=tuple(words(text)))

    def explain(self, number: str, text: str) -> list[str]:
        """The way to `match` in plain sentences, for `gateway keyword test`."""
        services = self.services(number)
        if not services:
            return [f"{number} is no asset of any service, so nothing answers there."]
        said = [f"{number} belongs to {_and(services)}.", f'The text reads as "{normalise(text)}".']
        if word := reserved(text):
            said.append(f'It is the reserved word for "{word}", which comes before every keyword.')
        match, (first, rest) = self.match(number, text), first_word(text)
        if match.how != "exact":
            said.append("The whole text is no keyword.")
        if match.how not in ("exact", "first-word"):
            said.append(f'Its first word "{first}" is no keyword.')
        if not match.by_word:
            said.append("Neither the text nor its first word is an alias.")
        if match.how == "service-default":
            said.append(f"{number} has no default of its own.")
        said.append(_outcome(match, rest))
        return said

    def conflicts(self) -> list[Fault]:
        """Words that two keywords claim on one number; keywords on a number that their service has not."""
        return list(self._faults)

    def _add(self, name: str, service: Service) -> None:
        numbers = list(_canonical(service.assets))
        for number in numbers:
            self._services[number] = (*self._services.get(number, ()), name)
        if service.status != "live":
            return
        for keyword_name in sorted(service.keywords):
            keyword = service.keywords[keyword_name]
            claim = _Claim(name, keyword_name, keyword, f"services.{name}.keywords.{keyword_name}")
            for number in self._listening(claim, numbers):
                self._listen(self._numbers.setdefault(number, _Words()), number, claim)
        if service.default is not None:
            claim = _Claim(name, "", service.default, f"services.{name}.default")
            for number in self._listening(claim, numbers):
                heard = self._numbers.setdefault(number, _Words())
                self._claim(heard.service_default, ANYTHING, number, claim)

    def _listening(self, claim: _Claim, numbers: list[str]) -> list[str]:
        if not claim.keyword.number:
            return numbers
        number = next(iter(_canonical([claim.keyword.number])), "")
        if number in numbers:
            return [number]
        what = f"{claim.keyword.number} is not among the service's assets, so nothing can reach it"
        self._faults.append(Fault(f"{claim.path}.number", what))
        return []

    def _listen(self, heard: _Words, number: str, claim: _Claim) -> None:
        if claim.name == ANYTHING:
            tier = heard.number_default if claim.keyword.number else heard.service_default
            self._claim(tier, ANYTHING, number, claim)
        else:
            self._claim(heard.names, normalise(claim.name), number, claim)
        for alias in claim.keyword.aliases:
            self._claim(heard.aliases, normalise(alias), number, claim)

    def _claim(self, claims: dict[str, _Claim], word: str, number: str, claim: _Claim) -> None:
        holder = claims.setdefault(word, claim)
        if holder is not claim:
            self._hidden(claim, word, number, holder)

    def _find_hidden_aliases(self) -> None:
        for number, heard in self._numbers.items():
            for word, claim in heard.aliases.items():
                if holder := heard.names.get(word):
                    self._hidden(claim, word, number, holder)

    def _hidden(self, claim: _Claim, word: str, number: str, holder: _Claim) -> None:
        spoken = "any other text" if word == ANYTHING else f'"{word}"'
        what = f"{spoken} on {number} already goes to {holder.path}; here it never matches"
        self._faults.append(Fault(claim.path, what))


_NOTHING = _Words()


def _canonical(numbers: list[str]) -> Iterator[str]:
    for number in dict.fromkeys(numbers):
        try:
            yield canonical(number)
        except BadAddress:
            continue  # config.check has said so


def _match(how: str, claim: _Claim, word: str, rest: str, text: str) -> Match:
    return Match(
        how=how,
        service=claim.service,
        name=claim.name,
        keyword=claim.keyword,
        word=word,
        rest=rest,
        words=tuple(words(text)),
    )


def _outcome(match: Match, rest: str) -> str:
    if match.keyword is None:
        return "No default is set either: no service answers."
    by = {
        "exact": f"The whole text is the keyword {match.name}",
        "first-word": f'Its first word is the keyword {match.name} (followed by "{rest}")',
        "alias": f'"{match.word}" is an alias of the keyword {match.name}',
        "number-default": "The number's default takes it, unless a rule on sms.received does",
        "service-default": "The service's default takes it, unless a rule on sms.received does",
    }[match.how]
    return f"{by}: service {match.service} {_deed(match.keyword)}."


def _deed(keyword: Keyword) -> str:
    if keyword.reply:
        return f'replies "{keyword.reply}"'
    if keyword.flow:
        return f"starts the flow {keyword.flow}"
    if keyword.chain:
        return f"starts the chain {keyword.chain}"
    return "notifies its application"


def _and(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
