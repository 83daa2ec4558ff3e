"""delay: go on after a while, at a certain time, or within certain hours.

type = "delay"
for = "2h"                  # or until = "2026-12-24T18:00", or "18:00": the next time that it is so late
window = "09:00-18:00"      # if it is not within these hours then, go on when they begin
days = ["mon", "tue", "wed", "thu", "fri"]
zone = "Europe/London"      # default: that of the customer's number
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

from msgspec import field

from gateway.config.model import Seconds
from gateway.flows.nodes.base import Context, Leave, Node, Resumed, Step, Wait
from gateway.values.errors import BadInput
from gateway.values.hours import ALL_DAY, DAYS, hours, oclock, within
from gateway.values.zone import Zone, zone_named, zone_of

_LIMIT_DAYS = 366


class DelayNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "delay"
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("done",)

    seconds: Seconds = field(default=Seconds(0), name="for")
    until: str = ""
    window: str = ""
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = field(default_factory=list)
    zone: str = ""

    def mistakes(self) -> list[tuple[str, str]]:
        found = []
        if self.seconds and self.until:
            found.append(("until", "set either for or until"))
        if not (self.seconds or self.until or self.window or self.days):
            found.append(("for", "must be longer than 0, unless until, window or days are set"))
        if self.window:
            try:
                hours(self.window)
            except BadInput as error:
                found.append(("window", error.reason))
        if self.until and "$(" not in self.until:
            try:
                _moment(self.until, 0.0, UTC)
            except BadInput as error:
                found.append(("until", error.reason))
        if self.zone and "$(" not in self.zone:
            try:
                zone_named(self.zone)
            except BadInput as error:
                found.append(("zone", error.reason))
        return found

    def texts(self) -> list[tuple[str, str]]:
        return [("until", self.until), ("zone", self.zone)]

    def pauses(self) -> bool:
        return bool(self.seconds)  # the others may be over already

    def enter(self, context: Context) -> Step:
        zone = zone_named(named) if (named := context.text(self.zone)) else zone_of(context.run.customer)
        due = context.now + self.seconds
        if self.until:
            due = max(_moment(context.text(self.until), context.now, zone), context.now)
        if self.window or self.days:
            span = hours(self.window) if self.window else ALL_DAY
            due = within(due, zone, span, {DAYS.index(day) for day in self.days} or range(7))
        return Wait("delay", due) if due > context.now else Leave("done")

    def resume(self, context: Context, input: Resumed) -> Step:
        return Leave("done")


def _moment(text: str, now: float, zone: Zone) -> float:
    """Unix seconds of a date and time, or of the next time of day.  Raises BadInput."""
    local = datetime.fromtimestamp(now, zone)
    if (wanted := oclock(text)) is not None:
        moment = datetime.combine(local.date(), wanted, zone)
        if moment.timestamp() <= now:
            moment = datetime.combine(local.date() + timedelta(days=1), wanted, zone)
        return moment.timestamp()
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(f'{text!r} is no time; write "18:00" or "2026-12-24T18:00"') from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if moment.timestamp() > now + _LIMIT_DAYS * 86400 and now:
        raise BadInput(f"{text!r} is more than {_LIMIT_DAYS} days away")
    return moment.timestamp()
