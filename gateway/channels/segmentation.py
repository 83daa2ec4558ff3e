"""A text as the segments that a bind's settings ask for."""

from __future__ import annotations

from gateway.config.model import Bind
from gateway.protocol.sms import gsm
from gateway.protocol.sms.coding import ALPHABETS, Coding
from gateway.protocol.sms.national import Language
from gateway.protocol.sms.segments import LongMethod, Segment, count, split
from gateway.protocol.sms.transliteration import transliterate

_NAMES = {"default": Coding.GSM, "ucs2": Coding.UCS2}


def segments(text: str, bind: Bind, reference: int) -> list[Segment]:
    """`reference` ties the parts together.  Raises TooManySegments."""
    method = LongMethod(bind.long_messages)
    alphabet = ALPHABETS[bind.default_alphabet]
    languages = [Language[name.upper()] for name in bind.national_languages]
    if bind.transliterate:
        plain = transliterate(text)
        # where quotes and dashes are not all that forces UCS-2, they need not go
        if gsm.fits(plain) or _number(plain, bind) < _number(text, bind):
            text = plain
    return split(
        text,
        reference=reference,
        method=method,
        alphabet=alphabet,
        languages=languages,
        message_class=bind.message_class,
        group_f=bind.message_class_group == "0xF0",
        data_codings={_NAMES[name]: octet for name, octet in bind.data_codings.items()},
    )


def _number(text: str, bind: Bind) -> int:
    return count(text, LongMethod(bind.long_messages), ALPHABETS[bind.default_alphabet])[1]
