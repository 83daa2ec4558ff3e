"""How a text will go on air, before it is sent: what it takes, why, and what plain characters would save."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.protocol.sms import gsm
from gateway.protocol.sms.coding import Coding
from gateway.protocol.sms.national import Language
from gateway.protocol.sms.segments import LongMethod, measure
from gateway.protocol.sms.transliteration import transliterate


@dataclass(frozen=True, slots=True)
class Reading:
    """`units` are septets (GSM) or UTF-16 units, without headers; `segments` may exceed what can be sent."""

    text: str
    coding: Coding
    segments: int
    units: int


@dataclass(frozen=True, slots=True)
class Preview:
    """`foreign`: the characters that GSM lacks, each with the place (from 1) where it stands first;
    `without`: the text without them; `transliterated`: with plainer ones in their place.  Both None where the
    text fits GSM, or nothing in it can be transliterated."""

    now: Reading
    foreign: Mapping[str, int]
    without: Reading | None
    transliterated: Reading | None


def preview(
    text: str, *, method: LongMethod = LongMethod.UDH8, languages: Sequence[Language] = ()
) -> Preview:
    now = reading(text, method, languages)
    foreign = gsm.unfitting(text)
    if not foreign:
        return Preview(now, foreign, None, None)
    without = reading("".join(char for char in text if char not in foreign), method, languages)
    plain = transliterate(text)
    return Preview(now, foreign, without, None if plain == text else reading(plain, method, languages))


def reading(text: str, method: LongMethod, languages: Sequence[Language] = ()) -> Reading:
    return Reading(text, *measure(text, method, languages=languages))
