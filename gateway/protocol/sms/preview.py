"""How a text will go on air, before it is sent: what it takes, why, and what plain characters would save."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from gateway.protocol.sms import gsm
from gateway.protocol.sms.coding import CODECS, Coding
from gateway.protocol.sms.national import Language, Shift
from gateway.protocol.sms.segments import LongMethod, count, lay_out
from gateway.protocol.sms.transliteration import transliterate


@dataclass(frozen=True)
class Terms:
    """What a carrier wants of a text."""

    method: LongMethod = LongMethod.UDH8
    alphabet: Coding = Coding.GSM
    languages: tuple[Language, ...] = ()
    transliterate: bool = False

    def written(self, text: str) -> str:
        """The text as it goes out: with plain characters where that is wanted and saves something.

        Where quotes and dashes are not all that forces UCS-2, they need not go.
        """
        if not self.transliterate:
            return text
        plain = transliterate(text)
        return plain if gsm.fits(plain) or self.count(plain) < self.count(text) else text

    def count(self, text: str) -> int:
        """How many segments a text takes as it is written; may be more than can be sent."""
        return count(text, self.method, self.alphabet, self.languages)[1]

    def read(self, text: str) -> "Reading":
        coding, parts, units, shift = lay_out(text, self.method, self.alphabet, self.languages)
        return Reading(text, coding, tuple(parts), tuple(units), shift)

    def lacking(self, text: str) -> dict[str, int]:
        """The characters that the default alphabet lacks, each with its first place, from 1."""
        codec = CODECS.get(self.alphabet)
        if codec is None:
            return gsm.unfitting(text)
        lacking: dict[str, int] = {}
        for at, char in enumerate(text, 1):
            try:
                char.encode(codec)
            except UnicodeEncodeError:
                lacking.setdefault(char, at)
        return lacking


@dataclass(frozen=True)
class Reading:
    """A text, cut into `parts`, which may be more than can be sent; `sizes` are those of the parts in septets
    (GSM), UTF-16 units (UCS2) or octets, without headers; `shift` the national language tables in use."""

    text: str
    coding: Coding
    parts: tuple[str, ...]
    sizes: tuple[int, ...]
    shift: Shift = Shift()  # noqa: RUF009 (immutable)

    @property
    def segments(self) -> int:
        return len(self.parts)

    @property
    def units(self) -> int:
        return sum(self.sizes)

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, such as "turkish"."""
        return tuple(
            dict.fromkeys(
                Language(table).name.lower() for table in (self.shift.locking, self.shift.single) if table
            )
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """`now` is how the text goes out, `given` how it would as it was given (None: that is the same);
    `foreign`: the characters in it that the default alphabet lacks, each with the place (from 1) where it
    stands first; `without`: the text without them; `transliterated`: with plainer ones in their place.  Both
    None where nothing is lacking, or nothing can be transliterated."""

    now: Reading
    given: Reading | None
    foreign: Mapping[str, int]
    without: Reading | None
    transliterated: Reading | None


PLAIN = Terms()


def preview(text: str, terms: Terms = PLAIN) -> Preview:
    written = terms.written(text)
    now = terms.read(written)
    given = None if written == text else terms.read(text)
    foreign = terms.lacking(written)
    if not foreign:
        return Preview(now, given, foreign, None, None)
    without = terms.read("".join(char for char in written if char not in foreign))
    plain = transliterate(written)
    return Preview(now, given, foreign, without, None if plain == written else terms.read(plain))
