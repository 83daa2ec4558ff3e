"""What a handset does when it is called: `answer:ring=1.0,talk=10,hangup=callee,digits=123`, `busy`, ..."""

from dataclasses import dataclass
from typing import Self

from simulators.rtp import DIGITS
from simulators.rtp_socket import SOUNDS

ROLES = ("caller", "callee")
REFUSALS = {"busy": 486, "reject": 603, "unreachable": 480}
KINDS = ("answer", *REFUSALS, "no-answer", "silent")
OPTIONS = {
    "answer": ("ring", "talk", "hangup", "digits", "play"),
    "busy": ("ring",),
    "reject": ("ring",),
    "unreachable": ("ring",),
}
DEFAULT_RING_SECONDS = 1.0
DEFAULT_TALK_SECONDS = 10.0


class BadBehaviour(ValueError):
    """A behaviour nobody knows; the text says what is known."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`ring` and `talk` in seconds; `hangup`: the callee ends the call after `talk`, or only the caller."""

    kind: str
    ring: float = 0.0
    talk: float = DEFAULT_TALK_SECONDS
    hangup: str = "callee"
    digits: str = ""
    play: str = "tone"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadBehaviour. Only `answer` rings by itself; ring=S makes `busy` and the like ring first."""
        kind, _, rest = text.partition(":")
        if kind not in KINDS:
            raise BadBehaviour(f"no behaviour {kind!r}; there are {', '.join(KINDS)}")
        values = {"ring": str(DEFAULT_RING_SECONDS if kind == "answer" else 0.0)}
        for part in filter(None, rest.split(",")):
            name, _, value = part.partition("=")
            known = OPTIONS.get(kind, ())
            if name not in known:
                raise BadBehaviour(f"{kind} has no {name!r}; it has {', '.join(known) or 'no options'}")
            values[name] = value
        return cls(
            kind,
            seconds(values["ring"], "ring"),
            seconds(values.get("talk", str(DEFAULT_TALK_SECONDS)), "talk"),
            one_of(values.get("hangup", "callee"), ROLES, "hangup"),
            key_presses(values.get("digits", "")),
            one_of(values.get("play", "tone"), SOUNDS, "play"),
        )

    @property
    def status(self) -> int | None:
        """The refusal of a handset that refuses."""
        return REFUSALS.get(self.kind)


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


def key_presses(text: str) -> str:
    """Raises BadBehaviour."""
    if not set(text) <= set(DIGITS):
        raise BadBehaviour(f"digits={text}: only {DIGITS}")
    return text


def number_key(number: str) -> str:
    """Numbers are compared without the plus sign."""
    return number.strip().removeprefix("+")
