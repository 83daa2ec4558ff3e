"""What the API needs of the rest of the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from aiohttp import web

from gateway.channels.app import AppChannel
from gateway.config.model import Service
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.directory.devices import Devices
from gateway.directory.offences import Offences
from gateway.inbound.app import AppTexts
from gateway.inbound.custom import CustomEvents
from gateway.observe.health import CarrierState
from gateway.observe.metrics import Metrics
from gateway.outbound.accept import Accepting, SendRequest
from gateway.outbound.links import Links
from gateway.outbound.otp import Otps
from gateway.store.base import Store
from gateway.values.clock import Clock
from gateway.values.dial import DialList
from gateway.values.errors import BadInput
from gateway.values.message import Message

__all__ = ["DEPS", "CarrierState", "Deps"]


class Reading(Protocol):
    """How a text goes on air (protocol.sms.preview.Reading); `coding` is a protocol.sms.coding.Coding."""

    @property
    def text(self) -> str: ...
    @property
    def coding(self) -> IntEnum: ...
    @property
    def segments(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def parts(self) -> Sequence[str]: ...
    @property
    def tables(self) -> Sequence[str]: ...


class Preview(Protocol):
    """That, why, and how it would with plain characters (protocol.sms.preview.Preview)."""

    @property
    def now(self) -> Reading: ...
    @property
    def given(self) -> Reading | None: ...
    @property
    def foreign(self) -> Mapping[str, int]: ...
    @property
    def transliterated(self) -> Reading | None: ...


class SubmitSoon(Protocol):
    """OutboundPipeline.submit_soon."""

    def __call__(
        self,
        requests: Sequence[SendRequest],
        done: Callable[[list[Message | BadInput] | BaseException], None],
        /,
    ) -> None: ...


class Progress(Protocol):
    """outbound.dialler.Progress."""

    @property
    def list(self) -> DialList: ...
    @property
    def counts(self) -> Mapping[str, int]: ...


class Dialling(Protocol):
    """outbound.dialler.Dialler; each raises BadInput, StoreError or Throttled."""

    async def start(self, service: str, name: str, /) -> DialList: ...
    async def pause(self, service: str, name: str, /) -> DialList: ...
    async def resume(self, service: str, name: str, /) -> DialList: ...
    async def end(self, service: str, name: str, /) -> DialList: ...
    async def progress(self, service: str, name: str, /) -> Progress: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    submit_soon: SubmitSoon
    store: Store
    services: Mapping[str, Service]  # may change by a reload, in place
    clock: Clock
    consents: Consents
    customers: Customers
    offences: Offences
    events: CustomEvents
    dialler: Dialling
    # how many segments a text takes as SMS by a bind, "" = by most; may be more than can be sent
    segments: Callable[[str, str], int]
    preview: Callable[[str, str], Preview]  # of a text by a bind likewise; raises BadInput
    carriers: Callable[[], Sequence[CarrierState]]
    health: Callable[[], list[str]]  # what is wrong, as sentences
    metrics: Metrics
    accepting: Accepting  # one message, in a unit with what belongs to it
    otps: Otps
    links: Links
    devices: Devices
    apps: AppChannel
    app_texts: AppTexts
    message: Callable[[str], Awaitable[Message | None]]  # as it is now; raises StoreError
    stopping: Callable[[], bool] = lambda: False


DEPS = web.AppKey("deps", Deps)
