"""What a handset does when it is called: `answer:ring=1.0,talk=10,hangup=callee,digits=123`, `busy`, ..."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from simulators.rtp import DIGITS
from simulators.rtp_socket import SOUNDS, Part

ROLES = ("caller", "callee")
REFUSALS = {"busy": 486, "reject": 603, "unreachable": 480}
RINGING = ("ring", "early")
TALKING = (*RINGING, "talk", "hangup", "digits", "after")
OPTIONS = {
    "answer": (*TALKING, "greeting", "play"),
    "machine": (*TALKING, "greeting"),
    **dict.fromkeys(REFUSALS, RINGING),
    "forward": (*RINGING, "to"),
    "no-answer": ("early",),
    "silent": (),
}
DEFAULTS = {
    "answer": {"ring": "1", "talk": "10"},
    "machine": {"ring": "1", "talk": "30", "greeting": "5", "play": "silence"},
}
BEEP: Part = ("beep", 0.4)
NUMBER = re.compile(r"[+0-9A-Za-z_.*-]{1,64}")


class BadBehaviour(ValueError):
    """A behaviour nobody knows; the text says what is known."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a call meets; times in seconds.

    `early`: the sound heard while it rings, by 183 with a description; empty: 180.  `greeting`: how long it
    speaks once it has answered, before `play`; after a machine's there is a beep.  `hangup`: the callee ends
    the call after `talk`, or only the caller.  `digits` are pressed `after` the answer.  `to`: of a forward.
    """

    kind: str
    ring: float = 0.0
    early: str = ""
    talk: float = 10.0
    greeting: float = 0.0
    hangup: str = "callee"
    digits: str = ""
    after: float = 0.5
    play: str = "tone"
    to: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadBehaviour. Who answers rings by himself; ring=S makes `busy` and the like ring first."""
        kind, _, rest = text.partition(":")
        if kind not in OPTIONS:
            raise BadBehaviour(f"no behaviour {kind!r}; there are {', '.join(OPTIONS)}")
        values = dict(DEFAULTS.get(kind, {}))
        for part in filter(None, rest.split(",")):
            name, _, value = part.partition("=")
            if name not in OPTIONS[kind]:
                known = ", ".join(OPTIONS[kind]) or "no options"
                raise BadBehaviour(f"{kind} has no {name!r}; it has {known}")
            values[name] = value
        if kind == "forward" and not NUMBER.fullmatch(values.get("to", "")):
            raise BadBehaviour("forward needs to=NUMBER")
        behaviour = cls(kind, **{name: READ[name](value, name) for name, value in values.items()})
        if behaviour.early and behaviour.ring == 0 and kind != "no-answer":
            raise BadBehaviour("early is what is heard while it rings; it needs ring=S above 0")
        return behaviour

    @property
    def greets(self) -> list[Part]:
        """What it says before it listens."""
        return [("speech", self.greeting), *([BEEP] if self.kind == "machine" else [])]

    @property
    def status(self) -> int | None:
        """The refusal of a handset that refuses."""
        return REFUSALS.get(self.kind)

    @property
    def answers(self) -> bool:
        return self.kind in ("answer", "machine")


def seconds(text: str, name: str) -> float:
    """Raises BadBehaviour unless 0 <= seconds <= 86400."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86400:
        raise BadBehaviour(f"{name}={text}: not a number of seconds from 0 to 86400")
    return value


def one_of(value: str, known: tuple[str, ...], name: str) -> str:
    """Raises BadBehaviour."""
    if value not in known:
        raise BadBehaviour(f"{name}={value}: it is one of {', '.join(known)}")
    return value


def key_presses(text: str, name: str = "digits") -> str:
    """Raises BadBehaviour."""
    if not set(text) <= set(DIGITS):
        raise BadBehaviour(f"{name}={text}: only {DIGITS}")
    return text


def a_sound(value: str, name: str) -> str:
    """Raises BadBehaviour."""
    return one_of(value, SOUNDS, name)


def number_key(number: str) -> str:
    """Numbers are compared without the plus sign."""
    return number.strip().removeprefix("+")


READ: Mapping[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("ring", "talk", "greeting", "after"), seconds),
    **dict.fromkeys(("early", "play"), a_sound),
    "hangup": lambda value, name: one_of(value, ROLES, name),
    "digits": key_presses,
    "to": lambda value, _: value,
}
