"""What may happen to a run.  All that comes from outside is one of these, so that a run can be replayed."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Start(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="start", tag_field="kind"):
    """`variables` nested, as rules.variables has them; others become session variables."""

    run_id: str
    service: str
    customer: str  # canonical address
    number: str  # ours, canonical; "" when none took part
    variables: dict[str, Any] = {}
    node: str = ""  # where to begin; "": at the flow's start
    parent: str = ""  # the run whose call-flow node began it, under which effect key, and how deep it is
    parent_key: str = ""
    depth: int = 0
    key: str = ""  # the session key, if the flow has one


class MessageIn(Struct, frozen=True, tag="message", tag_field="kind"):
    """The customer has written: `data` is the `sms` group of rules.variables.sms, with the group `nlp` as a
    field of it where the service has [nlp]."""

    data: dict[str, Any]


class EventIn(Struct, frozen=True, tag="event", tag_field="kind"):
    """Something else has happened that concerns the customer: an event of rules (`type` is "call.missed",
    "custom.paid"), `data` its group of variables."""

    type: str
    data: dict[str, Any] = {}


class TimeUp(Struct, frozen=True, tag="time-up", tag_field="kind"):
    """The moment in `run.due` has come."""


class EffectDone(Struct, frozen=True, tag="effect-done", tag_field="kind"):
    """What became of an effect.  `event` is one of the node type's events (anything else counts as error)
    and `data` the outputs that flows.effects lists for it."""

    key: str
    event: str
    data: dict[str, Any] = {}


class Stop(Struct, frozen=True, tag="stop", tag_field="kind"):
    """End the run from outside: the customer said STOP, the service was suspended, an operator asked."""

    reason: str


Input = MessageIn | EventIn | TimeUp | EffectDone | Stop


class Recorded(Struct, frozen=True):
    """An input and when it came, Unix seconds."""

    at: float
    input: Start | MessageIn | EventIn | TimeUp | EffectDone | Stop
