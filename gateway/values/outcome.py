"""What became of one try (a step of a chain), and what a whole message has reached."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Status(StrEnum):
    """What a whole message has reached.  `queued` and `sent` may still change; the others are final."""

    QUEUED = "queued"
    SENT = "sent"  # a carrier has taken it
    DELIVERED = "delivered"
    READ = "read"  # the customer has seen it; only apps tell
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"
    IN_DOUBT = "in-doubt"  # handed to a carrier whose answer never came
    RECEIVED = "received"  # an MO, durable, its decision still to be made
    HANDLED = "handled"  # an MO whose decision has been committed
    PARKED = "parked"  # an MO to a suspended service, to be decided on when that is live again

    @property
    def final(self) -> bool:
        return self not in _OPEN


_OPEN = {Status.QUEUED, Status.SENT, Status.RECEIVED, Status.PARKED}


class Result(StrEnum):
    """What a channel reports about a step.  The first group is progress or success, the second failure."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"  # who answered has pressed the key that was asked for

    REJECTED = "rejected"  # the carrier or the person said no, for good
    UNDELIVERED = "undelivered"  # a receipt said so
    EXPIRED = "expired"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    UNCONFIRMED = "unconfirmed"  # answered, and the key was not pressed
    UNREACHABLE = "unreachable"
    IN_DOUBT = "in-doubt"
    NOT_APPLICABLE = "not-applicable"  # address, consent or capability is missing
    NOT_AVAILABLE = "not-available"  # no bind or trunk is up
    TIMEOUT = "timeout"  # `within` ran out


class Outcome(Struct, frozen=True, gc=False):
    """One report about one step.

    `code` is the peer's own (an SMPP command_status such as "ESME_RINVDSTADR", a receipt's err, a SIP
    status), `reason` a sentence for people, `carrier` the bind or trunk.
    """

    result: Result
    reason: str = ""
    code: str = ""
    carrier: str = ""
