"""A text, or octets, as the segments that a bind's settings ask for."""

from __future__ import annotations

from gateway.config.model import Bind
from gateway.protocol.sms import udh, user_data
from gateway.protocol.sms.coding import ALPHABETS, Coding, classify
from gateway.protocol.sms.national import Language
from gateway.protocol.sms.preview import PLAIN, Terms
from gateway.protocol.sms.segments import LongMethod, Segment, TooManySegments, count, split
from gateway.values.message import Form

_NAMES = {"default": Coding.GSM, "ucs2": Coding.UCS2}
_GROUP_F = 0xF0


class Cutter:
    """Cuts as one bind's settings say, which are worked out once."""

    def __init__(self, bind: Bind) -> None:
        self._terms = terms = terms_of(bind)
        self._method, self._alphabet, self._languages = terms.method, terms.alphabet, terms.languages
        self._message_class = bind.message_class
        self._group_f = bind.message_class_group == "0xF0"
        self._data_codings = {_NAMES[name]: octet for name, octet in bind.data_codings.items()}
        self._plain = terms == PLAIN

    def count(self, text: str) -> int:
        """How many segments a text takes; may be more than can be sent."""
        return count(text)[1] if self._plain else self._terms.count(self._terms.written(text))

    def segments(self, text: str, reference: int, form: Form | None = None) -> list[Segment]:
        """`reference` ties the parts together.  Raises TooManySegments."""
        message_class, group_f = self._message_class, self._group_f
        if form is not None:
            if form.raw:
                return self._raw(form, reference)
            _, own_class = classify(form.data_coding)
            if own_class is not None:
                message_class, group_f = own_class, group_f or form.data_coding >= _GROUP_F
        return split(
            text if self._plain else self._terms.written(text),
            reference=reference,
            method=self._method,
            alphabet=self._alphabet,
            languages=self._languages,
            message_class=message_class,
            group_f=group_f,
            data_codings=self._data_codings,
        )

    def _raw(self, form: Form, reference: int) -> list[Segment]:
        if form.single:
            return [Segment(form.octets, form.data_coding, payload=form.payload)]
        packed = self._alphabet is Coding.PACKED
        if form.parts:
            try:
                return user_data.keep(
                    form.parts, form.data_coding, reference=reference, method=self._method, packed=packed
                )
            except TooManySegments:
                pass  # one has no room for any of our headers: cut anew, without what later headers said
        return user_data.split(
            form.octets,
            form.data_coding,
            header=form.udh,
            reference=reference,
            method=self._method,
            packed=packed,
        )


def terms_of(bind: Bind) -> Terms:
    """What the carrier behind a bind wants of a text."""
    return Terms(
        LongMethod(bind.long_messages),
        ALPHABETS[bind.default_alphabet],
        tuple(Language[name.upper()] for name in bind.national_languages),
        bind.transliterate,
    )


def raw_segments(form: Form) -> int:
    """How many segments raw octets take, as most carriers want them.

    Raises ValueError for a header that is none, and for what no 255 segments hold.
    """
    if form.udh and udh.parse(form.udh).octets != len(form.udh):
        raise ValueError(f"the header has {len(form.udh)} octets and says {form.udh[0]} after the first")
    return len(user_data.split(form.octets, form.data_coding, header=form.udh, method=LongMethod.UDH16))
