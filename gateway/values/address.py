"""Addresses: who a message or call comes from and goes to, in one canonical text form.

+447700900123   a subscriber number, E.164 with its plus sign
12345           a shortcode: 3 to 8 digits
PIZZA           an alphanumeric sender ID: 1 to 11 characters, at least one letter
"""

from __future__ import annotations

import re
from enum import StrEnum

import phonenumbers
from phonenumbers import NumberParseException

from gateway.values.errors import BadAddress

_FORMATTING = re.compile(r"[\s().\-/\u00a0]")
_NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")
_CANONICAL = re.compile(r"\+[1-9][0-9]{6,14}|(?!00)[0-9]{3,8}", re.ASCII)
_SHORT = re.compile(r"[0-9]{3,8}")
_SENDER_ID = re.compile(r"(?=.*[A-Za-z])(?![+ ])[\w &.,'+\-!]{1,11}", re.ASCII)  # a + begins numbers

_COUNTRY_CODES = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


class Kind(StrEnum):
    NUMBER = "number"
    SHORTCODE = "shortcode"
    SENDER_ID = "sender-id"


def kind(address: str) -> Kind:
    """The kind of a canonical address."""
    if address.startswith("+"):
        return Kind.NUMBER
    return Kind.SHORTCODE if address.isdigit() else Kind.SENDER_ID


def canonical(text: str, *, international: bool = False) -> str:
    """Read "+44 7700 900123", "00447700900123", "447700900123", "12345" or "PIZZA".

    Digits alone are a shortcode up to 8 of them and an international number from 9 on, unless
    `international` (SMPP TON 1, a SIP number with a plus sign) says which.  Raises BadAddress.
    """
    if _CANONICAL.fullmatch(text) and not international:  # as nearly all are written
        return text
    digits = text if text.isdigit() else _FORMATTING.sub("", text)
    if digits.startswith("00"):
        digits, international = digits[2:], True
    if digits.startswith("+"):
        digits, international = digits[1:], True
    if digits.isascii() and digits.isdigit():
        if not international and _SHORT.fullmatch(digits):
            return digits
        if _NUMBER.fullmatch(digits):
            return "+" + digits
        raise BadAddress(f"{text!r} is neither an E.164 number (7 to 15 digits) nor a shortcode (3 to 8)")
    if _SENDER_ID.fullmatch(text):
        return text
    raise BadAddress(f"{text!r} is no phone number, shortcode or sender ID (1 to 11 letters and digits)")


def subscriber(text: str, country: str = "") -> str:
    """A number that a person can be reached at; one in national form ("07700 900123") is read as of
    `country` (ISO 3166, "GB").  Raises BadAddress for shortcodes, sender IDs and unassigned country codes."""
    if country and text.lstrip()[:1].isdigit() and not text.lstrip().startswith("00"):
        return _national(text, country)
    address = canonical(text)
    if address[0] != "+":
        raise BadAddress(f"{text!r} is not an E.164 number, for example +447700900123")
    if not (address[1:3] in _COUNTRY_CODES or address[1:4] in _COUNTRY_CODES or address[1] in _COUNTRY_CODES):
        raise BadAddress(f"{text!r}: no country has the code +{address[1:4]}")
    return address


def _national(text: str, country: str) -> str:
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException as error:
        raise BadAddress(f"{text!r} is no number of {country}: {error}") from None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise BadAddress(f"{text!r} has the wrong length for a number of {country}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(address: str) -> str:
    """For logs: the last four digits hidden, "+44770090****"; shortcodes and sender IDs are public."""
    return address[:-4] + "****" if kind(address) is Kind.NUMBER else address
