"""What an SMSC does with a submit_sm: the options that carriers differ in, and the verdict they lead to."""

import argparse
import enum
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from simulators.smpp_pdu import STATUSES, status_of


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression, searched for in the destination address. Raises ValueError."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None


def pattern_status(text: str) -> tuple[re.Pattern[str], int]:
    """REGEX=STATUS; the last equals sign divides."""
    regex, equals, status = text.rpartition("=")
    if not equals:
        raise ValueError(f"{text!r} is not REGEX=STATUS")
    return pattern(regex), status_of(status)


def pattern_stat(text: str) -> tuple[re.Pattern[str], str, str]:
    """REGEX=STAT or REGEX=STAT:ERR."""
    regex, equals, outcome = text.rpartition("=")
    stat, _, err = outcome.partition(":")
    if not equals or not stat:
        raise ValueError(f"{text!r} is not REGEX=STAT[:ERR]")
    return pattern(regex), stat, err or "000"


def account(text: str) -> tuple[str, str]:
    """SYSTEM_ID:PASSWORD."""
    system_id, colon, password = text.partition(":")
    if not colon or not system_id:
        raise ValueError(f"{text!r} is not SYSTEM_ID:PASSWORD")
    return system_id, password


def seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(f"{text!r} is not a time in seconds")
    return value


def count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(f"{text!r} is below zero")
    return value


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(f"{text!r} is below one")
    return value


def one_of(*words: str) -> Callable[[str], str]:
    def choice(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is none of {', '.join(words)}")
        return text

    return choice


def _argument(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def argument(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:  # argparse would print the name of the function instead of the reason
            raise argparse.ArgumentTypeError(str(error)) from None

    return argument


def _about(read: Callable[[str], Any], metavar: str, text: str) -> dict[str, Any]:
    return {"read": read, "metavar": metavar, "help": text}


@dataclass(slots=True)
class Behaviour:
    """The options, each settable at start (--receipt-delay 2) and at run time ({"receipt_delay": 2})."""

    account: list[tuple[str, str]] = field(
        default_factory=list,
        metadata=_about(account, "SYSTEM_ID:PASSWORD", "who may bind (repeatable; without it everybody)"),
    )
    receipts: str = field(
        default="text",
        metadata=_about(
            one_of("text", "tlv", "both", "none"),
            "text|tlv|both|none",
            "text = appendix B; tlv = receipted_message_id and message_state; none = send no receipts",
        ),
    )
    receipt_id: str = field(
        default="same",
        metadata=_about(
            one_of("same", "hex", "decimal"),
            "same|hex|decimal",
            "how the RECEIPT writes the message id: same = decimal like submit_sm_resp; "
            "hex = hexadecimal, while submit_sm_resp has decimal; "
            "decimal = decimal, while submit_sm_resp has hexadecimal",
        ),
    )
    receipt_delay: float = field(
        default=0.0, metadata=_about(seconds, "S", "seconds from submit_sm_resp to the receipt")
    )
    receipt_early: bool = field(
        default=False, metadata=_about(bool, "", "the receipt goes out BEFORE submit_sm_resp")
    )
    receipt_intermediate: bool = field(
        default=False,
        metadata=_about(
            bool, "", "before the receipt, a notification (stat ENROUTE) to those who ask for it (bit 4)"
        ),
    )
    receipt_other_session: bool = field(
        default=False,
        metadata=_about(
            bool, "", "the receipt goes to another session of the same system_id, if there is one"
        ),
    )
    answer_delay: float = field(
        default=0.0, metadata=_about(seconds, "S", "seconds from submit_sm to submit_sm_resp")
    )
    reject: list[tuple[re.Pattern[str], int]] = field(
        default_factory=list,
        metadata=_about(
            pattern_status, "REGEX=STATUS", "refuse destinations with this command_status (repeatable)"
        ),
    )
    fail: list[tuple[re.Pattern[str], str, str]] = field(
        default_factory=list,
        metadata=_about(
            pattern_stat, "REGEX=STAT[:ERR]", "accept, then send a receipt with this stat (repeatable)"
        ),
    )
    lose: list[re.Pattern[str]] = field(
        default_factory=list,
        metadata=_about(pattern, "REGEX", "accept, then neither deliver nor send a receipt (repeatable)"),
    )
    swallow: list[re.Pattern[str]] = field(
        default_factory=list, metadata=_about(pattern, "REGEX", "never answer submit_sm (repeatable)")
    )
    throttle: int = field(
        default=0,
        metadata=_about(count, "N", "beyond N in any second of one account: ESME_RTHROTTLED; 0 = off"),
    )
    queue_full: int = field(
        default=0, metadata=_about(count, "N", "every Nth submit_sm: ESME_RMSGQFUL; 0 = off")
    )
    enquire_link: float = field(
        default=0.0, metadata=_about(seconds, "S", "ask every session every S seconds; 0 = off")
    )
    query: str = field(
        default="state",
        metadata=_about(
            one_of("state", "fail", "unknown", "silent"),
            "state|fail|unknown|silent",
            "how query_sm is answered: state = what became of the message (ENROUTE until its receipt is due, "
            "or lost); fail = ESME_RQUERYFAIL; unknown = generic_nack; silent = never",
        ),
    )
    window: int = field(
        default=100, metadata=_about(positive, "N", "deliver_sm without response in one session at a time")
    )
    retry: float = field(
        default=1.0,
        metadata=_about(seconds, "S", "repeat a deliver_sm refused for the moment after S seconds"),
    )

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        for option in fields(cls):
            name, data = "--" + option.name.replace("_", "-"), option.metadata
            if data["read"] is bool:
                parser.add_argument(name, action="store_true", help=data["help"])
                continue
            repeatable = option.default_factory is list
            parser.add_argument(
                name,
                action="append" if repeatable else "store",
                default=[] if repeatable else option.default,
                type=_argument(data["read"]),
                metavar=data["metavar"],
                help=data["help"] + ("" if repeatable else " (default: %(default)s)"),
            )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        return cls(**{option.name: getattr(arguments, option.name) for option in fields(cls)})

    def change(self, values: Mapping[str, object]) -> None:
        """Set options by name, all or none. Raises ValueError.

        Values are written as on the command line, or as JSON's own numbers and booleans; a repeatable option
        takes a list, which replaces what it held.
        """
        known = {option.name: option for option in fields(self)}
        changed: dict[str, Any] = {}
        for given, value in values.items():
            name = given.replace("-", "_")
            if name not in known:
                raise ValueError(f"no option {given!r}; there are {', '.join(sorted(known))}")
            read = known[name].metadata["read"]
            if read is bool:
                if not isinstance(value, bool):
                    raise ValueError(f"{given} is true or false, not {value!r}")
                changed[name] = value
            elif known[name].default_factory is list:
                if not isinstance(value, list):
                    raise ValueError(f"{given} is a list, not {value!r}")
                changed[name] = [read(str(item)) for item in value]
            else:
                changed[name] = read(str(value))
        for name, value in changed.items():
            setattr(self, name, value)


class Fate(enum.Enum):
    DELIVER = "deliver"
    FAIL = "fail"  # accepted; a receipt says that it did not arrive
    LOSE = "lose"  # accepted; nothing more is heard of it
    REFUSE = "refuse"
    SWALLOW = "swallow"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` answers the submit_sm (not for SWALLOW); `stat` and `err` go into its receipt."""

    fate: Fate
    status: int = 0
    stat: str = "DELIVRD"
    err: str = "000"


class Judge:
    """Decides the fate of each submit_sm, in the order in which a real SMSC would find out."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._submits = 0
        self._recent: dict[str, deque[float]] = {}

    def verdict(self, system_id: str, destination: str, now: float) -> Verdict:
        """`now` in monotonic seconds."""
        behaviour = self.behaviour
        self._submits += 1
        if behaviour.throttle and not self._within_limit(system_id, now):
            return Verdict(Fate.REFUSE, STATUSES["ESME_RTHROTTLED"])
        if behaviour.queue_full and self._submits % behaviour.queue_full == 0:
            return Verdict(Fate.REFUSE, STATUSES["ESME_RMSGQFUL"])
        for regex, status in behaviour.reject:
            if regex.search(destination):
                return Verdict(Fate.REFUSE, status)
        if any(regex.search(destination) for regex in behaviour.swallow):
            return Verdict(Fate.SWALLOW)
        if any(regex.search(destination) for regex in behaviour.lose):
            return Verdict(Fate.LOSE)
        for regex, stat, err in behaviour.fail:
            if regex.search(destination):
                return Verdict(Fate.FAIL, stat=stat, err=err)
        return Verdict(Fate.DELIVER)

    def _within_limit(self, system_id: str, now: float) -> bool:
        recent = self._recent.setdefault(system_id, deque())
        while recent and now - recent[0] >= 1.0:
            recent.popleft()
        if len(recent) >= self.behaviour.throttle:
            return False
        recent.append(now)
        return True
