"""Session timers (RFC 4028): a call whose session nobody refreshes in time is over, whatever was lost.

    Session-Expires: 1800;refresher=uac   the interval, and who sends re-INVITE or UPDATE after half of it
    Min-SE: 90                            the shortest interval that a party accepts

"uac" is whoever sent the request at hand, in each of them anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.protocol.sip.grammar import parse_parameters
from gateway.protocol.sip.message import Message, Request, Response

INTERVAL_SECONDS: Final = 1800  # what we ask for (section 4)
LEAST_SECONDS: Final = 90  # the least that the standard allows (section 5)
OPTION: Final = "timer"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a 2xx says: the interval in seconds, and whether the sender of the request refreshes."""

    interval: int
    by_uac: bool

    @property
    def field(self) -> tuple[str, str]:
        return "Session-Expires", f"{self.interval};refresher={'uac' if self.by_uac else 'uas'}"

    @property
    def refresh_after(self) -> float:
        """Seconds until the refresher acts (section 7.4)."""
        return self.interval / 2

    @property
    def expires_after(self) -> float:
        """Seconds until BYE, when no refresh came (section 10)."""
        return self.interval - min(32.0, self.interval / 3)


def supports(message: Message, option: str) -> bool:
    return any(value.lower() == option for value in message.headers.values("Supported"))


def least(message: Message) -> int:
    """Min-SE in seconds; 0 when there is none to read."""
    return _seconds(message.headers.get("Min-SE"))[0]


def too_short(request: Request) -> bool:
    """Whether 422 is the answer: only a peer that knows of session timers can read it (section 9)."""
    interval, _ = _seconds(request.headers.get("Session-Expires"))
    return 0 < interval < LEAST_SECONDS and supports(request, OPTION)


def agree(request: Request) -> Agreement | None:
    """What our 2xx to this INVITE or UPDATE says (section 9, table 2); None: no session timer."""
    interval, refresher = _seconds(request.headers.get("Session-Expires"))
    if not interval:
        return None
    # a proxy may have asked on behalf of a caller who knows nothing of it: then it is for us to refresh
    return Agreement(max(interval, LEAST_SECONDS), supports(request, OPTION) and refresher != "uas")


def agreed(response: Response) -> Agreement | None:
    """What the peer's 2xx to our INVITE or UPDATE says; None: no session timer."""
    interval, refresher = _seconds(response.headers.get("Session-Expires"))
    return Agreement(max(interval, LEAST_SECONDS), refresher != "uas") if interval else None


def _seconds(text: str) -> tuple[int, str]:
    """Delta-seconds and the refresher parameter; (0, "") for what is missing or unreadable."""
    number, _, rest = text.partition(";")
    number = number.strip()
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        return 0, ""
    return int(number), (parse_parameters(rest).get("refresher") or "").lower()
