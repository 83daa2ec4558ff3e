"""registered_delivery: which receipts an account has asked for (SMPP 3.4 section 5.2.17, 5.0 section 4.7.21).

bits 1 0   00 none, 01 whatever the final state is, 10 only for a failure, 11 only for a success (5.0)
bit  4     intermediate notification, when a carrier has taken the message
"""

from __future__ import annotations

from gateway.values.outcome import Status

_FINAL = 0x03
_ANY, _FAILURE, _SUCCESS = 1, 2, 3
INTERMEDIATE = 0x10
ASKS = _FINAL | INTERMEDIATE
_DELIVERED = frozenset({Status.DELIVERED, Status.ANSWERED})


def owed(registered_delivery: int, status: Status) -> bool:
    """Whether an account that asked so is owed news of a message that has reached this status."""
    if not status.final:
        return bool(registered_delivery & INTERMEDIATE) and status is Status.SENT
    match registered_delivery & _FINAL:
        case 1:
            return True
        case 2:
            return status not in _DELIVERED
        case 3:
            return status in _DELIVERED
    return False
