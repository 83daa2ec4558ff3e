"""Status notifications in the form of the platform whose clients move here, for what they have sent by
/resources/v1/messaging.

    {"deliveryInfoNotification": {
        "deliveryInfo": {"deliveryChannel": "SMS", "deliveryStatus": "Delivered", "code": "7500",
                         "Description": "Delivered", "destination": "447700900123",
                         "destinationType": "msisdn", "timeStamp": "2026-11-23T14:05:09.123"},
        "correlationid": "4711", "callbackData": "x", "transid": "019ab2f0-..."}}
"""

from __future__ import annotations

from gateway.values.clock import iso
from gateway.values.message import Message
from gateway.values.outcome import Status

_CHANNELS = {"sms": "SMS", "voice": "Voice", "app": "RTM"}
SUBMITTED, DELIVERED, EXPIRED = "7501", "7500", "7208"
FAILED_AT_CARRIER, FAILED_HERE = "7201", "7202"

# status: deliveryStatus, code, Description
_GOOD = {
    Status.SENT: ("Submitted", SUBMITTED, "Submitted"),
    Status.DELIVERED: ("Delivered", DELIVERED, "Delivered"),
    Status.READ: ("Read", DELIVERED, "Read"),
    Status.ANSWERED: ("Answered", DELIVERED, "Answered"),
    Status.EXPIRED: ("Un-Delivered", EXPIRED, "Message expired"),
}


def delivery_info(message: Message, callback: str, at: float) -> dict[str, object]:
    """The body of the notification that a message has come to its status, at that time."""
    channel = message.plan[max(message.step, 0)].channel
    good = _GOOD.get(message.status)
    status, code, what = good or (
        "Rejected" if channel == "voice" else "Failed",
        FAILED_AT_CARRIER if message.carrier else FAILED_HERE,
        message.reason or "Delivery failed",
    )
    return {
        "deliveryInfoNotification": {
            "deliveryInfo": {
                "deliveryChannel": _CHANNELS[channel],
                "deliveryStatus": status,
                "code": code,
                "Description": what,
                "destination": message.recipient.removeprefix("+"),
                "destinationType": "msisdn",
                "timeStamp": iso(at).removesuffix("Z"),
            },
            "correlationid": message.correlationid,
            "callbackData": callback,
            "transid": message.id,
        }
    }
