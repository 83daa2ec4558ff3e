"""gateway nlp: what the services read out of texts ([nlp] of a service file)."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from msgspec import Struct

from gateway.cli.output import clean, listing, print_json
from gateway.cli.settings import config_option, json_option, look, service_of, settings
from gateway.config.model import Gateway, Nlp, NlpTest, Service
from gateway.store.base import MessageQuery, Store
from gateway.text.pipeline import Analysis, Reader
from gateway.values.message import Message, Offence

_PAGE = 500
_LOW = 20  # texts without an intent, or with little confidence, that are shown
_CHECKED = ("intent", "language", "sentiment", "answer", "profane")


@click.group(
    epilog="""\b
Examples:
  gateway nlp try parcels "wo ist mein Paket?"
  gateway nlp test
  gateway nlp report parcels
"""
)
def nlp() -> None:
    """What services read out of texts: language, intent, dates, mood, offending words."""


@nlp.command(
    "try",
    epilog="""\b
Example:
  $ gateway nlp try parcels "where is my parcell, it is late!"
  intent     track (0.87) by parcell, where, my; nearest to "where is my parcel"
  sentiment  neutral (-0.29) by late
""",
)
@click.argument("service")
@click.argument("text")
@json_option
@config_option
def try_(service: str, text: str, as_json: bool, config: str) -> None:
    """Show what SERVICE reads out of TEXT, and by which words."""
    reader = _reader(settings(config), service)
    began = time.perf_counter()
    analysis = reader.read(text, time.time())
    took = time.perf_counter() - began
    if as_json:
        print_json(analysis.variables)
        return
    for name, told in _told(analysis):
        click.echo(f"{name:<10} {clean(told)}")
    click.echo(f"{'took':<10} {took * 1000:.1f} ms")


@nlp.command(
    epilog="""\b
Example:
  $ gateway nlp test
  parcels: 12 texts, all read as they should be.
"""
)
@click.argument("service", required=False)
@json_option
@config_option
def test(service: str | None, as_json: bool, config: str) -> None:
    """Run the [[nlp.tests]] of SERVICE, or of all.  Exits with 1 if one fails."""
    gateway = settings(config)
    names = [service] if service else [name for name, s in gateway.services.items() if s.nlp is not None]
    failures = 0
    told = []
    for name in names:
        # each stage in as much time as it takes: a busy machine does not read otherwise
        reader, tests = _reader(gateway, name, lambda: 0.0), _nlp(gateway, name).tests
        wrong = [(t, w) for t in tests if (w := list(_wrong(t, reader)))]
        failures += len(wrong)
        told.append(
            {
                "service": name,
                "texts": len(tests),
                "failed": [{"text": test.text, "wrong": why} for test, why in wrong],
            }
        )
        if as_json:
            continue
        for test, why in wrong:
            click.echo(clean(f'{name}: "{test.text}": {"; ".join(why)}'))
        if not tests:
            click.echo(
                f"{name}: no tests; write some as [[nlp.tests]] with text and what it is to be read as."
            )
        elif not wrong:
            click.echo(f"{name}: {len(tests)} texts, all read as they should be.")
        else:
            click.echo(f"{name}: {len(wrong)} of {len(tests)} texts are read wrongly.")
    if as_json:
        print_json(told)
    elif not names:
        click.echo("No service has [nlp].")
    if failures:
        click.get_current_context().exit(1)


@nlp.command(
    epilog="""\b
Examples:
  gateway nlp report parcels --limit 5000
  gateway nlp report parcels --labels labels.csv      # lines: text,intent
"""
)
@click.argument("service")
@click.option("--limit", default=1000, show_default=True, metavar="N", help="So many of the latest texts.")
@click.option(
    "--labels",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Texts with the intent that is right, as CSV without header; the tests count too.",
)
@json_option
@config_option
def report(service: str, limit: int, labels: Any, as_json: bool, config: str) -> None:
    """Read the recorded texts to SERVICE again, by its settings of today: what they came to, which were not
    understood, and where intents are taken for each other."""
    gateway = settings(config)
    reader, given = _reader(gateway, service), _nlp(gateway, service)
    found = look(config, lambda store: _recorded(store, service, limit))
    readings = [(message.text, reader.read(message.text, message.created_at)) for message in found]
    right = {test.text: test.intent for test in given.tests if test.intent is not None} | _labels(labels)
    offenders = look(config, lambda store: store.offences(service))
    made = _Report(readings, right, reader, offenders[:_LOW])
    if as_json:
        print_json(made.as_json())
    else:
        made.show()
    if right and made.confused:
        click.get_current_context().exit(1)


class _Report:
    def __init__(
        self,
        readings: list[tuple[str, Analysis]],
        right: Mapping[str, str],
        reader: Reader,
        offenders: Sequence[Offence],
    ) -> None:
        self.offenders = offenders
        self.texts = len(readings)
        self.intents = Counter(a.variables["intent"] or "(none)" for _, a in readings)
        self.languages = Counter(a.variables["language"] or "(none)" for _, a in readings)
        self.moods = Counter(a.variables["sentiment"] or "(none)" for _, a in readings)
        self.profane = sum(bool(a.profane) for _, a in readings)
        ranked = sorted(readings, key=lambda reading: reading[1].variables["confidence"])
        self.low = [_Low(text, a.variables["confidence"], _nearest(a)) for text, a in ranked[:_LOW]]
        self.checked = len(right)
        now = time.time()
        taken = [(meant, reader.read(text, now).variables["intent"]) for text, meant in right.items()]
        self.matrix = Counter((meant or "(none)", intent or "(none)") for meant, intent in taken)
        self.confused = sum(n for (meant, intent), n in self.matrix.items() if meant != intent)

    def as_json(self) -> dict[str, object]:
        return {
            "texts": self.texts,
            "intents": dict(self.intents.most_common()),
            "languages": dict(self.languages.most_common()),
            "sentiment": dict(self.moods.most_common()),
            "profane": self.profane,
            "offenders": [{"address": o.address, "offences": o.count} for o in self.offenders],
            "low": [
                {"text": low.text, "confidence": low.confidence, "nearest": low.nearest} for low in self.low
            ],
            "labelled": self.checked,
            "confused": self.confused,
            "confusion": [
                {"right": meant, "taken": intent, "texts": n}
                for (meant, intent), n in sorted(self.matrix.items())
            ],
        }

    def show(self) -> None:
        click.echo(f"{self.texts} recorded texts, {self.profane} with offending words.")
        for what, counts in (
            ("intent", self.intents),
            ("language", self.languages),
            ("sentiment", self.moods),
        ):
            listing((what, "texts"), [(name, str(number)) for name, number in counts.most_common()])
        if self.offenders:
            click.echo("Who has offended:")
            listing(("customer", "times"), [(o.address, str(o.count)) for o in self.offenders])
        if self.low:
            click.echo("Least sure of:")
            rows = [(f"{low.confidence:.2f}", low.nearest, low.text) for low in self.low]
            listing(("confidence", "nearest", "text"), rows)
        if self.checked:
            right = self.checked - self.confused
            click.echo(f"Of {self.checked} texts whose intent is given {right} are read rightly.")
            rows = [(meant, intent, str(n)) for (meant, intent), n in sorted(self.matrix.items())]
            listing(("right", "taken for", "texts"), rows)


class _Low(Struct, frozen=True):
    text: str
    confidence: float
    nearest: str


def _nearest(analysis: Analysis) -> str:
    return analysis.intent.nearest[0][0] if analysis.intent is not None and analysis.intent.nearest else ""


async def _recorded(store: Store, service: str, limit: int) -> list[Message]:
    """The latest texts to it, newest first."""
    found: list[Message] = []
    before = ""
    while len(found) < limit:
        size = min(_PAGE, limit - len(found))
        query = MessageQuery(service=service, direction="mo", before=before, limit=size)
        page = await store.messages(query)
        found += page
        if len(page) < size:
            break
        before = page[-1].id
    return found


def _labels(file: Any) -> dict[str, str]:
    if file is None:
        return {}
    labels = {}
    for line, row in enumerate(csv.reader(file), 1):
        if len(row) != 2:
            raise click.ClickException(
                f'{file.name}:{line}: must be "text,intent", but has {len(row)} columns'
            )
        labels[row[0]] = row[1].strip()
    return labels


def _wrong(test: NlpTest, reader: Reader) -> Iterator[str]:
    """What is not as the test wants it."""
    at = datetime.fromisoformat(test.now) if test.now else datetime.now(reader.zone)
    moment = at if at.tzinfo is not None else at.replace(tzinfo=reader.zone)
    read = reader.read(test.text, moment.timestamp()).variables
    wanted = {name: value for name in _CHECKED if (value := getattr(test, name)) is not None}
    for name, value in (wanted | test.entities).items():
        if read[name] != value:
            yield f"{name} is {_spoken(read[name])}, not {_spoken(value)}"


def _spoken(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _told(analysis: Analysis) -> Iterator[tuple[str, str]]:
    read = analysis.variables
    if analysis.language is not None:
        words = f" by {', '.join(analysis.language.words)}" if analysis.language.words else ""
        yield "language", f"{read['language'] or 'not known'} ({read['language_confidence']:.2f}){words}"
    if analysis.profane:
        yield "profanity", f"{', '.join(read['offending'])}; masked: {read['masked']}"
    for entity in analysis.entities:
        yield entity.kind, f'{entity.value} ("{entity.text}")'
    if read["answer"]:
        yield "answer", read["answer"]
    if (intent := analysis.intent) is not None:
        words = f" by {', '.join(word for word, _ in intent.words)}" if intent.words else ""
        near = f'; nearest to "{intent.example}"' if intent.example else ""
        yield "intent", f"{intent.name or 'none'} ({intent.confidence:.2f}){words}{near}"
    if (mood := analysis.sentiment) is not None:
        words = f" by {', '.join(f'{word} {weight:+g}' for word, weight in mood.words)}" if mood.words else ""
        yield "sentiment", f"{mood.label} ({mood.score:.2f}){words}"
    for stage, reason in analysis.failed.items():
        yield "left out", f"{stage}: {reason}"


def _nlp(gateway: Gateway, name: str) -> Nlp:
    service: Service = service_of(gateway, name)
    if service.nlp is None:
        raise click.ClickException(f"service {name} reads nothing out of texts: its file has no [nlp]")
    return service.nlp


def _reader(gateway: Gateway, name: str, clock: Callable[[], float] = time.perf_counter) -> Reader:
    _nlp(gateway, name)
    return Reader(service_of(gateway, name), clock)
