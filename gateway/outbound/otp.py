"""One-time passwords: issued, sent again, checked; and the guard against those who have codes sent for money.

    issue    a new one, or the one of that reference again while it is valid; Refused: not now
    check    success | invalid | expired | max-attempts

All that is valid is in memory, and so a decision is made at once; it holds once its unit is durable.

The guard: of a service's codes to one range of numbers few are ever entered where somebody is paid for the
traffic ("SMS pumping").  A range that was sent `least` codes within `window` and has entered fewer than
`ratio` of them is sent none for `hold`.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.model import OtpSettings, Service
from gateway.content.otp import Codes
from gateway.store.base import Delete, Store, Unit
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.ids import NewId
from gateway.values.otp import MASK, Format, Hidden, Otp, OtpState, token

log = logging.getLogger(__name__)

_KEPT_SECONDS = 3600.0  # after it has expired, to say so
_MOST = 500_000  # in memory

# service, what happened: issued, resent, success, invalid, expired, max-attempts, refused, held
Count = Callable[[str, str], None]


class Refused(BadInput):
    """No code is sent now.  `code` is cooldown, too_many, locked or held."""

    def __init__(self, reason: str, code: str, wait_seconds: float) -> None:
        super().__init__(reason, code=code)
        self.wait_seconds = wait_seconds


class Wanted(Struct, frozen=True, kw_only=True):
    """What a code is to be like; what is "" or 0 is as the service has it."""

    to: str  # canonical
    reference: str = ""
    format: str = ""
    length: int = 0
    validity_seconds: float = 0.0
    attempts: int = 0
    resend: str = ""  # same | new


class Issued(Struct, frozen=True):
    otp: Otp
    resent: bool

    @property
    def token(self) -> str:
        """To be put into a text, where it becomes the code on its way out."""
        return token(self.otp)


CheckOutcome = Literal["success", "invalid", "expired", "max-attempts"]


class Verdict(Struct, frozen=True):
    outcome: CheckOutcome
    otp: Otp

    @property
    def attempts_left(self) -> int:
        return max(0, self.otp.most_attempts - self.otp.attempts) if self.otp.state is OtpState.PENDING else 0


class Otps:
    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        codes: Codes,
        clock: Clock,
        new_id: NewId,
        randomness: Callable[[int], bytes],
        count: Count = lambda service, what: None,
    ) -> None:
        self._services = services
        self._codes = codes
        self._clock = clock
        self._new_id = new_id
        self._randomness = randomness
        self._count = count
        self._otps: dict[str, Otp] = {}
        self._latest: dict[tuple[str, str, str], str] = {}  # of service, address and reference
        self._of: dict[tuple[str, str], tuple[str, ...]] = {}  # by service and address
        self._sent: dict[tuple[str, str], float] = {}  # when last, by service and address
        self._forgetting: list[tuple[float, str]] = []  # a heap: when, and which
        self._guard = Guard()

    async def load(self, store: Store) -> None:
        for otp in await store.otps():
            self._keep(otp)
            self._guard.sent(otp, self._settings(otp.service), otp.sends)
            if otp.state is OtpState.USED:
                self._guard.entered(otp, self._settings(otp.service))

    def __len__(self) -> int:
        return len(self._otps)

    @property
    def holds(self) -> int:
        """Ranges of numbers that are sent no codes now."""
        return self._guard.holds(self._clock.now())

    def issue(self, unit: Unit, service: str, wanted: Wanted) -> Issued:
        """Raises BadInput, or Refused, which is one."""
        settings, now = self._settings(service), self._clock.now()
        before = self._current(service, wanted, now)
        try:
            self._may(service, wanted.to, before, settings, now)
        except Refused as refusal:
            self._count(service, "held" if refusal.code == "held" else "refused")
            raise
        after = self._resent(before, wanted, settings, now) if before else self._fresh(service, wanted, now)
        self._change(unit, before, after)
        self._guard.sent(after, settings, 1)
        self._count(service, "resent" if before else "issued")
        return Issued(after, before is not None)

    def check(self, unit: Unit, otp: Otp, given: str) -> Verdict:
        """Compare what a customer has entered.  A wrong code counts against it, a right one uses it up."""
        now = self._clock.now()
        outcome: CheckOutcome = "invalid"
        after = otp
        if otp.state is OtpState.LOCKED:
            outcome = "max-attempts"
        elif now >= otp.expires_at:
            outcome = "expired"
        elif otp.state is OtpState.PENDING and self._codes.right(otp, given):
            outcome, after = "success", replace(otp, state=OtpState.USED)
        elif otp.state is OtpState.PENDING:
            after = replace(otp, attempts=otp.attempts + 1)
            if after.attempts >= after.most_attempts:
                outcome, after = "max-attempts", replace(after, state=OtpState.LOCKED)
        if after is not otp:
            self._change(unit, otp, after)
        if outcome == "success":
            self._guard.entered(after, self._settings(after.service))
        self._count(otp.service, outcome)
        return Verdict(outcome, after)

    def said(self, otp: Otp) -> str:
        """What sessions have for the code in a text in which a customer has sent it back."""
        return self._codes.said(otp)

    def get(self, service: str, id: str) -> Otp | None:
        otp = self._otps.get(id)
        return otp if otp is not None and otp.service == service else None

    def latest(self, service: str, address: str, reference: str) -> Otp | None:
        """The last one to that address under that reference, expired or not."""
        return self._otps.get(self._latest.get((service, address, reference), ""))

    def hide(self, services: Sequence[str], address: str, text: str) -> Hidden | None:
        """A customer's text to one of these services, if it says a code that was sent there, or looks so."""
        now = self._clock.now()
        valid = [
            otp
            for service in services
            for id in self._of.get((service, address), ())
            if now < (otp := self._otps[id]).expires_at
        ]
        for otp in valid:
            if (hidden := self._codes.hidden(otp, text)) is not None:
                return hidden
        digits = text.strip()
        for otp in valid:
            if digits.isdecimal() and len(digits) == otp.length and otp.state is OtpState.PENDING:
                return Hidden(
                    text.replace(digits, MASK * otp.length),
                    re.compile(digits),
                    otp.length,
                    digits,
                    otp.service,
                )
        return None

    def expire(self, unit: Unit) -> None:
        """Forget what has expired long ago."""
        now = self._clock.now()
        while self._forgetting and self._forgetting[0][0] <= now:
            _, id = heappop(self._forgetting)
            otp = self._otps.get(id)
            if otp is None:
                continue
            if (due := self._due(otp)) > now:  # it was sent again
                heappush(self._forgetting, (due, id))
                continue
            unit.writes.append(Delete(Otp, (id,)))
            self._forget(otp)
        self._guard.trim(self._settings, now)

    def _due(self, otp: Otp) -> float:
        """When it may be forgotten: the guard wants to know of it as long as its window is."""
        window = self._settings(otp.service).guard.window
        return max(otp.expires_at + _KEPT_SECONDS, otp.created_at + window)

    def _settings(self, service: str) -> OtpSettings:
        found = self._services.get(service)
        return found.otp if found is not None else OtpSettings()

    def _current(self, service: str, wanted: Wanted, now: float) -> Otp | None:
        """The one that a request would send again."""
        otp = self.latest(service, wanted.to, wanted.reference)
        return otp if otp is not None and otp.state is not OtpState.USED and now < otp.expires_at else None

    def _may(self, service: str, address: str, before: Otp | None, settings: OtpSettings, now: float) -> None:
        """Raises Refused."""
        # whatever it is for: a number that is sent code after code is being pumped, or pestered
        wait = self._sent.get((service, address), 0.0) + settings.cooldown - now
        if wait > 0:
            raise Refused(f"a code was sent there just now; the next in {wait:.0f} s", "cooldown", wait)
        if before is not None and before.state is OtpState.LOCKED:
            wait = before.expires_at - now
            raise Refused(f"too many wrong codes were entered; the next in {wait:.0f} s", "locked", wait)
        if before is not None and before.sends >= settings.sends:
            wait = before.expires_at - now
            reason = f"the code was sent {before.sends} times already; the next in {wait:.0f} s"
            raise Refused(reason, "too_many", wait)
        if (until := self._guard.held(service, address, settings, now)) > now:
            wait = until - now
            reason = (
                "of the codes sent to that range of numbers too few are entered: it is sent none "
                f"for {wait:.0f} s ([otp.guard])"
            )
            raise Refused(reason, "held", wait)
        if len(self._otps) >= _MOST:
            raise Refused("too many codes are waiting to be entered", "too_many", 60.0)

    def _fresh(self, service: str, wanted: Wanted, now: float) -> Otp:
        settings = self._settings(service)
        validity = wanted.validity_seconds or float(settings.validity)
        otp = Otp(
            id=self._new_id(),
            service=service,
            address=wanted.to,
            reference=wanted.reference,
            format=Format(wanted.format or settings.format),
            length=wanted.length or settings.length,
            salt=self._randomness(8).hex(),
            hash="",
            most_attempts=wanted.attempts or settings.attempts,
            created_at=now,
            sent_at=now,
            expires_at=now + validity,
            validity_seconds=validity,
        )
        return self._hashed(otp)

    def _resent(self, before: Otp, wanted: Wanted, settings: OtpSettings, now: float) -> Otp:
        # wrong tries stay counted: sending a code again must not give more of them
        after = replace(before, sends=before.sends + 1, sent_at=now, expires_at=now + before.validity_seconds)
        if (wanted.resend or settings.resend) == "new":
            after = self._hashed(
                replace(after, generation=after.generation + 1, salt=self._randomness(8).hex())
            )
        return after

    def _hashed(self, otp: Otp) -> Otp:
        return replace(otp, hash=self._codes.hash(otp.salt, self._codes.of(otp)))

    def _change(self, unit: Unit, before: Otp | None, after: Otp) -> None:
        self._keep(after)
        unit.writes.append(after)
        unit.undo.append(lambda: self._keep(before) if before is not None else self._forget(after))

    def _keep(self, otp: Otp) -> None:
        if otp.id not in self._otps:
            heappush(self._forgetting, (self._due(otp), otp.id))
            self._of[otp.service, otp.address] = (*self._of.get((otp.service, otp.address), ()), otp.id)
        self._otps[otp.id] = otp
        self._latest[otp.service, otp.address, otp.reference] = otp.id
        place = otp.service, otp.address
        self._sent[place] = max(otp.sent_at, self._sent.get(place, 0.0))

    def _forget(self, otp: Otp) -> None:
        self._otps.pop(otp.id, None)
        place = otp.service, otp.address
        if left := tuple(id for id in self._of.get(place, ()) if id != otp.id):
            self._of[place] = left
        else:
            self._of.pop(place, None)
        if self._latest.get(key := (otp.service, otp.address, otp.reference)) == otp.id:
            del self._latest[key]
        if self._sent.get(place) == otp.sent_at:
            del self._sent[place]


class Guard:
    """What was sent to each range of numbers lately, and what of it was entered."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], deque[float]] = {}  # when, the oldest first
        self._entered: dict[tuple[str, str], deque[float]] = {}
        self._held: dict[tuple[str, str], float] = {}

    def sent(self, otp: Otp, settings: OtpSettings, times: int) -> None:
        place = _range(otp, settings)
        self._sent.setdefault(place, deque()).extend([otp.sent_at] * times)

    def entered(self, otp: Otp, settings: OtpSettings) -> None:
        place = _range(otp, settings)
        # by the time it was sent, so that both go out of the window together
        self._entered.setdefault(place, deque()).append(otp.sent_at)

    def holds(self, now: float) -> int:
        self._held = {place: until for place, until in self._held.items() if until > now}
        return len(self._held)

    def held(self, service: str, address: str, settings: OtpSettings, now: float) -> float:
        """Until when that range is sent none; 0 = it may be."""
        guard = settings.guard
        place = (service, address[: guard.prefix + 1])
        if (until := self._held.get(place, 0.0)) > now:
            return until
        self._trim(place, now - guard.window)
        sent, entered = len(self._sent.get(place, ())), len(self._entered.get(place, ()))
        if not guard.least or sent < guard.least or entered >= guard.ratio * sent:
            return 0.0
        self._held[place] = until = now + guard.hold
        # so that it is judged anew after the hold
        self._sent.pop(place, None)
        self._entered.pop(place, None)
        log.warning(
            "otp.held",
            extra={"service": service, "range": f"{place[1]}...", "sent": sent, "entered": entered},
        )
        return until

    def trim(self, settings: Callable[[str], OtpSettings], now: float) -> None:
        """Let go of what is out of its window."""
        for place in {*self._sent, *self._entered}:
            self._trim(place, now - settings(place[0]).guard.window)

    def _trim(self, place: tuple[str, str], since: float) -> None:
        for counts in (self._sent, self._entered):
            times = counts.get(place)
            while times and times[0] <= since:
                times.popleft()
            if times is not None and not times:
                del counts[place]


def _range(otp: Otp, settings: OtpSettings) -> tuple[str, str]:
    return otp.service, otp.address[: settings.guard.prefix + 1]  # with its plus sign
