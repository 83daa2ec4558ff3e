"""Call lists that are being worked through, as they are stored.  Times are Unix seconds."""

from __future__ import annotations

from msgspec import Struct

DIALLED = "dial:"  # begins the owner of a message that calls somebody of a list, in the place of a run


class DialList(Struct, frozen=True, gc=False, kw_only=True):
    """One time that a list of a service was begun."""

    id: str  # UUIDv7
    service: str
    name: str
    state: str  # loading | running | paused | stopped | done
    reason: str = ""  # why it is not running
    total: int = 0
    created_at: float
    updated_at: float


class DialEntry(Struct, frozen=True, gc=False, kw_only=True):
    """One line of the list.

    waiting -> calling -> answered, failed or in-doubt, or waiting again; or skipped: never to be called.
    """

    list: str
    position: int  # from 1
    number: str  # canonical; as it was written where that is none
    variables: dict[str, str] = {}
    state: str = "waiting"
    reason: str = ""  # why it failed or was skipped; the cause of the last try of one that waits again
    attempts: int = 0
    tries: dict[str, int] = {}  # how often it was called again, by cause
    due: float = 0.0
    message: str = ""  # of the last call
    run: str = ""  # the session of the call that was answered
    updated_at: float

    @property
    def owner(self) -> str:
        """Under which its call is known, in the place of a run."""
        return f"{DIALLED}{self.list}:{self.position}"
