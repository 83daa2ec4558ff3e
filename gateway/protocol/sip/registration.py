"""Being registered with a carrier, and staying so (RFC 3261 section 10.2): a state machine without I/O.

Whoever drives it sends a REGISTER whenever a method gives it the seconds to ask for (0: the removal), says
what became of it, and calls `tick` at `deadline`.  Challenges are met on the way (`digest`): a 401
that gets here means that the carrier does not like the password.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from gateway.protocol.sip.grammar import readable
from gateway.protocol.sip.headers import BadHeader, NameAddr
from gateway.protocol.sip.message import Response, retry_after
from gateway.protocol.sip.transaction import IllegalTransition
from gateway.protocol.sip.uri import BadUri, Uri


class State(Enum):
    UNREGISTERED = auto()  # waits to try
    REGISTERING = auto()
    REGISTERED = auto()  # waits to refresh, or to try that again
    REFRESHING = auto()
    LEAVING = auto()  # is to end, but an answer is due: only one REGISTER at a time (section 10.2)
    REMOVING = auto()
    STOPPED = auto()


class Cause(Enum):
    DUE = auto()
    ACCEPTED = auto()
    REFUSED = auto()  # or not answered
    TOO_BRIEF = auto()  # 423: asked again for longer
    EXPIRED = auto()
    STOP = auto()


_S, _C = State, Cause
TRANSITIONS: Mapping[tuple[State, Cause], State] = {
    (_S.UNREGISTERED, _C.DUE): _S.REGISTERING,
    (_S.UNREGISTERED, _C.STOP): _S.STOPPED,
    (_S.REGISTERING, _C.ACCEPTED): _S.REGISTERED,
    (_S.REGISTERING, _C.REFUSED): _S.UNREGISTERED,
    (_S.REGISTERING, _C.TOO_BRIEF): _S.REGISTERING,
    (_S.REGISTERING, _C.STOP): _S.LEAVING,
    (_S.REGISTERED, _C.DUE): _S.REFRESHING,
    (_S.REGISTERED, _C.EXPIRED): _S.UNREGISTERED,
    (_S.REGISTERED, _C.STOP): _S.REMOVING,
    (_S.REFRESHING, _C.ACCEPTED): _S.REGISTERED,
    (_S.REFRESHING, _C.REFUSED): _S.REGISTERED,  # what was granted before still holds
    (_S.REFRESHING, _C.TOO_BRIEF): _S.REFRESHING,
    (_S.REFRESHING, _C.EXPIRED): _S.REGISTERING,
    (_S.REFRESHING, _C.STOP): _S.LEAVING,
    (_S.LEAVING, _C.ACCEPTED): _S.REMOVING,
    (_S.LEAVING, _C.REFUSED): _S.REMOVING,  # the answer may be what was lost
    (_S.LEAVING, _C.TOO_BRIEF): _S.REMOVING,
    (_S.REMOVING, _C.ACCEPTED): _S.STOPPED,
    (_S.REMOVING, _C.REFUSED): _S.STOPPED,
}
_ASKING = (State.REGISTERING, State.REFRESHING)

LONGEST_EXPIRES = 86_400  # seconds; a registrar that wants longer is broken
_FIRST_WAIT = 4.0  # seconds before another try, twice as long after each
_LONGEST_WAIT = 300.0
_CREDENTIALS = frozenset({401, 403, 404, 407})  # trying again soon changes nothing, and may lock the account
_CREDENTIALS_WAIT = 120.0
_LONGEST_RETRY_AFTER = 3600.0


class Registration:
    """`expires` is what is asked for, in seconds; `chance` gives numbers in [0, 1), so that gateways that
    lost a registrar together do not come back together.  Times are monotonic seconds."""

    def __init__(self, expires: int, chance: Callable[[], float], now: float) -> None:
        self.state = State.UNREGISTERED
        self.reason = "not registered yet"  # why it is not registered; empty when it is
        self._wanted = expires
        self._chance = chance
        self._due = now
        self._expires_at = now
        self._failures = 0

    @property
    def registered(self) -> bool:
        return self.state in (State.REGISTERED, State.REFRESHING)

    def deadline(self) -> float | None:
        match self.state:
            case State.UNREGISTERED:
                return self._due
            case State.REGISTERED:
                return min(self._due, self._expires_at)
            case State.REFRESHING:
                return self._expires_at
            case _:
                return None

    def tick(self, now: float) -> int | None:
        """The seconds to ask for now, or None."""
        if self.registered and now >= self._expires_at:
            self._step(Cause.EXPIRED)
            self.reason = "it has expired"
        if self.state in (State.UNREGISTERED, State.REGISTERED) and now >= self._due:
            self._step(Cause.DUE)
            return self._wanted
        return None

    def answered(self, response: Response, contact: str, now: float) -> int | None:
        """A final response to the REGISTER whose Contact was the URI `contact`."""
        if response.status == 423:
            return self._too_brief(response, now)
        if response.status >= 300:
            return self._refused(response.status, readable(response.reason), retry_after(response), now)
        granted = granted_seconds(response, contact, self._wanted)
        if granted <= 0 and self.state in _ASKING:
            return self._refused(response.status, "it gave no time", None, now)
        self._step(Cause.ACCEPTED)
        if self.state is State.REMOVING:
            return 0
        self.reason = ""
        self._failures = 0
        self._expires_at = now + granted
        # early enough for some tries before the end, and not all trunks at once
        self._due = now + max(1.0, granted * (0.75 + 0.15 * self._chance()))
        return None

    def unanswered(self, now: float) -> int | None:
        """No answer came, or the REGISTER could not be sent."""
        return self._refused(None, "no answer", None, now)

    def refresh(self, now: float) -> None:
        """Ask again now: the registrar is back, or we have another address."""
        self._due = min(self._due, now)

    def stop(self) -> int | None:
        """0 when there is something to be removed now."""
        if self.state in (State.LEAVING, State.REMOVING, State.STOPPED):
            return None
        self.reason = "it is being removed"
        return 0 if self._step(Cause.STOP) is State.REMOVING else None

    def _too_brief(self, response: Response, now: float) -> int | None:
        least = response.headers.get("Min-Expires").strip()
        seconds = int(least) if least.isascii() and least.isdigit() and len(least) < 10 else 0
        if self.state in _ASKING and not self._wanted < seconds <= LONGEST_EXPIRES:
            return self._refused(423, f"it wants {least[:20] or 'no'} seconds", None, now)
        if self.state is State.REMOVING:
            self._step(Cause.REFUSED)
            return None
        if self._step(Cause.TOO_BRIEF) is State.REMOVING:
            return 0
        self._wanted = seconds
        return seconds

    def _refused(self, status: int | None, why: str, wait: int | None, now: float) -> int | None:
        self._step(Cause.REFUSED)
        if self.state is State.REMOVING:
            return 0
        if self.state is State.STOPPED:
            return None
        self.reason = f"REGISTER: {status} {why}" if status else f"REGISTER: {why}"
        first = _CREDENTIALS_WAIT if status in _CREDENTIALS else _FIRST_WAIT
        pause = min(first * 2**self._failures, max(first, _LONGEST_WAIT)) * (0.5 + 0.5 * self._chance())
        self._failures = min(self._failures + 1, 10)
        self._due = now + max(pause, min(float(wait or 0), _LONGEST_RETRY_AFTER))
        return None

    def _step(self, cause: Cause) -> State:
        try:
            self.state = TRANSITIONS[self.state, cause]
            return self.state
        except KeyError:
            raise IllegalTransition(f"registration: {cause.name} in {self.state.name}") from None


def granted_seconds(response: Response, contact: str, wanted: int) -> int:
    """How long a 200 says that our Contact is bound (section 10.2.4): others may be registered beside us.

    A registrar that does not list it, or another address for it, has granted what its Expires says, or what
    was asked for.
    """
    for value in response.headers.values("Contact"):
        try:
            listed = NameAddr.parse(value)
            same = _same(listed.uri, contact)
        except (BadHeader, BadUri):
            continue
        if same and (seconds := _seconds(listed.parameters.get("expires"))) is not None:
            return seconds
    seconds = _seconds(response.headers.get("Expires"))
    return wanted if seconds is None else seconds


def _seconds(text: str | None) -> int | None:
    text = (text or "").strip()
    return min(int(text), LONGEST_EXPIRES) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _same(one: str, other: str) -> bool:
    """Whether two URIs are one binding: by user, host and port; what a registrar adds does not count."""
    a, b = Uri.parse(one), Uri.parse(other)
    return (a.user, a.host, a.port or 0) == (b.user, b.host, b.port or 0)
