"""Delivery receipts: parameters, and the text of SMPP 3.4 Appendix B as vendors really write it.

    id:IIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E text:...

The form is "vendor specific" by the standard's own words, so that every field may be missing, longer, in
another place or in another case.  Whether a message *is* a receipt is not judged here: esm_class says so,
or the caller.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

IdForm = Literal["same", "hex", "decimal"]


class MessageState(IntEnum):
    """message_state (SMPP 3.4 section 5.2.28; 0 and 9 come from SMPP 5.0 section 4.7.15)."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9


FINAL: Final = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.EXPIRED,
        MessageState.DELETED,
        MessageState.UNDELIVERABLE,
        MessageState.REJECTED,
        MessageState.SKIPPED,
    }
)
"""States after which no other is expected.  SMPP 5.0 calls ACCEPTED final too, but SMSCs send ACCEPTD on the
way to DELIVRD; UNKNOWN, and a word nobody knows, decide nothing."""

STAT: Final[Mapping[MessageState, str]] = {
    MessageState.SCHEDULED: "SCHEDLD",
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
    MessageState.SKIPPED: "SKIPPED",
}
# The seven-letter words, the states' full names, and the plain failures that vendors add.  Numbers are
# left out: 0 is "delivered" for one SMSC and "scheduled" for the next.
_STATES: Final[Mapping[str, MessageState]] = {
    **{word: state for state, word in STAT.items()},
    **{state.name: state for state in MessageState},
    "UNDELIVERED": MessageState.UNDELIVERABLE,
    "UNDELIVRD": MessageState.UNDELIVERABLE,
    "FAILED": MessageState.UNDELIVERABLE,
    "CANCELED": MessageState.DELETED,
    "CANCELLED": MessageState.DELETED,
    "BUFFERED": MessageState.ENROUTE,
    "BUFFRED": MessageState.ENROUTE,
}


class Stamp(Struct, frozen=True, gc=False):
    """A date as sent.  `at` is the SMSC's wall clock, its zone unknown; None if it reads in two ways or none.

    10 digits are YYMMDDhhmm, 14 YYYYMMDDhhmmss.  12 are YYMMDDhhmmss or YYYYMMDDhhmm: read only if just
    one of these is a date (four-digit years 1990 to 2099).
    """

    raw: str
    at: datetime | None


class Receipt(Struct, frozen=True, gc=False):
    """News about an earlier segment.

    `message_id` is receipted_message_id where that came, else the text's id; `text_message_id` is the
    text's, which may disagree.  `state` is message_state where that came, else what `stat` means: a word
    that is not known gives UNKNOWN.  `err` is the text's, as sent ("000", "00A1", "Absent subscriber",
    ""), else the number in network_error_code.  Fields that were missing are "" or None.
    """

    message_id: str
    text_message_id: str | None
    state: MessageState
    stat: str
    err: str
    submit_date: Stamp | None
    done_date: Stamp | None
    sub: int | None
    dlvrd: int | None
    text: str

    @property
    def final(self) -> bool:
        """Whether no other state is expected after this one."""
        return self.state in FINAL


_BY_VALUE: Final[Mapping[int | None, MessageState]] = {state.value: state for state in MessageState}
_KEY: Final = re.compile(
    r"(?<![\w.:@-])"
    r"(?:(id|sub|dlvrd|text)|(submit|done)[ _-]{0,3}date|(stat)(?:us|e)?|(err)(?:or)?(?:[ _-]?code)?)\s?[:=]"
    # glued to the value before it, in the standard's own spelling with a value of its kind
    r"|(?<=[A-Z0-9])(?:(sub|dlvrd)(?=:[0-9]{1,4}(?![0-9]))|(submit|done) date(?=:[0-9]{6})|"
    r"(stat)(?=:[A-Z]{5})|(err)(?=:[0-9A-F])|(?<=[0-9A-F])(text)(?=:)):",
    re.ASCII | re.IGNORECASE,
)
# Appendix B to the letter, as most write it; no colon where it does not belong, so nothing to be found twice
_AS_STANDARD: Final = re.compile(
    r"id:([^\s:=]+) sub:([0-9]{1,9}) dlvrd:([0-9]{1,9}) submit date:([0-9]{1,14}) done date:([0-9]{1,14}) "
    r"stat:([A-Z]{1,20}) err:([^\s:=]*)(?: text:([^:=]*))?",
    re.IGNORECASE,
)
_STANDARD: Final = ("id", "sub", "dlvrd", "submit", "done", "stat", "err", "text")
_GLUED_ID: Final = re.compile(r"id:(\S*)", re.IGNORECASE)
_UCS2_BIG: Final = re.compile(
    rb"(?:..)*?(?:\x00i\x00d\x00:|\x00s\x00t\x00a\x00t\x00:)", re.IGNORECASE | re.DOTALL
)
_UCS2_LITTLE: Final = re.compile(
    rb"(?:..)*?(?:i\x00d\x00:\x00|s\x00t\x00a\x00t\x00:\x00)", re.IGNORECASE | re.DOTALL
)
_ERROR_CODE: Final = re.compile(r"(?:0x)?[0-9A-F]*[0-9][0-9A-F]*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_BLANK: Final = " \t\r\n"
_AROUND: Final = ",;|\"'"


def parse(
    short_message: bytes,
    *,
    receipted_message_id: bytes | None = None,
    message_state: int | None = None,
    network_error_code: bytes | None = None,
) -> Receipt | None:
    """Read a receipt from its text (or message_payload) and its parameters.  Never raises.

    None when neither holds a message id.  A field before `text:` counts before one of the same name
    behind it; behind it the last one counts, and only what the receipt did not give before: the text is a
    stranger's words.
    """
    fields = _fields(_readable(short_message))
    text_id = _first_word(fields.get("id", ""))
    message_id = (receipted_message_id or b"").partition(b"\x00")[0].decode("latin-1").strip() or text_id
    if not message_id:
        return None
    stat = _first_word(fields.get("stat", "")).rstrip(".")
    state = _BY_VALUE.get(message_state)
    if state is None:
        state = _STATES.get(stat.upper(), MessageState.UNKNOWN)
    return Receipt(
        message_id=message_id,
        text_message_id=text_id or None,
        state=state,
        stat=stat,
        err=_err(fields.get("err", "")) or _network_error(network_error_code),
        submit_date=_stamp(fields.get("submit", "")),
        done_date=_stamp(fields.get("done", "")),
        sub=_number(fields.get("sub", "")),
        dlvrd=_number(fields.get("dlvrd", "")),
        text=fields.get("text", ""),
    )


def format_receipt(
    message_id: str,
    state: MessageState,
    *,
    submit_date: datetime,
    done_date: datetime,
    err: str = "000",
    text: str = "",
    sub: int = 1,
    dlvrd: int | None = None,
) -> bytes:
    """The text of SMPP 3.4 Appendix B, in ASCII, for the accounts that we serve.

    `dlvrd` is 1 when DELIVERED, else 0, unless given.  Of `text` the first 20 characters go along, those
    outside ASCII as "?".  The dates are written as they are, to the minute: in which zone is the caller's
    choice.
    """
    if dlvrd is None:
        dlvrd = 1 if state is MessageState.DELIVERED else 0
    receipt = (
        f"id:{message_id} sub:{sub:03d} dlvrd:{dlvrd:03d} submit date:{_minute(submit_date)} "
        f"done date:{_minute(done_date)} stat:{STAT[state]} err:{err} text:{text[:20]}"
    )
    return receipt.encode("ascii", "replace")


@lru_cache(maxsize=64)
def _minute(at: datetime) -> str:
    return f"{at:%y%m%d%H%M}"


def normal_id(message_id: str, form: IdForm) -> str:
    """A receipt's message id in the form in which submit_sm_resp gave it; compare with `response_id`.

    "same"      unchanged
    "decimal"   the receipt writes decimal what the response wrote hex: "26" -> "1a"
    "hex"       the receipt writes hex what the response wrote decimal: "1A", "0000001a" -> "26"

    The result has no leading zeros and, in hex, small letters; the number may have up to 64 digits.  An
    id that is not written in `form` at all ("ab-7" , or "1a" where decimal is configured) is returned
    unchanged.  Nothing is tried in both bases: 10 and 16 may both be under way.  Since padded ids can
    meet in one normal form, look for the exact text first.
    """
    match form:
        case "same":
            return message_id
        case "decimal":
            return f"{int(message_id):x}" if _DECIMAL.fullmatch(message_id) else message_id
        case "hex":
            return str(int(message_id, 16)) if _HEX.fullmatch(message_id) else message_id


def response_id(message_id: str, form: IdForm) -> str:
    """A submit_sm_resp's message id as `normal_id` writes it: no leading zeros, in hex small letters.

    With "same" the text is kept as it is.  An id that is not hex where receipts are "decimal", or not decimal
    where they are "hex", is returned unchanged.
    """
    match form:
        case "same":
            return message_id
        case "decimal":
            return f"{int(message_id, 16):x}" if _HEX.fullmatch(message_id) else message_id
        case "hex":
            return str(int(message_id)) if _DECIMAL.fullmatch(message_id) else message_id


_DECIMAL: Final = re.compile(r"[0-9]{1,64}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,64}")


def _readable(octets: bytes) -> str:
    """One character an octet: all alphabets in use but UCS-2 agree with ASCII on what counts here."""
    codec = "latin-1"
    if b"\x00" in octets:
        # match, not search: two octets a character are counted from the beginning
        if _UCS2_BIG.match(octets):
            codec = "utf-16-be"
        elif _UCS2_LITTLE.match(octets):
            codec = "utf-16-le"
    text = octets.decode(codec, "replace")
    return text.replace("\x00", " ")


def _fields(text: str) -> dict[str, str]:
    """Field name (as in Appendix B, small letters; `submit` and `done` for the dates) -> value, which goes on
    until the next field."""
    if whole := _AS_STANDARD.fullmatch(text):
        fields = dict(zip(_STANDARD, whole.groups(""), strict=True))
        fields["text"] = fields["text"].strip(_BLANK)
        return fields
    keys = list(_KEY.finditer(text))
    names = [str(key[key.lastindex or 0]).lower() for key in keys]
    starts = [key.start() for key in keys]
    starts.append(len(text))
    cut = names.index("text") if "text" in names else len(names)

    fields = {}
    for n in range(cut):
        fields.setdefault(names[n], text[keys[n].end() : starts[n + 1]])
    if "id" not in fields and (glued := _GLUED_ID.search(text, 0, starts[0])):
        fields["id"] = glued[1]
    if cut == len(names):
        return fields

    behind = {
        names[n]: n for n in range(cut + 1, len(names)) if names[n] != "text" and names[n] not in fields
    }
    text_end = starts[min(behind.values(), default=len(names))]
    fields["text"] = text[keys[cut].end() : text_end].strip(_BLANK)
    for name, n in behind.items():
        fields[name] = text[keys[n].end() : starts[n + 1]]
    return fields


def _first_word(value: str) -> str:
    return words[0].strip(_AROUND) if (words := value.split(maxsplit=1)) else ""


def _number(value: str) -> int | None:
    word = _first_word(value)
    return int(word) if _NUMBER.fullmatch(word) else None


def _err(value: str) -> str:
    """The code alone where it is one, whatever follows; else all the words."""
    word = _first_word(value)
    return word if _ERROR_CODE.fullmatch(word) else value.strip(_BLANK + _AROUND)


def _network_error(octets: bytes | None) -> str:
    """network_error_code: TT EE EE, network type and error (SMPP 3.4 section 5.3.2.31), as decimal error."""
    if not octets:
        return ""
    return str(int.from_bytes(octets[1:], "big")) if len(octets) == 3 else octets.hex()


@lru_cache(maxsize=64)  # receipts that come together are mostly of the same minutes
def _stamp(value: str) -> Stamp | None:
    raw = value.strip(_BLANK + _AROUND)
    if not raw:
        return None
    if not (raw.isascii() and raw.isdigit()):
        return Stamp(raw, None)
    short = _date("20" + raw) if len(raw) in (10, 12) else None
    full = _date(raw) if len(raw) in (12, 14) and "1990" <= raw[:4] <= "2099" else None
    return Stamp(raw, (short or full) if short is None or full is None else None)


def _date(digits: str) -> datetime | None:
    """YYYYMMDDhhmm or YYYYMMDDhhmmss."""
    try:
        return datetime(
            int(digits[:4]),
            int(digits[4:6]),
            int(digits[6:8]),
            int(digits[8:10]),
            int(digits[10:12]),
            int(digits[12:14] or 0),
        )
    except ValueError:
        return None
