"""What a final response to an INVITE says of the person who was called (RFC 3261 section 21)."""

from __future__ import annotations

from gateway.values.outcome import Result

# Final responses to INVITE (RFC 3261 section 21) as outcomes; others mean unreachable
RESULTS = {
    486: Result.BUSY,
    600: Result.BUSY,
    408: Result.NO_ANSWER,
    487: Result.NO_ANSWER,
    403: Result.REJECTED,
    603: Result.REJECTED,
    607: Result.REJECTED,
    608: Result.REJECTED,
}
