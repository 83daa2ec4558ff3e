"""Small questions and steps on a Run (values.work): the record is the whole state of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.flows.inputs import EffectDone, EventIn, MessageIn, Start, TimeUp
from gateway.values.variables import flat
from gateway.values.work import Run

LIMIT_INBOX = 10
LIMIT_DATA = 65_536  # octets of a session's data, as JSON


class Kept(Struct, frozen=True):
    """A run with one more message in its inbox; `dropped` is what had to go for it."""

    run: Run
    dropped: dict[str, Any] | None


def begin(
    start: Start, *, flow: str, version: str, now: float, defaults: Mapping[str, Any] | None = None
) -> Run:
    """`defaults` are the values of the flow's own variables until something sets them."""
    data = flat(
        {"session": {"id": start.run_id, "flow": flow}, "service": {"name": start.service}}
        | {"customer": {"address": start.customer, "opted_out": False}}
    )
    return Run(
        id=start.run_id,
        service=start.service,
        flow=flow,
        version=version,
        customer=start.customer,
        number=start.number,
        data=dict(defaults or {}) | data | flat(start.variables),
        parent=start.parent,
        parent_key=start.parent_key,
        depth=start.depth,
        key=start.key,
        created_at=now,
        updated_at=now,
    )


def awaits(run: Run, input: MessageIn | EventIn | TimeUp | EffectDone, now: float) -> str:
    """ "" when the input is what the run waits for, else why it is not."""
    match input:
        case MessageIn():
            return "" if "message" in run.waiting.split() else "no node waits for a message now"
        case EventIn(type):
            return "" if type in run.waiting.split() else f"no node waits for {type} now"
        case EffectDone(key):
            return "" if run.waiting == f"effect:{key}" else f"the run does not wait for effect {key}"
        case TimeUp():
            timed = run.waiting and not run.waiting.startswith("effect:") and run.due
            return "" if timed and now >= run.due else "the time is not up"


def keep(run: Run, message: dict[str, Any]) -> Kept:
    """Put a message by for the next node that waits for one; of more than 10 the oldest goes."""
    inbox = (*run.inbox, message)
    dropped = inbox[0] if len(inbox) > LIMIT_INBOX else None
    return Kept(replace(run, inbox=inbox[-LIMIT_INBOX:]), dropped)


def too_large(data: Mapping[str, Any]) -> bool:
    """Whether it is more than a session may hold."""
    return len(msgspec.json.encode(data)) > LIMIT_DATA
