from __future__ import annotations

from typing import Any

import pytest

from gateway.inbound.delivery_info import delivery_info
from gateway.values.message import Message, StepPlan
from gateway.values.outcome import Status


def info(status: Status, channel: str = "sms", carrier: str = "north", reason: str = "") -> dict[str, Any]:
    message = Message(
        id="019a",
        direction="mt",
        service="alerts",
        sender="12345",
        recipient="+447700900123",
        status=status,
        carrier=carrier,
        reason=reason,
        plan=(StepPlan(channel=channel),),
        step=0,
        correlationid="4711",
        created_at=0.0,
        updated_at=0.0,
    )
    told: Any = delivery_info(message, "mine", 1_763_906_709.123)
    assert list(told) == ["deliveryInfoNotification"]
    whole: dict[str, Any] = told["deliveryInfoNotification"]
    assert (whole["correlationid"], whole["callbackData"], whole["transid"]) == ("4711", "mine", "019a")
    found: dict[str, Any] = whole["deliveryInfo"]
    return found


def test_a_delivered_text_in_that_platforms_words() -> None:
    assert info(Status.DELIVERED) == {
        "deliveryChannel": "SMS",
        "deliveryStatus": "Delivered",
        "code": "7500",
        "Description": "Delivered",
        "destination": "447700900123",
        "destinationType": "msisdn",
        "timeStamp": "2025-11-23T14:05:09.123",
    }


@pytest.mark.parametrize(
    ("status", "channel", "carrier", "said", "code"),
    [
        (Status.SENT, "sms", "north", "Submitted", "7501"),
        (Status.EXPIRED, "sms", "north", "Un-Delivered", "7208"),
        (Status.FAILED, "sms", "north", "Failed", "7201"),
        (Status.FAILED, "sms", "", "Failed", "7202"),
        (Status.IN_DOUBT, "sms", "north", "Failed", "7201"),
        (Status.ANSWERED, "voice", "east", "Answered", "7500"),
        (Status.FAILED, "voice", "east", "Rejected", "7201"),
        (Status.READ, "app", "", "Read", "7500"),
    ],
)
def test_each_status_has_its_word_and_code(
    status: Status, channel: str, carrier: str, said: str, code: str
) -> None:
    found = info(status, channel, carrier)
    assert (found["deliveryStatus"], found["code"]) == (said, code)


def test_a_failure_says_why() -> None:
    assert info(Status.FAILED, reason="the customer has opted out")["Description"] == (
        "the customer has opted out"
    )
