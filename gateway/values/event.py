"""Events: immutable records of what happened.  All of them make up the transaction log."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Trigger(StrEnum):
    """The events that rules may name; `custom.NAME` besides."""

    SMS_RECEIVED = "sms.received"
    SMS_STATUS = "sms.status"
    CALL_MISSED = "call.missed"
    CALL_ANSWERED = "call.answered"
    CALL_ENDED = "call.ended"
    LINK_CLICKED = "link.clicked"
    APP_RECEIVED = "app.received"
    SESSION_ENDED = "session.ended"


CUSTOM = "custom."  # begins the type of an event that a service has declared


class Event(Struct, frozen=True, gc=False, kw_only=True):
    """`type` is a Trigger, or a step of the way such as `message.accepted`, `submit_sm`, `receipt`.

    `data` is plain JSON.  `ref` is the transaction or run it belongs to.
    """

    ref: str
    type: str
    service: str
    at: float
    data: dict[str, Any] = {}
