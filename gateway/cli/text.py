"""gateway text: how a text goes on air, and what it would cost."""

from __future__ import annotations

import unicodedata
from typing import Any

import click

from gateway.cli.output import clean, print_json
from gateway.cli.settings import json_option
from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.preview import Reading, preview
from gateway.protocol.sms.segments import MAX_PARTS


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
@json_option
def text(text: str, transliterate: bool, as_json: bool) -> None:
    """Say in which alphabet and how many segments TEXT goes on air, and what forces UCS-2.

    Long texts are counted with an 8-bit user data header: 153 septets or 67 UTF-16 units a segment, where 160
    or 70 fit alone.
    """
    given = preview(text)
    shown = preview(given.transliterated.text) if transliterate and given.transliterated else given
    if as_json:
        characters = [{"character": c, "at": at} for c, at in shown.foreign.items()]
        plain = _fields(shown.transliterated) if shown.transliterated else None
        print_json({**_fields(shown.now), "not_gsm": characters, "transliterated": plain})
        return
    units = "septets" if shown.now.coding is Coding.GSM else "UTF-16 units"
    click.echo(f"{_counted(shown.now)}, {shown.now.units} {units}")
    for character, at in shown.foreign.items():
        name = unicodedata.name(character, "without a name")
        click.echo(f"not in the GSM alphabet: {clean(character)} U+{ord(character):04X} {name}, at {at}")
    if shown.without:
        click.echo(f"without them: {_counted(shown.without)}")
    if shown.transliterated:
        click.echo(f"transliterated: {_counted(shown.transliterated)}")
    if shown is not given:
        click.echo(f"as it was given: {_counted(given.now)}")
        click.echo(f"text: {clean(shown.now.text)}")
    if shown.now.segments > MAX_PARTS:
        raise click.ClickException(f"{MAX_PARTS} segments are the most that can be sent")


def _counted(reading: Reading) -> str:
    name = "GSM 7 bit" if reading.coding is Coding.GSM else "UCS-2"
    return f"{name}, {reading.segments} segment{'' if reading.segments == 1 else 's'}"


def _fields(reading: Reading) -> dict[str, Any]:
    return {
        "text": reading.text,
        "coding": "gsm" if reading.coding is Coding.GSM else "ucs2",
        "segments": reading.segments,
        "units": reading.units,
    }
