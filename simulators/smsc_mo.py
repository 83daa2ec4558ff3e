"""What a handset texts: the command `mo` becomes one deliver_sm or data_sm per part."""

from typing import Literal

from smpplib import consts

from simulators.console import Command, CommandError
from simulators.sms_text import CODINGS, choose, split
from simulators.smsc_session import Delivery

ADDRESS_LIMIT = 20  # SMPP 3.4 section 5.2.8: 21 octets with the NUL
UDHI = 0x40


def compose(command: Command, mo_id: str, *, reference: int) -> list[Delivery]:
    """The parts to send, in the order wished. `mo_id` stands in where the command has no "id".

    Raises CommandError.
    """
    source, destination = _address(command, "from"), _address(command, "to")
    text, carrier = command.get("text", str), command.get("as", str, "deliver_sm")
    if carrier not in ("deliver_sm", "data_sm"):
        raise CommandError('"as" is deliver_sm or data_sm')
    coding = _coding(command, text)
    try:
        parts = split(text, coding, reference)
    except ValueError as error:  # UnicodeError is one
        raise CommandError(str(error)) from None
    everyone = range(1, len(parts) + 1)
    order = command.numbers("order") or list(everyone)
    if not set(order) <= set(everyone):
        raise CommandError(f'"order" names parts beyond 1 to {len(parts)}')
    dropped = command.numbers("drop_parts")
    chosen = [number for number in order if number not in dropped]
    left = len(chosen)

    def settled() -> dict[str, object]:
        nonlocal left
        left -= 1
        return {"left": left}

    parameters = {
        **_parameters("source", source),
        **_parameters("dest", destination),
        "esm_class": UDHI if len(parts) > 1 else 0,
        "data_coding": coding,
    }
    body = "short_message" if carrier == "deliver_sm" else "message_payload"
    event = {"id": command.get("id", str, mo_id), "from": source, "to": destination, "total": len(parts)}
    system_id = command.get("system_id", str, "") or None
    return [
        Delivery(
            kind="mo",
            command=carrier,
            parameters={**parameters, body: parts[number - 1]},
            event={**event, "part": number},
            system_id=system_id,
            settled=settled,
        )
        for number in chosen
    ]


def _coding(command: Command, text: str) -> int:
    wish = command.fields.get("coding")
    if wish is None:
        return choose(text)
    if isinstance(wish, str) and wish in CODINGS:
        return CODINGS[wish]
    if isinstance(wish, int) and wish in (0, 1, 2, 3, 4, 8):
        return wish
    raise CommandError(f'"coding" is one of {", ".join(CODINGS)} or 0, 1, 2, 3, 4, 8')


def _address(command: Command, key: str) -> str:
    address = command.get(key, str)
    if not address.isascii() or "\0" in address or len(address) > ADDRESS_LIMIT:
        raise CommandError(
            f'"{key}": {address!r} is not an address of at most {ADDRESS_LIMIT} ASCII characters'
        )
    return address


def _parameters(side: Literal["source", "dest"], address: str) -> dict[str, object]:
    """Address parameters with the TON and NPI that carriers give such an address."""
    if not address.isdecimal():
        ton, npi = consts.SMPP_TON_ALNUM, consts.SMPP_NPI_UNK
    elif len(address) > 6:
        ton, npi = consts.SMPP_TON_INTL, consts.SMPP_NPI_ISDN
    else:
        ton, npi = consts.SMPP_TON_NWSPEC, consts.SMPP_NPI_UNK
    name = "source_addr" if side == "source" else "destination_addr"
    return {f"{side}_addr_ton": ton, f"{side}_addr_npi": npi, name: address}
