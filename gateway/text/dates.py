"""Dates and times as people write them: "next Tuesday at noon", "am 3.12. um halb acht", "demain à 14h30".

The words and the order of them are those of the lexicon, as patterns:

    "in {n} {unit}"    a word, or what stands for one: {day_word} {weekday} {month} {day} {year} {n} {unit}
                       {hour} {minute} {part} (of the day) {morning} (a part that means tomorrow too)
    "at/um {hour}"     either word
    "on? {weekday}"    with it or without
    "... = -30"        of times: so many minutes are added

What is written in figures is the same in all languages.  An hour is as it is written unless a part of the day
or "pm" says that it is after noon; a weekday is the next one, a date without a year the next one too.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from gateway.text.lexicon import Lexicon, starts
from gateway.text.tokens import Token, tokens

Order = Literal["dmy", "mdy"]  # of 3/12/2026

_FIGURES = re.compile(
    r"(?<![\d.,/-])(?:"
    r"(?P<iso>\d{4}-\d{1,2}-\d{1,2})"
    r"|(?P<dotted>\d{1,2}\.\s?\d{1,2}\.(?:\s?(?:\d{4}|\d{2}))?)"
    r"|(?P<slashed>\d{1,2}([/-])\d{1,2}(?:\4(?:\d{4}|\d{2}))?)"
    r"|(?P<clock>\d{1,2}:\d{2}(?:\s?[ap]\.?m\b\.?)?|\d{1,2}\s?[ap]\.?m\b\.?|\d{1,2}h(?:\d{2})?\b"
    r"|\d{1,2}\.\d{2}(?=\s*(?:uhr|h)\b))"
    r")(?![\d/-])",
    re.IGNORECASE,
)
_ORDINAL = {"st", "nd", "rd", "th", "er", "eme", "º", "ª", "°", ".", "o", "a"}
_GAP = 2  # words between a date and its time


class Moment(Struct, frozen=True):
    """`kind` is date, time or datetime; `at` is when, with the zone of `now`, at midnight for a date."""

    kind: str
    at: datetime
    start: int
    end: int


class _Item(Struct, frozen=True):
    """A token, or figures that are a `day` or a `clock` as they stand."""

    text: str
    start: int
    end: int
    number: int = -1  # a whole number
    day: date | None = None
    clock: time | None = None


class _Found(Struct, frozen=True):
    """What a pattern made of items[first:last]."""

    value: Any  # date, time, datetime, or an int: the hour that a part of the day means
    first: int
    last: int


Bound = dict[str, Any]


def moments(
    text: str,
    lexicons: Sequence[Lexicon],
    *,
    now: datetime,
    order: Order = "dmy",
    check: Callable[[], None] = lambda: None,
) -> list[Moment]:
    """In the order of the text.  `now` is aware; `check` is called now and then and may raise to end it."""
    items = _items(text, now, order)
    said = {item.text for item in items}
    figures = any(item.number >= 0 or item.day or item.clock for item in items)
    lexicons = [known for known in lexicons if figures or not said.isdisjoint(_words(known).telling)]
    days: list[_Found] = []
    clocks: list[_Found] = []
    at = 0
    while at < len(items):
        check()
        best = max(_candidates(items, at, lexicons, now), key=lambda found: found.last, default=None)
        if best is None:
            at += 1
            continue
        (days if isinstance(best.value, date) else clocks).append(best)
        at = best.last
    return sorted(_merged(items, days, clocks, lexicons, now), key=lambda moment: moment.start)


class _Words(Struct, frozen=True):
    telling: frozenset[str]  # without one of which, or figures, a text names no moment
    beginning: frozenset[str]  # with which a moment may begin


_words_of: dict[str, _Words] = {}


def _words(lexicon: Lexicon) -> _Words:
    if (found := _words_of.get(lexicon.name)) is None:
        known = lexicon.dates
        phrases = {word for phrase in (*known.days, *known.parts) for word in phrase}
        telling = {*known.weekdays, *known.months, *known.units, *lexicon.numbers, *phrases}
        patterns = (*known.dates, *known.past, *known.times)
        literal = {word for pattern in patterns for options, _ in _read(pattern)[0] for word in options}
        found = _Words(frozenset(telling), frozenset({*telling, *literal, *lexicon.article}))
        _words_of[lexicon.name] = found
    return found


def _candidates(items: list[_Item], at: int, lexicons: Sequence[Lexicon], now: datetime) -> Iterator[_Found]:
    item = items[at]
    written = item.day is not None or item.clock is not None
    if written:
        yield _Found(item.day or item.clock, at, at + 1)
    for lexicon in lexicons:
        if item.number < 0 and not written and item.text not in _words(lexicon).beginning:
            continue
        known = lexicon.dates
        for sign, patterns in ((1, known.dates), (-1, known.past)):
            for pattern in patterns:
                for bound, last in _match(_read(pattern)[0], items, at, lexicon):
                    if (day := _day(bound, now, sign)) is not None:
                        yield _Found(day, at, last)
        for pattern in known.times:
            words, minutes = _read(pattern)
            for bound, last in _match(words, items, at, lexicon):
                if (clock := _clock(bound, minutes)) is not None:
                    yield _Found(clock, at, last)


# -- patterns --------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _read(pattern: str) -> tuple[tuple[tuple[frozenset[str], bool], ...], int]:
    """Each place with its words and whether it may be missing; the minutes to add."""
    words, _, minutes = pattern.partition(" = ")
    places = tuple(
        (frozenset(_options(word.removesuffix("?"))), word.endswith("?")) for word in words.split()
    )
    return places, int(minutes or 0)


def _options(place: str) -> Iterator[str]:
    for option in place.split("/"):
        yield option if option.startswith("{") else "".join(token.text for token in tokens(option))


def _match(
    places: tuple[tuple[frozenset[str], bool], ...], items: list[_Item], at: int, lexicon: Lexicon
) -> Iterator[tuple[Bound, int]]:
    if not places:
        yield {}, at
        return
    (options, optional), rest = places[0], places[1:]
    if at < len(items):
        for option in options:
            for value, last in _place(option, items, at, lexicon):
                for bound, end in _match(rest, items, last, lexicon):
                    yield bound | value, end
    if optional:
        yield from _match(rest, items, at, lexicon)


def _place(option: str, items: list[_Item], at: int, lexicon: Lexicon) -> Iterator[tuple[Bound, int]]:
    item, known = items[at], lexicon.dates
    match option:
        case "{day_word}" | "{part}":
            table = known.days if option == "{day_word}" else known.parts
            if phrase := starts(table, [item.text for item in items[at : at + 4]], 0):
                yield {option: table[phrase]}, at + len(phrase)
        case "{weekday}" | "{month}":
            names = known.weekdays if option == "{weekday}" else known.months
            if item.text in names:
                last = at + 1
                if last < len(items) and items[last].text == "." and items[last].start == item.end:
                    last += 1  # an abbreviation
                yield {option: names[item.text]}, last
        case "{unit}":
            if item.text in known.units:
                yield {option: known.units[item.text]}, at + 1
        case "{morning}":
            if item.text == known.morning:
                yield {"{part}": 9}, at + 1
        case "{hour}" if item.clock is not None:
            yield {option: item.clock}, at + 1
        case "{hour}" | "{minute}" | "{n}":
            number = item.number if item.number >= 0 else lexicon.numbers.get(item.text, -1)
            if option == "{n}" and item.text in lexicon.article:
                number = 1
            if 0 <= number <= {"{hour}": 24, "{minute}": 59, "{n}": 999}[option]:
                yield {option: number}, at + 1
        case "{day}":
            if 1 <= item.number <= 31:
                last = at + 1
                if last < len(items) and items[last].start == item.end and items[last].text in _ORDINAL:
                    last += 1
                yield {option: item.number}, last
        case "{year}":
            if 2000 <= item.number <= 2199:
                yield {option: item.number}, at + 1
        case word:
            if item.text == word:
                yield {}, at + 1


# -- meaning ---------------------------------------------------------------------------------------


def _day(bound: Bound, now: datetime, sign: int) -> date | None:
    today = now.date()
    if "{unit}" in bound:
        return _later(now, sign * bound.get("{n}", 1), bound["{unit}"])
    if "{weekday}" in bound:
        ahead = (bound["{weekday}"] - today.weekday()) % 7 or 7
        return today + timedelta(ahead if sign > 0 else ahead - 7 or -7)
    if "{month}" in bound:
        return _date(bound["{day}"], bound["{month}"], bound.get("{year}"), today)
    return today + timedelta(bound["{day_word}"])


def _later(now: datetime, n: int, unit: str) -> date:
    match unit:
        case "minute":
            return now + timedelta(minutes=n)
        case "hour":
            return now + timedelta(hours=n)
        case "month":
            month = now.year * 12 + now.month - 1 + n
            year, month = divmod(month, 12)
            return date(year, month + 1, min(now.day, monthrange(year, month + 1)[1]))
    return now.date() + timedelta(days=n * (7 if unit == "week" else 1))


def _date(day: int, month: int, year: int | None, today: date) -> date | None:
    try:
        if year is not None:
            return date(year, month, day)
        found = date(today.year, month, day)
        return found if found >= today else date(today.year + 1, month, day)
    except ValueError:
        return None


def _clock(bound: Bound, minutes: int) -> time | int | None:
    if "{hour}" not in bound:
        return int(bound["{part}"])
    hour = bound["{hour}"]
    if "{part}" in bound and not isinstance(hour, time):
        return _in_part(time(hour % 24), bound["{part}"])
    if isinstance(hour, time):
        return hour if not minutes else None
    total = (hour * 60 + bound.get("{minute}", 0) + minutes) % (24 * 60)
    return time(*divmod(total, 60))


def _merged(
    items: list[_Item],
    days: list[_Found],
    clocks: list[_Found],
    lexicons: Sequence[Lexicon],
    now: datetime,
) -> Iterator[Moment]:
    joiners = frozenset({","}).union(*(lexicon.dates.joiners for lexicon in lexicons))
    clocks = _with_parts(clocks, items, joiners)
    taken = set[int]()
    for day in days:
        near = [c for c in clocks if id(c) not in taken and _near(day, c, items, joiners)]
        if isinstance(day.value, datetime) or not near:
            kind = "datetime" if isinstance(day.value, datetime) else "date"
            yield _moment(kind, day.value, time(), items, (day.first, day.last), now)
            continue
        clock = near[0]
        taken.add(id(clock))
        first, last = min(day.first, clock.first), max(day.last, clock.last)
        yield _moment("datetime", day.value, _time(clock.value), items, (first, last), now)
    for clock in clocks:
        # a part of the day by itself may be a greeting
        bare = isinstance(clock.value, int) and clock.last - clock.first == 1 and clock.value not in (0, 12)
        if id(clock) not in taken and not bare:
            at, day_of = _time(clock.value), now.date()
            if at <= now.timetz().replace(tzinfo=None):
                day_of += timedelta(1)
            yield _moment("time", day_of, at, items, (clock.first, clock.last), now)


def _with_parts(clocks: list[_Found], items: list[_Item], joiners: frozenset[str]) -> list[_Found]:
    """ "5 in the afternoon": one time, not two."""
    found: list[_Found] = []
    for clock in clocks:
        before = found[-1] if found else None
        if before is None or not _near(before, clock, items, joiners):
            found.append(clock)
            continue
        part, hour = (before, clock) if isinstance(before.value, int) else (clock, before)
        if not isinstance(part.value, int) or not isinstance(hour.value, time):
            found.append(clock)
            continue
        found[-1] = _Found(_in_part(hour.value, part.value), before.first, clock.last)
    return found


def _in_part(at: time, part: int) -> time:
    """ "5" and "afternoon": 17:00; "2" and "at night" stays."""
    after_noon = part >= 12 and at.hour < 12 and not (part >= 20 and at.hour < 5)
    return at.replace(hour=at.hour + 12) if after_noon else at


def _near(one: _Found, other: _Found, items: list[_Item], joiners: frozenset[str]) -> bool:
    first, second = (one, other) if one.first < other.first else (other, one)
    between = items[first.last : second.first]
    return len(between) <= _GAP and all(item.text in joiners for item in between)


def _time(value: time | int) -> time:
    return time(value) if isinstance(value, int) else value


def _moment(
    kind: str, day: date, at: time, items: list[_Item], span: tuple[int, int], now: datetime
) -> Moment:
    when = day if isinstance(day, datetime) else datetime.combine(day, at, now.tzinfo)
    return Moment(kind, when.replace(second=0, microsecond=0), items[span[0]].start, items[span[1] - 1].end)


# -- figures ---------------------------------------------------------------------------------------


def _items(text: str, now: datetime, order: Order) -> list[_Item]:
    figures = [item for found in _FIGURES.finditer(text) if (item := _figures(found, now, order)) is not None]
    words = [
        _item(token)
        for token in tokens(text)
        if token.text not in ("'", "´")
        and not any(f.start < token.end and token.start < f.end for f in figures)
    ]
    return sorted([*figures, *words], key=lambda item: item.start)


def _item(token: Token) -> _Item:
    whole = token.kind == "number" and token.text.isascii() and token.text.isdigit() and len(token.text) < 5
    return _Item(token.text, token.start, token.end, int(token.text) if whole else -1)


def _figures(found: re.Match[str], now: datetime, order: Order) -> _Item | None:
    numbers = [int(part) for part in re.findall(r"\d+", found[0])]
    day: date | None = None
    clock: time | None = None
    match found.lastgroup:
        case "iso":
            day = _date(numbers[2], numbers[1], numbers[0], now.date())
        case "clock":
            clock = _read_clock(numbers, found[0].lower())
        case _ if found[0] == "24/7" or (found[4] == "-" and len(numbers) == 2):
            return None
        case _:
            month_first = order == "mdy" and found.group("slashed") is not None
            a, b = (numbers[1], numbers[0]) if month_first else (numbers[0], numbers[1])
            year = numbers[2] + (2000 if numbers[2] < 100 else 0) if len(numbers) == 3 else None
            day = _date(a, b, year, now.date())
    if day is None and clock is None:
        return None
    return _Item(found[0], found.start(), found.end(), day=day, clock=clock)


def _read_clock(numbers: list[int], written: str) -> time | None:
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if "m" in written:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if "p" in written else 0)
    return time(hour % 24, minute) if hour <= 24 and minute <= 59 else None
