"""How one carrier writes phone numbers, and our canonical form of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException

from gateway.values.address import Kind, canonical, kind
from gateway.values.errors import BadAddress

Format = Literal["+E.164", "E.164", "00", "national"]


@dataclass(frozen=True, slots=True)
class Numbering:
    """`format`: "+442079460000", "442079460000", "00442079460000", or as it is dialled in `country`
    (ISO 3166): "02079460000", abroad with that country's international prefix.  `prefix` goes before the
    numbers that are called, and comes before none that calls us.
    """

    format: Format = "+E.164"
    country: str = ""
    prefix: str = ""

    def called(self, address: str) -> str:
        """A canonical address as the carrier wants it dialled."""
        return self.prefix + self.written(address)

    def written(self, address: str) -> str:
        """A canonical address as the carrier writes it; what is no E.164 number stays as it is."""
        if kind(address) is not Kind.NUMBER:
            return address
        match self.format:
            case "+E.164":
                return address
            case "E.164":
                return address[1:]
            case "00":
                return f"00{address[1:]}"
            case "national":
                number = phonenumbers.parse(address)
                if number.country_code == phonenumbers.country_code_for_region(self.country):
                    national = phonenumbers.PhoneNumberFormat.NATIONAL
                    dialled = phonenumbers.format_number(number, national)
                else:
                    dialled = phonenumbers.format_out_of_country_calling_number(number, self.country)
                return "".join(letter for letter in dialled if letter.isdigit())

    def read(self, text: str) -> str:
        """The canonical address of a number that the carrier wrote; empty for what is none."""
        try:
            if self.format == "national" and text[:1].isdigit():
                return self._national(text)
            if self.format == "E.164" and text[:1].isdigit() and len(text) > 8:
                return canonical(text, international=True)
            address = canonical(text)
        except BadAddress:
            return ""
        return "" if kind(address) is Kind.SENDER_ID else address

    def _national(self, text: str) -> str:
        try:
            number = phonenumbers.parse(text, self.country)
        except NumberParseException:
            return ""
        if not phonenumbers.is_possible_number(number):  # an extension, an emergency number
            return canonical(text)
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
