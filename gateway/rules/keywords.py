"""Keywords: from a text to one of our numbers to the service that answers it.

A text is compared normalised (text.normalise), in this order, over all services that share the number:

    exact            the whole text is a keyword          "ORDER NOW" -> [keywords."ORDER NOW"]
    first-word       its first word is one                "order two" -> [keywords.ORDER]
    alias            the whole text or its first word is an alias
    prefix           it begins with one of a keyword's prefixes, the longest first
    pattern          a keyword's regular expression fits the whole of it
    fuzzy            the whole text or its first word is one slip away from a keyword or alias of 5 letters or
                     more (a letter missing, too much, other, or swapped with the next), and from one only
    number-default   the keyword named "*" with `number` set
    service-default  the service's `default`, or its keyword "*" without `number`

A keyword without `number` holds for every number and every app of its service.  An app is named by the
service, too ("pizza/shop"), since others may have one of that name.  Where two services claim the same word
on the same number, the first by name has it and `conflicts` says so.  Nothing that is one slip away from a
reserved word is guessed at.  Patterns are RE2's: no text makes them slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from rapidfuzz.distance import OSA

from gateway.config.model import Keyword, Service
from gateway.rules import reserved
from gateway.text.normalise import first_word, normalise, words
from gateway.values.address import canonical
from gateway.values.errors import BadAddress
from gateway.values.fault import Fault, nearest

ANYTHING = "*"
BY_WORD = ("exact", "first-word", "alias", "prefix", "pattern", "fuzzy")

_GUESSED_LETTERS = 5  # shorter words are too near to too much
_LONGEST_GUESS = 64  # characters
_BETWEEN = " -:.,;#"  # what people write between a prefix and what follows it


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
        return self.how in BY_WORD


class Claim(Struct, frozen=True):
    """A keyword on one of its numbers."""

    service: str
    name: str
    keyword: Keyword
    path: str


class Candidate(Struct, frozen=True):
    """A keyword that a text could come to, by one of the ways; the first there is has it."""

    how: str
    claim: Claim
    word: str
    rest: str


class _Heard:
    """What one number listens to: one claim for each word in each tier."""

    def __init__(self) -> None:
        self.names: dict[str, Claim] = {}
        self.aliases: dict[str, Claim] = {}
        self.prefixes: dict[str, Claim] = {}  # the longest first
        self.patterns: dict[str, tuple[Any, Claim]] = {}
        self.guessable: dict[str, Claim] = {}
        self.number_default: dict[str, Claim] = {}
        self.service_default: dict[str, Claim] = {}


class Keywords:
    """All keywords of all services.  Immutable after `build`."""

    def __init__(self) -> None:
        self._numbers: dict[str, _Heard] = {}
        self._services: dict[str, tuple[str, ...]] = {}
        self._languages: dict[str, tuple[str, ...]] = {}
        self._faults: list[Fault] = []

    @classmethod
    def build(cls, services: Mapping[str, Service]) -> Keywords:
        """`services` by file name, suspended ones too: whose text it is does not change meanwhile."""
        keywords = cls()
        for name in sorted(services):
            keywords._add(name, services[name])
        for heard in keywords._numbers.values():
            heard.prefixes = dict(sorted(heard.prefixes.items(), key=lambda item: -len(item[0])))
            heard.guessable = {
                word: claim
                for word, claim in {**heard.aliases, **heard.names}.items()
                if claim.keyword.fuzzy and len(word.replace(" ", "")) >= _GUESSED_LETTERS
            }
        keywords._find_hidden_aliases()
        return keywords

    def services(self, number: str) -> tuple[str, ...]:
        """The services, live or not, that have this canonical number among their assets, by name."""
        return self._services.get(number, ())

    def languages(self, number: str) -> tuple[str, ...]:
        """Those in which STOP, START and HELP are understood there, beside English."""
        return self._languages.get(number, ())

    def reserved(self, number: str, text: str) -> reserved.Word | None:
        """The reserved word that the text is, in a language of a service of that number."""
        return reserved.reserved(text, self.languages(number))

    def match(self, number: str, text: str) -> Match:
        """`number` is canonical and ours; `text` as the customer typed it."""
        for found in self.candidates(number, text):
            claim = found.claim
            return Match(
                how=found.how,
                service=claim.service,
                name=claim.name,
                keyword=claim.keyword,
                word=found.word,
                rest=found.rest,
                words=tuple(words(text)),
            )
        return Match(word=first_word(text)[0], rest=text.strip(), words=tuple(words(text)))

    def candidates(self, number: str, text: str) -> Iterator[Candidate]:
        """Every keyword that the text could come to, the one that has it first."""
        heard = self._numbers.get(number, _NOTHING)
        whole, (first, rest) = normalise(text), first_word(text)
        for how, claims, word, remainder in (
            ("exact", heard.names, whole, ""),
            ("first-word", heard.names, first, rest),
            ("alias", heard.aliases, whole, ""),
            ("alias", heard.aliases, first, rest),
        ):
            if claim := claims.get(word):
                yield Candidate(how, claim, word, remainder)
        for prefix, claim in heard.prefixes.items():
            if whole.startswith(prefix):
                yield Candidate("prefix", claim, prefix, _behind(prefix, text))
        for pattern, claim in heard.patterns.values():
            if pattern.fullmatch(whole):
                yield Candidate("pattern", claim, first, text.strip())
        guesses = self.guesses(number, text)
        if len({(guess.claim.service, guess.claim.name) for guess in guesses}) == 1:
            yield guesses[0]
        for how, claims in (
            ("number-default", heard.number_default),
            ("service-default", heard.service_default),
        ):
            if claim := claims.get(ANYTHING):
                yield Candidate(how, claim, first, text.strip())

    def guesses(self, number: str, text: str) -> list[Candidate]:
        """The keywords that the text is one slip away from; only a single one is taken for meant."""
        heard = self._numbers.get(number, _NOTHING)
        whole, (first, rest) = normalise(text), first_word(text)
        if not heard.guessable or len(first) > _LONGEST_GUESS or self._nearly_reserved(number, whole, first):
            return []
        found = []
        for word, claim in heard.guessable.items():
            if len(whole) <= _LONGEST_GUESS and _slip(whole, word):
                found.append(Candidate("fuzzy", claim, word, ""))
            elif first != whole and _slip(first, word):
                found.append(Candidate("fuzzy", claim, word, rest))
        return found

    def _nearly_reserved(self, number: str, *said: str) -> bool:
        known = reserved.words(self.languages(number))
        return any(word in known or any(_slip(word, r) for r in known if len(r) > 3) for word in said)

    def conflicts(self) -> list[Fault]:
        """Words that two keywords claim on one number; keywords on a number that their service has not."""
        return list(self._faults)

    def _add(self, name: str, service: Service) -> None:
        for index, language in enumerate(service.languages):
            if language not in reserved.LANGUAGES:
                what = f'"{language}" is not among the languages of STOP, START and HELP'
                near = (
                    nearest(language, reserved.LANGUAGES) or f" (there are: {', '.join(reserved.LANGUAGES)})"
                )
                self._faults.append(Fault(f"services.{name}.languages[{index}]", what + near))
        numbers = list(_canonical(service.assets))
        apps = [place_of_app(name, app) for app in service.apps]
        known = [language for language in service.languages if language in reserved.LANGUAGES]
        for number in (*numbers, *apps):
            self._services[number] = (*self._services.get(number, ()), name)
            self._languages[number] = tuple(dict.fromkeys([*self._languages.get(number, ()), *known]))
        for keyword_name in sorted(service.keywords):
            keyword = service.keywords[keyword_name]
            claim = Claim(name, keyword_name, keyword, f"services.{name}.keywords.{keyword_name}")
            self._find_reserved(claim, known)
            for number in self._listening(claim, numbers, service):
                self._listen(self._numbers.setdefault(number, _Heard()), number, claim)
        if service.default is not None:
            claim = Claim(name, "", service.default, f"services.{name}.default")
            for number in self._listening(claim, numbers, service):
                heard = self._numbers.setdefault(number, _Heard())
                self._claim(heard.service_default, ANYTHING, number, claim)

    def _find_reserved(self, claim: Claim, languages: list[str]) -> None:
        """STOP, START and HELP do what they are for; a keyword of theirs only says with what words."""
        for word in (claim.name, *claim.keyword.aliases):
            kind = reserved.reserved(word, languages)
            if kind is not None and not claim.keyword.reply:
                what = f'"{word}" is a reserved word for "{kind.kind}": of its keyword only a reply counts'
                self._faults.append(Fault(claim.path, what, warning=True))

    def _listening(self, claim: Claim, numbers: list[str], service: Service) -> list[str]:
        if not claim.keyword.number:
            return [*numbers, *(place_of_app(claim.service, app) for app in service.apps)]
        if claim.keyword.number in service.apps and claim.keyword.number not in service.assets:
            return [place_of_app(claim.service, claim.keyword.number)]
        number = next(iter(_canonical([claim.keyword.number])), "")
        if number in numbers:
            return [number]
        what = f"{claim.keyword.number} is not among the service's assets and apps, so nothing can reach it"
        self._faults.append(Fault(f"{claim.path}.number", what))
        return []

    def _listen(self, heard: _Heard, number: str, claim: Claim) -> None:
        if claim.name == ANYTHING:
            tier = heard.number_default if claim.keyword.number else heard.service_default
            self._claim(tier, ANYTHING, number, claim)
        else:
            self._claim(heard.names, normalise(claim.name), number, claim)
        for alias in claim.keyword.aliases:
            self._claim(heard.aliases, normalise(alias), number, claim)
        for prefix in claim.keyword.prefixes:
            self._claim(heard.prefixes, normalise(prefix), number, claim)
        if claim.keyword.pattern:
            self._pattern(heard, number, claim)

    def _pattern(self, heard: _Heard, number: str, claim: Claim) -> None:
        written = claim.keyword.pattern
        holder = heard.patterns.get(written)
        if holder is not None:
            self._hidden(claim, f'the pattern "{written}"', number, holder[1])
            return
        try:
            heard.patterns[written] = (_compiled(written), claim)
        except ValueError as error:
            self._faults.append(Fault(f"{claim.path}.pattern", f"is no regular expression of RE2: {error}"))

    def _claim(self, claims: dict[str, Claim], word: str, number: str, claim: Claim) -> None:
        holder = claims.setdefault(word, claim)
        if holder is not claim:
            spoken = "any other text" if word == ANYTHING else f'"{word}"'
            self._hidden(claim, spoken, number, holder)

    def _find_hidden_aliases(self) -> None:
        for number, heard in self._numbers.items():
            for word, claim in heard.aliases.items():
                if holder := heard.names.get(word):
                    self._hidden(claim, f'"{word}"', number, holder)

    def _hidden(self, claim: Claim, spoken: str, number: str, holder: Claim) -> None:
        what = f"{spoken} on {number} already goes to {holder.path}; here it never matches"
        self._faults.append(Fault(claim.path, what))


_NOTHING = _Heard()


def place_of_app(service: str, app: str) -> str:
    """What an app is called among the numbers."""
    return f"{service}/{app}"


def _slip(said: str, meant: str) -> bool:
    return abs(len(said) - len(meant)) <= 1 and OSA.distance(said, meant, score_cutoff=1) == 1


def _behind(prefix: str, text: str) -> str:
    """What follows the prefix, as typed where it was typed as long as it reads."""
    typed = text.strip()
    if normalise(typed[: len(prefix)]) == prefix:
        return typed[len(prefix) :].lstrip(_BETWEEN)
    return normalise(text)[len(prefix) :].lstrip(_BETWEEN)


def _compiled(pattern: str) -> Any:
    """Raises ValueError with the reason."""
    import re2  # 9 MiB that a gateway without patterns does without

    options = re2.Options()
    options.case_sensitive, options.log_errors = False, False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(
            reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        ) from None


def _canonical(numbers: list[str]) -> Iterator[str]:
    for number in dict.fromkeys(numbers):
        try:
            yield canonical(number)
        except BadAddress:
            continue  # config.check has said so
