"""gateway text: how a text goes on air, and what it would cost."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from gateway.channels.segmentation import terms_of
from gateway.cli.output import clean, print_json
from gateway.cli.settings import config_option, json_option, settings
from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.national import Language
from gateway.protocol.sms.preview import PLAIN, Preview, Reading, Terms, preview
from gateway.protocol.sms.segments import MAX_PARTS

_ALPHABETS: Mapping[Coding, str] = {
    Coding.GSM: "GSM 7 bit",
    Coding.UCS2: "UCS-2",
    Coding.LATIN1: "Latin-1",
    Coding.ASCII: "ASCII",
    Coding.UTF8: "UTF-8",
}
_UNITS: Mapping[Coding, str] = {Coding.GSM: "septet", Coding.UCS2: "UTF-16 unit"}
# ISO 639-1
_LANGUAGES: Mapping[str, Language] = {
    "tr": Language.TURKISH,
    "es": Language.SPANISH,
    "pt": Language.PORTUGUESE,
    "bn": Language.BENGALI,
    "gu": Language.GUJARATI,
    "hi": Language.HINDI,
    "kn": Language.KANNADA,
    "ml": Language.MALAYALAM,
    "or": Language.ORIYA,
    "pa": Language.PUNJABI,
    "ta": Language.TAMIL,
    "te": Language.TELUGU,
    "ur": Language.URDU,
}


@click.command(
    epilog="""\b
Example:
  $ gateway text "Where’s the pizza?"
  UCS-2, 1 segment, 18 UTF-16 units
  not in the GSM alphabet: ’ U+2019 RIGHT SINGLE QUOTATION MARK, at 6
  without them: GSM 7 bit, 1 segment
  transliterated: GSM 7 bit, 1 segment
"""
)
@click.argument("text")
@click.option(
    "--transliterate",
    is_flag=True,
    help="Put plain characters in place of typographic quotes, dashes, blanks and ligatures first.",
)
@click.option("--bind", default="", metavar="NAME", help="Go by the settings of this bind.")
@click.option(
    "--languages",
    default="",
    metavar="CODES",
    help='Allow these national language tables: "tr,es", or by their names.',
)
@config_option
@json_option
def text(text: str, transliterate: bool, bind: str, languages: str, config: str, as_json: bool) -> None:
    """Say in which alphabet and how many segments TEXT goes on air, and what forces UCS-2.

    Without --bind long texts are counted with an 8-bit user data header: 153 septets or 67 UTF-16 units a
    segment, where 160 or 70 fit alone.
    """
    terms = _terms(bind, languages, config)
    shown = _preview(text, transliterate, terms)
    if as_json:
        print_json(_json(shown))
        return
    _print(shown, terms)
    if shown.now.segments > MAX_PARTS:
        raise click.ClickException(f"{MAX_PARTS} segments are the most that can be sent")


def _terms(bind: str, languages: str, config: str) -> Terms:
    terms = PLAIN
    if bind:
        binds = settings(config).smpp.binds
        if bind not in binds:
            known = ", ".join(binds) or "none"
            raise click.ClickException(f"no bind is named {bind!r} (there are: {known})")
        terms = terms_of(binds[bind])
    if languages:
        terms = replace(terms, languages=tuple(_language(name.strip()) for name in languages.split(",")))
    return terms


def _language(name: str) -> Language:
    by_name = {language.name.lower(): language for language in _LANGUAGES.values()}
    found = _LANGUAGES.get(name.lower()) or by_name.get(name.lower())
    if found is None:
        known = ", ".join(f"{code} ({language.name.lower()})" for code, language in _LANGUAGES.items())
        raise click.ClickException(f"{name!r} has no national tables; there are {known}")
    return found


def _preview(text: str, transliterate: bool, terms: Terms) -> Preview:
    shown = preview(text, terms)
    if not transliterate or shown.transliterated is None:
        return shown
    plain = preview(shown.transliterated.text, terms)
    return replace(plain, given=shown.given or shown.now)


def _print(shown: Preview, terms: Terms) -> None:
    now = shown.now
    click.echo(f"{counted(now)}, {_sized(now.units, now.coding)}")
    if now.segments > 1:
        for number, (part, size) in enumerate(zip(now.parts, now.sizes, strict=True), 1):
            click.echo(f"  {number}: {_sized(size, now.coding)}: {clean(part)}")
    alphabet = _ALPHABETS.get(terms.alphabet, _ALPHABETS[Coding.GSM]).removesuffix(" 7 bit")
    for character, at in shown.foreign.items():
        name = unicodedata.name(character, "without a name")
        click.echo(
            f"not in the {alphabet} alphabet: {clean(character)} U+{ord(character):04X} {name}, at {at}"
        )
    if shown.without:
        click.echo(f"without them: {counted(shown.without)}")
    if shown.transliterated:
        click.echo(f"transliterated: {counted(shown.transliterated)}")
    if shown.given:
        click.echo(f"as it was given: {counted(shown.given)}")
        click.echo(f"text: {clean(now.text)}")


def counted(reading: Reading) -> str:
    """GSM 7 bit, 1 segment"""
    tables = f" with tables of {' and '.join(reading.tables)}" if reading.tables else ""
    plural = "" if reading.segments == 1 else "s"
    return f"{_ALPHABETS[reading.coding]}{tables}, {reading.segments} segment{plural}"


def _sized(number: int, coding: Coding) -> str:
    return f"{number} {_UNITS.get(coding, 'octet')}{'' if number == 1 else 's'}"


def _json(shown: Preview) -> dict[str, Any]:
    return {
        **_fields(shown.now),
        "not_gsm": [{"character": c, "at": at} for c, at in shown.foreign.items()],
        "transliterated": _fields(shown.transliterated) if shown.transliterated else None,
        "given": _fields(shown.given) if shown.given else None,
    }


def _fields(reading: Reading) -> dict[str, Any]:
    return {
        "text": reading.text,
        "coding": reading.coding.name.lower(),
        "segments": reading.segments,
        "units": reading.units,
        "parts": list(reading.parts),
        "tables": list(reading.tables),
    }
