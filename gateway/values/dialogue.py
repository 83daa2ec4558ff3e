"""What is said to and asked of a person on the phone."""

from __future__ import annotations

from msgspec import Struct

from gateway.values.errors import GatewayError

DIGITS = "0123456789*#ABCD"  # the keys of RFC 4733 section 3.2


class Utterance(Struct, frozen=True, omit_defaults=True):
    """Something to be heard: `text`, spoken by the voice of `language`, or the file `wav`."""

    text: str = ""
    wav: str = ""
    language: str = "en"


class Ask(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Keys that are wanted: `least` to `most` of them, or one of `choices` where there are any.

    `first_seconds` may pass after the prompt before the first key, `between_seconds` after each.  A key of
    `terminator` says that that was all.  `tries` counts the first one.
    """

    least: int = 1
    most: int = 1
    choices: tuple[str, ...] = ()
    terminator: str = "#"
    first_seconds: float = 5.0
    between_seconds: float = 3.0
    tries: int = 1
    barge_in: bool = True  # keys are taken while the prompt plays, and cut it


CALLER_GONE = "caller-gone"  # code of a call that was given up because there is nobody to connect it to


class Taping(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a recording ends: at the latest after `maximum_seconds`; after `silence_seconds` without a voice,
    0 = never; at a key of `terminators`."""

    maximum_seconds: float = 60.0
    silence_seconds: float = 3.0
    terminators: str = "#"
    beep: bool = True


class Taped(Struct, frozen=True):
    """What was recorded: the path of a WAV, "" where nothing could be stored, and why it ended: silence,
    maximum, digit, hangup, error."""

    file: str
    seconds: float
    cause: str


class HungUp(GatewayError):
    """The other side is gone; the text says how."""
