"""The app channel: messages that a client's own app shows.

What an installation is given has an id, "MESSAGE/STEP", by which it tells that it has it (delivered) and that
it was seen (read).  Whatever it has not told so comes again, under the same id, when an installation of the
customer's connects: first what it was given before, then what has waited, in order of age.

A message waits in the store for a customer who is away if its step says so (StepPlan.away).  Each customer of
an app has a queue of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import IntEnum
from typing import Protocol

from gateway.channels.base import Carrier, Report
from gateway.config.model import Service
from gateway.content.otp import Codes
from gateway.directory.devices import Devices, Key
from gateway.values.clock import Clock, iso
from gateway.values.customer import Device
from gateway.values.message import Message, StepPlan
from gateway.values.outcome import Outcome, Result

MAX_LINKS = 20_000  # connected at once, over all
NEWS = {"delivered": Result.DELIVERED, "read": Result.READ}
_QUEUE = "app:"


class Close(IntEnum):
    """Why the gateway ends a connection: RFC 6455 section 7.4, and codes of our own after those of HTTP."""

    STOPPING = 1001
    TOKEN = 4401  # it was revoked, or is too old
    SUSPENDED = 4403
    GONE = 4404  # the app is no longer served
    REPLACED = 4409  # the same installation has connected again
    STORE = 4503


class Link(Protocol):
    """A connected installation."""

    @property
    def device(self) -> Device: ...
    def push(self, frame: Mapping[str, object]) -> bool:
        """Hand it a frame.  False: it takes no more at the moment, and says so by `AppChannel.room` later."""
        ...

    def close(self, code: Close, reason: str) -> None: ...


class AppChannel:
    """`refusal` is the consent test; `room(queue)` is told when somebody there takes what waits in it."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        devices: Devices,
        clock: Clock,
        refusal: Callable[[str, str], str],
        codes: Codes,
        report: Report,
        room: Callable[[str], None],
    ) -> None:
        self._services = services
        self._devices = devices
        self._clock = clock
        self._refusal = refusal
        self._codes = codes
        self._report = report
        self._room = room
        self._joined: dict[str, Link] = {}  # by the digest of the token: one installation connects once
        self._ready: dict[str, list[Link]] = {}  # by queue: those that are given what comes

    @property
    def connected(self) -> int:
        """How many installations are."""
        return len(self._joined)

    def absent(self, queue: str) -> bool:
        """Whether it is the queue of a customer who is not connected."""
        return queue.startswith(_QUEUE) and queue not in self._ready

    def join(self, link: Link) -> bool:
        """An installation has connected; it is given nothing before it is `ready`.  False: too many have.

        Another connection of the same installation ends: an app that has lost its network comes again long
        before the old one is found out.
        """
        digest = link.device.digest
        before = self._joined.get(digest)
        if before is None and len(self._joined) >= MAX_LINKS:
            return False
        if before is not None:
            self.leave(before)
            before.close(Close.REPLACED, "this installation has connected again")
        self._joined[digest] = link
        return True

    def ready(self, link: Link) -> None:
        """It has been given again what it had not told of: now comes what waits."""
        if self._joined.get(link.device.digest) is link:
            queue = _queue(_key(link.device))
            self._ready.setdefault(queue, []).append(link)
            self._room(queue)

    def room(self, link: Link) -> None:
        """An installation that took no more does again."""
        if link in self._ready.get(queue := _queue(_key(link.device)), ()):
            self._room(queue)

    def leave(self, link: Link) -> None:
        if self._joined.get(link.device.digest) is link:
            del self._joined[link.device.digest]
        queue = _queue(_key(link.device))
        links = self._ready.get(queue, [])
        if link in links:
            links.remove(link)
            if not links:
                del self._ready[queue]

    def dismiss(self) -> None:
        """Close those that may not be connected any more."""
        for link in list(self._joined.values()):
            service = self._services.get(link.device.service)
            if service is None or link.device.app not in service.apps:
                link.close(Close.GONE, "the app is no longer served")
            elif service.status != "live":
                link.close(Close.SUSPENDED, "the service is suspended")
            elif not self._devices.known(link.device):
                link.close(Close.TOKEN, "the token was revoked")

    def close(self) -> None:
        """The gateway stops."""
        for link in list(self._joined.values()):
            link.close(Close.STOPPING, "the gateway stops")

    def applicable(self, message: Message, step: StepPlan) -> str:
        if not self._devices.has((message.service, step.sender, message.recipient), self._clock.now()):
            return f"the customer has no installation of the app {step.sender}"
        return "" if message.consent_exempt else self._refusal(message.service, message.recipient)

    def available(self, message: Message, step: StepPlan) -> Carrier:
        queue = _queue((message.service, step.sender, message.recipient))
        if queue in self._ready:
            return Carrier(step.sender, queue=queue)
        reason = f"no installation of the app {step.sender} is connected"
        return Carrier(step.sender if step.away else "", reason, queue)

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        step = message.plan[index]
        links = self._ready.get(_queue((message.service, step.sender, message.recipient)), [])
        frame = self.frame(message, index)
        taken = [link for link in links if link.push(frame)]  # each of them shows it
        if taken:
            outcome = Outcome(Result.ACCEPTED, carrier=step.sender)
        elif step.away:
            return False
        else:
            reason = f"no installation of the app {step.sender} is connected any more"
            outcome = Outcome(Result.UNREACHABLE, reason, carrier=step.sender)
        self._report(message.id, index, outcome, ())
        return True

    def frame(self, message: Message, index: int) -> Mapping[str, object]:
        """What an installation is given of a step."""
        step = message.plan[index]
        text = step.text
        if step.code is not None:
            text = self._codes.reveal(text, step.code, message.service, message.recipient)
        return {
            "type": "message",
            "id": f"{message.id}/{index}",
            "from": step.sender,
            "text": text,
            "sent": iso(message.created_at),
        }

    def abandon(self, message: str, index: int) -> None:
        pass  # what an installation has been given it shows

    def parts(self, message: Message, index: int, carrier: str) -> int:
        return 1

    def told(self, device: Device, message: Message | None, index: int, news: Result) -> bool:
        """An installation says that it has the message, or that it was seen.  False: it is not to it."""
        if message is None or not 0 <= index < len(message.plan):
            return False
        own = (message.service, message.plan[index].sender, message.recipient) == _key(device)
        if own and message.plan[index].channel == "app":
            self._report(message.id, index, Outcome(news, carrier=device.app), ())
            return True
        return False


def unconfirmed(message: Message, device: Device) -> bool:
    """Whether an installation of that app was given the message, and none has told that it has it."""
    if message.step < 0 or message.service != device.service:
        return False
    plan, record = message.plan[message.step], message.steps[message.step]
    return (plan.channel, plan.sender, record.result) == ("app", device.app, Result.ACCEPTED)


def _key(device: Device) -> Key:
    return device.service, device.app, device.address


def _queue(key: Key) -> str:
    return _QUEUE + "/".join(key)
