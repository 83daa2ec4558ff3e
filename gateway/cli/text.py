"""gateway text: how a text goes on air, and what it would cost."""

from __future__ import annotations

import unicodedata

import click

from gateway.cli.output import clean, print_json
from gateway.cli.settings import json_option
from gateway.protocol.sms import gsm
from gateway.protocol.sms.coding import Coding, ucs2
from gateway.protocol.sms.segments import MAX_PARTS, count


@click.command(
    epilog="""\b
Example:
  $ gateway text "Where’s the pizza?"
  UCS-2, 1 segment, 18 UTF-16 units
  not in the GSM alphabet: ’ U+2019 RIGHT SINGLE QUOTATION MARK, at 6
  without them: GSM 7 bit, 1 segment
"""
)
@click.argument("text")
@json_option
def text(text: str, as_json: bool) -> None:
    """Say in which alphabet and how many segments TEXT goes on air, and what forces UCS-2.

    Long texts are counted with an 8-bit user data header: 153 septets or 67 UTF-16 units a segment, where 160
    or 70 fit alone.
    """
    coding, segments = count(text)
    gsm_coded = coding is Coding.GSM
    units = gsm.septets(text) if gsm_coded else len(ucs2(text)) // 2
    foreign = _foreign(text)
    if as_json:
        characters = [{"character": c, "at": at} for c, at in foreign.items()]
        name = "gsm" if gsm_coded else "ucs2"
        print_json({"coding": name, "segments": segments, "units": units, "not_gsm": characters})
        return
    click.echo(f"{_counted(coding, segments)}, {units} {'septets' if gsm_coded else 'UTF-16 units'}")
    for character, at in foreign.items():
        name = unicodedata.name(character, "without a name")
        click.echo(f"not in the GSM alphabet: {clean(character)} U+{ord(character):04X} {name}, at {at}")
    if foreign:
        click.echo(f"without them: {_counted(*count(''.join(c for c in text if c not in foreign)))}")
    if segments > MAX_PARTS:
        raise click.ClickException(f"{MAX_PARTS} segments are the most that can be sent")


def _counted(coding: Coding, segments: int) -> str:
    name = "GSM 7 bit" if coding is Coding.GSM else "UCS-2"
    return f"{name}, {segments} segment{'' if segments == 1 else 's'}"


def _foreign(text: str) -> dict[str, int]:
    """Characters that the GSM alphabet lacks, each with the place (from 1) where it stands first."""
    found: dict[str, int] = {}
    for at, character in enumerate(text, 1):
        if not gsm.fits(character):
            found.setdefault(character, at)
    return found
