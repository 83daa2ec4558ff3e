"""What a text names: moments, numbers, amounts of money, phone numbers, e-mail addresses, a yes or a no.

Nothing is two of them at once: an address is looked for first, then a phone number, a moment, an amount, a
number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

import phonenumbers
from msgspec import Struct

from gateway.text.dates import Moment, Order, moments
from gateway.text.lexicon import Lexicon, Phrase, starts
from gateway.text.tokens import Token, tokens

KINDS = ("date", "time", "datetime", "number", "money", "phone", "email")

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w](?:[\w-]{0,61}[\w])?\.)+[^\W\d_]{2,24}(?![\w-])"
)
_INTERNATIONAL = re.compile(r"(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){6,14}(?!\d)")
_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₺": "TRY", "₹": "INR", "₽": "RUB"}
_CODES = {
    "eur",
    "usd",
    "gbp",
    "chf",
    "try",
    "jpy",
    "inr",
    "brl",
    "mxn",
    "cad",
    "aud",
    "sek",
    "nok",
    "dkk",
    "pln",
}
_YES_SIGNS, _NO_SIGNS = {"👍", "✅", "✔", "👌"}, {"👎", "❌", "🚫"}
_ANSWER_WORDS = 8  # a text of more is no mere yes or no


class Entity(Struct, frozen=True):
    """`value`: date "2026-12-01", time "17:00", datetime RFC 3339 with offset, number int or float, money
    {"amount", "currency"}, phone E.164, email as written.  It stands at text[start:end]."""

    kind: str
    value: Any
    text: str
    start: int
    end: int


class Named(Struct, frozen=True):
    entities: tuple[Entity, ...]
    moment: datetime | None  # the first date, time or both, as one moment
    answer: str  # yes | no | "" for what is neither, or both


def find(
    text: str,
    lexicons: Sequence[Lexicon],
    *,
    now: datetime,
    country: str = "",
    order: Order = "dmy",
    check: Callable[[], None] = lambda: None,
) -> Named:
    """`lexicons`: of the languages that it may be in, the likeliest first.  `country` (ISO 3166) is whose
    phone numbers may be in national form.  `check` is called now and then and may raise to end it."""
    found = [Entity("email", m[0], m[0], m.start(), m.end()) for m in _EMAIL.finditer(text)]
    check()
    found += _free(_phones(text, country), found)
    check()
    named = moments(text, lexicons, now=now, order=order, check=check)
    dates = [m for m in named if not _taken(m.start, m.end, found)]
    found += [_of_moment(moment, text) for moment in dates]
    found += _free(_amounts(text, lexicons), found)
    check()
    return Named(
        tuple(sorted(found, key=lambda entity: entity.start)),
        dates[0].at if dates else None,
        answer(text, lexicons),
    )


def answer(text: str, lexicons: Sequence[Lexicon]) -> str:
    """yes, no, or "" for what is neither, or both: "yes please", "nein danke", "👍"."""
    read = tokens(text)
    words = [token.text for token in read if token.kind == "word"]
    if len(words) > _ANSWER_WORDS:
        return ""
    said = {"yes" for token in read if token.text in _YES_SIGNS}
    said |= {"no" for token in read if token.text in _NO_SIGNS}
    for lexicon in lexicons:
        said |= _answers(words, lexicon)
        if said:  # the same word may say something else in another language
            break
    return said.pop() if len(said) == 1 else ""


def _answers(words: list[str], lexicon: Lexicon) -> set[str]:
    said, denied = set[str](), False
    at = 0
    while at < len(words):
        yes, no = starts(lexicon.yes, words, at), starts(lexicon.no, words, at)
        longer: Phrase = yes if len(yes) > len(no) else no
        if longer:
            said.add("yes" if longer is yes else "no")
        else:
            denied |= words[at] in lexicon.negators
        at += len(longer) or 1
    return {"no"} if said == {"yes"} and denied else said  # "not sure", "do not confirm"


def _phones(text: str, country: str) -> Iterator[Entity]:
    # with its country code it may also be of a range that no numbering plan has opened yet
    for written in _INTERNATIONAL.finditer(text):
        try:
            read = phonenumbers.parse(written[0])
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(read):
            e164 = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
            yield Entity("phone", e164, written[0], written.start(), written.end())
    for match in _matches(text, country):
        e164 = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        yield Entity("phone", e164, match.raw_string, match.start, match.end)


def _matches(text: str, country: str) -> Iterator[Any]:
    matcher = cast(Any, phonenumbers.PhoneNumberMatcher)  # which has no types
    yield from cast(Iterator[Any], matcher(text, country or "ZZ", max_tries=20))


def _of_moment(moment: Moment, text: str) -> Entity:
    value = moment.at.isoformat()
    if moment.kind != "datetime":
        value = moment.at.date().isoformat() if moment.kind == "date" else moment.at.strftime("%H:%M")
    return Entity(moment.kind, value, text[moment.start : moment.end], moment.start, moment.end)


def _amounts(text: str, lexicons: Sequence[Lexicon]) -> Iterator[Entity]:
    read = tokens(text)
    point = lexicons[0].point if lexicons else "."
    at = 0
    while at < len(read):
        value, last = _number(read, at, lexicons, point)
        if value is None:
            at += 1
            continue
        first = at
        if code := _currency(read, last, lexicons):
            last += 1
        elif at and (code := _SYMBOLS.get(read[at - 1].text, "")):
            first = at - 1
        elif at and read[at - 1].text in _CODES:
            first, code = at - 1, read[at - 1].text.upper()
        start, end = read[first].start, read[last - 1].end
        kind, meant = ("money", {"amount": value, "currency": code}) if code else ("number", value)
        yield Entity(kind, meant, text[start:end], start, end)
        at = last


def _currency(read: list[Token], at: int, lexicons: Sequence[Lexicon]) -> str:
    if at >= len(read):
        return ""
    word = read[at].text
    known = next((lexicon.money[word] for lexicon in lexicons if word in lexicon.money), "")
    return known or _SYMBOLS.get(word, "") or (word.upper() if word in _CODES else "")


def _number(
    read: list[Token], at: int, lexicons: Sequence[Lexicon], point: str
) -> tuple[int | float | None, int]:
    token = read[at]
    if token.kind == "number":
        return figure(token.text, point), at + 1
    for lexicon in lexicons:
        value, last = _spelled(read, at, lexicon)
        if value is not None:
            return value, last
    return None, at + 1


def figure(text: str, point: str) -> int | float:
    """ "1.234,50" -> 1234.5, "1,234" -> 1234 where the decimal point is ".", 1.234 where it is ","."""
    text = re.sub(r"[' \u00a0\u202f]", "", text)
    marks = [c for c in text if c in ".,"]
    if not marks:
        return int(text)
    grouped = re.fullmatch(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", text)
    if grouped and (len(marks) > 1 or grouped[1] != point):
        return int(text.replace(grouped[1], ""))
    whole, _, decimals = text.replace(",", ".").rpartition(".")
    return float(f"{whole.replace('.', '')}.{decimals}")


def _spelled(read: list[Token], at: int, lexicon: Lexicon) -> tuple[int | None, int]:
    """ "two hundred and twenty-five": what is smaller is added, hundred and thousand multiply."""
    total = current = 0
    last, seen = at, False
    while last < len(read) and read[last].kind == "word":
        values = _parts(read[last].text, lexicon)
        if not values and read[last].text == lexicon.conjunction and seen:
            following = read[last + 1].text if last + 1 < len(read) else ""
            if not _parts(following, lexicon):
                break
            last += 1
            continue
        if not values:
            break
        for value in values:
            if value >= 1000:
                total, current = total + max(current, 1) * value, 0
            elif value == 100:
                current = max(current, 1) * 100
            else:
                current = current * value if value == 20 and current == 4 else current + value
        seen, last = True, last + 1
    return (total + current if seen else None), last


def _parts(word: str, lexicon: Lexicon) -> list[int]:
    """ "vingt-et-un" -> 20, 1; [] for what is not all numbers."""
    parts = [part for part in word.split("-") if part != lexicon.conjunction]
    values = [lexicon.numbers[part] for part in parts if part in lexicon.numbers]
    return values if len(values) == len(parts) else []


def _free(candidates: Iterator[Entity], found: list[Entity]) -> list[Entity]:
    free: list[Entity] = []
    for entity in candidates:
        if not _taken(entity.start, entity.end, [*found, *free]):
            free.append(entity)
    return free


def _taken(start: int, end: int, found: list[Entity]) -> bool:
    return any(entity.start < end and start < entity.end for entity in found)
