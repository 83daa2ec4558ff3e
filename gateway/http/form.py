"""`binary`, `message_class` and `flash` of a message: how its SMS goes out beyond its text."""

from __future__ import annotations

from gateway.channels.segmentation import raw_segments
from gateway.http.models import BinaryIn, MessageIn
from gateway.values.errors import BadInput
from gateway.values.message import Form

_OF_CLASS = 0x10  # data_coding of a text with a class (3GPP TS 23.038 section 4)


def form_of(body: MessageIn) -> Form:
    """Raises BadInput, naming the field."""
    field = "binary" if body.binary is not None else "message_class" if not body.flash else "flash"
    if body.channel != "sms":
        raise BadInput("a call has none", field=field, code="contradiction")
    if body.binary is None:
        return Form(data_coding=_OF_CLASS | _class(body))
    for name in ("text", "template", "chain"):
        if getattr(body, name):
            raise BadInput(f"`{name}` and `binary` exclude each other", field="binary", code="contradiction")
    if body.flash or body.message_class is not None:
        raise BadInput("its data_coding has the class", field="binary.data_coding", code="contradiction")
    form = _raw(body.binary)
    try:
        raw_segments(form)
    except ValueError as error:
        raise BadInput(str(error), field="binary") from None
    return form


def _class(body: MessageIn) -> int:
    if body.flash and body.message_class:
        raise BadInput(f"is message_class 0, not {body.message_class}", field="flash", code="contradiction")
    return body.message_class or 0


def _raw(binary: BinaryIn) -> Form:
    octets, udh = _octets(binary.octets, "octets"), _octets(binary.udh, "udh")
    if not octets and not udh:
        raise BadInput("needs octets", field="binary.octets", code="empty")
    return Form(
        raw=True,
        octets=octets,
        udh=udh,
        data_coding=binary.data_coding,
        protocol_id=binary.protocol_id,
    )


def _octets(digits: str, name: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise BadInput(
            "two hexadecimal digits make an octet: 01ae", field=f"binary.{name}", code="invalid"
        ) from None
