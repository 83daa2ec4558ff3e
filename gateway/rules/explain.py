"""Why a text comes to a keyword, in plain sentences: for `gateway keyword test`."""

from __future__ import annotations

from gateway.config.model import Keyword
from gateway.rules.keywords import BY_WORD, Candidate, Keywords
from gateway.text.normalise import first_word, normalise

# how -> what is said of the ways before it, which led nowhere
_MISSED = {
    "exact": "The whole text is no keyword.",
    "first-word": 'Its first word "{first}" is no keyword.',
    "alias": "Neither the text nor its first word is an alias.",
}


def belongs(keywords: Keywords, number: str, text: str) -> list[str]:
    """Whose number it is, and how the text reads."""
    services = keywords.services(number)
    if not services:
        return [f"{number} is no asset of any service, so nothing answers there."]
    return [f"{number} belongs to {_and(services)}.", f'The text reads as "{normalise(text)}".']


def explain(keywords: Keywords, number: str, text: str) -> list[str]:
    """The way to the keyword, and each candidate that lost, with the reason."""
    said = belongs(keywords, number, text)
    if not keywords.services(number):
        return said
    if word := keywords.reserved(number, text):
        said.append(f'It is the reserved word for "{word.kind}", which comes before every keyword.')
    first, rest = first_word(text)
    candidates = list(keywords.candidates(number, text))
    won = candidates[0] if candidates else None
    tried = BY_WORD.index(won.how) if won and won.how in BY_WORD else len(BY_WORD)
    said += [line.format(first=first) for how, line in _MISSED.items() if BY_WORD.index(how) < tried]
    guesses = keywords.guesses(number, text)
    if len({(guess.claim.service, guess.claim.name) for guess in guesses}) > 1 and tried == len(BY_WORD):
        near = _and(tuple(f'"{guess.word}"' for guess in guesses))
        said.append(f"It is one slip away from {near}: which was meant is not guessed.")
    if won is None:
        return [*said, "No default is set either: no service answers."]
    if won.how == "service-default":
        said.append(f"{number} has no default of its own.")
    said.append(f"{_how(won, rest)}: service {won.claim.service} {deed(won.claim.keyword)}.")
    others = [other for other in candidates[1:] if other.claim is not won.claim and other.how in BY_WORD]
    return said + [_lost(other, won) for other in others]


def deed(keyword: Keyword) -> str:
    """replies "...", as far as a service does something for a keyword."""
    if keyword.reply:
        return f'replies "{keyword.reply}"'
    if keyword.flow:
        return f"starts the flow {keyword.flow}"
    if keyword.chain:
        return f"starts the chain {keyword.chain}"
    return "notifies its application"


def _how(won: Candidate, rest: str) -> str:
    name = won.claim.name
    return {
        "exact": f"The whole text is the keyword {name}",
        "first-word": f'Its first word is the keyword {name} (followed by "{rest}")',
        "alias": f'"{won.word}" is an alias of the keyword {name}',
        "prefix": f'It begins with "{won.word}", a prefix of the keyword {name} (followed by "{won.rest}")',
        "pattern": f'The pattern "{won.claim.keyword.pattern}" of the keyword {name} fits it',
        "fuzzy": f'It is one slip away from "{won.word}", the keyword {name}',
        "number-default": "The number's default takes it, unless a rule on sms.received does",
        "service-default": "The service's default takes it, unless a rule on sms.received does",
    }[won.how]


def _lost(other: Candidate, won: Candidate) -> str:
    if other.how == won.how:
        reason = "a longer prefix comes first" if won.how == "prefix" else "the first by name has it"
    else:
        reason = f"{_WAYS[won.how]} comes before {_WAYS[other.how]}"
    name, service = other.claim.name, other.claim.service
    return f"The keyword {name} of {service} ({_WAYS[other.how]}) lost: {reason}."


_WAYS = {
    "exact": "the whole text",
    "first-word": "the first word",
    "alias": "an alias",
    "prefix": "a prefix",
    "pattern": "a pattern",
    "fuzzy": "a guess",
}


def _and(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
