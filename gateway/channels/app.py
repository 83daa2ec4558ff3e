"""The app channel: messages that a client's own app shows, on installations that are connected right now.

One that is not connected takes nothing: the step is not available, and the chain goes on.  What an
installation is given has an id, "MESSAGE/STEP", by which it tells that it has it (delivered) and that it was
seen (read).  After a crash the same may come twice, under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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


class Link(Protocol):
    """A connected installation."""

    @property
    def device(self) -> Device: ...
    def push(self, frame: Mapping[str, object]) -> bool:
        """Hand it a frame.  False: it takes no more at the moment."""
        ...

    def close(self, reason: str) -> None: ...


class AppChannel:
    """`refusal` is the consent test."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        devices: Devices,
        clock: Clock,
        refusal: Callable[[str, str], str],
        codes: Codes,
        report: Report,
    ) -> None:
        self._services = services
        self._devices = devices
        self._clock = clock
        self._refusal = refusal
        self._codes = codes
        self._report = report
        self._links: dict[Key, list[Link]] = {}
        self._connected = 0

    @property
    def connected(self) -> int:
        """How many installations are."""
        return self._connected

    def join(self, link: Link) -> bool:
        """An installation has connected.  False: there are too many."""
        if self._connected >= MAX_LINKS:
            return False
        self._links.setdefault(_key(link.device), []).append(link)
        self._connected += 1
        return True

    def leave(self, link: Link) -> None:
        key = _key(link.device)
        links = self._links.get(key, [])
        if link in links:
            links.remove(link)
            self._connected -= 1
            if not links:
                del self._links[key]

    def dismiss(self) -> None:
        """Close those whose token, or whose app, is not known any more."""
        for link in [link for links in self._links.values() for link in links]:
            service = self._services.get(link.device.service)
            if service is None or link.device.app not in service.apps:
                link.close("the app is no longer served")
            elif not self._devices.known(link.device):
                link.close("the token was revoked")

    def close(self) -> None:
        """The gateway stops."""
        for link in [link for links in self._links.values() for link in links]:
            link.close("the gateway stops")

    def applicable(self, message: Message, step: StepPlan) -> str:
        if not self._devices.has((message.service, step.sender, message.recipient), self._clock.now()):
            return f"the customer has no installation of the app {step.sender}"
        return "" if message.consent_exempt else self._refusal(message.service, message.recipient)

    def available(self, message: Message, step: StepPlan) -> Carrier:
        if (message.service, step.sender, message.recipient) in self._links:
            return Carrier(step.sender)
        return Carrier("", f"no installation of the app {step.sender} is connected")

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        step = message.plan[index]
        text = step.text
        if step.code is not None:
            text = self._codes.reveal(text, step.code, message.service, message.recipient)
        frame = {
            "type": "message",
            "id": f"{message.id}/{index}",
            "from": step.sender,
            "text": text,
            "sent": iso(self._clock.now()),
        }
        links = self._links.get((message.service, step.sender, message.recipient), [])
        taken = [link for link in links if link.push(frame)]  # each of them shows it
        if taken:
            outcome = Outcome(Result.ACCEPTED, carrier=step.sender)
        else:
            reason = f"no installation of the app {step.sender} is connected any more"
            outcome = Outcome(Result.UNREACHABLE, reason, carrier=step.sender)
        self._report(message.id, index, outcome, ())
        return True

    def abandon(self, message: str, index: int) -> None:
        pass  # what an installation has been given it shows

    def parts(self, message: Message, index: int, carrier: str) -> int:
        return 1

    def told(self, device: Device, message: Message | None, index: int, news: Result) -> bool:
        """An installation says that it has the message, or that it was seen.  False: it is not to it."""
        if message is None or not 0 <= index < len(message.plan):
            return False
        step = message.plan[index]
        own = (message.service, step.sender, message.recipient) == _key(device) and step.channel == "app"
        if own:
            self._report(message.id, index, Outcome(news, carrier=device.app), ())
        return own


def _key(device: Device) -> Key:
    return device.service, device.app, device.address
