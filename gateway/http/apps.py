"""The app channel's outside: tokens for a client's backend, and the WebSocket that its app connects to.

    POST   /v2/apps/{app}/devices  {"customer": "+447700900123"}   with key: a token for one installation
    DELETE /v2/apps/{app}/devices?customer=...                     with key: takes all of the customer's back
    GET    /v2/app    Authorization: Bearer TOKEN    (or Sec-WebSocket-Protocol: trunkline, TOKEN)

Over the WebSocket (RFC 6455) go JSON objects, one to a text frame:

    to the app      {"type": "message", "id", "from", "text", "sent"}
                    {"type": "accepted", "ref", "id"}    {"type": "refused", "ref", "code", "reason"}
    from the app    {"type": "delivered", "id"}          {"type": "read", "id"}
                    {"type": "text", "text", "ref"}      a text of the customer's; accepted once it is durable

What the app has not answered with `delivered` or `read` comes again when it connects, under the same id.  The
gateway pings every 30 seconds and hangs up on who has not answered after 15.  A connection that it ends has
a close code of channels.app.Close, 1003 (no text frame), 1008 (too many frames) or 1009 (a frame of more than
64 KiB).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Meta, Struct

from gateway.channels.app import NEWS, AppChannel, Close, unconfirmed
from gateway.http.auth import authenticate
from gateway.http.body import decode, octets
from gateway.http.deps import DEPS, Deps
from gateway.http.problem import Problem, answer, problem_of
from gateway.store.base import Delete, MessageQuery, Unit
from gateway.values.address import masked, subscriber
from gateway.values.clock import iso
from gateway.values.customer import Device
from gateway.values.errors import BadAddress, GatewayError, StoreError, Throttled
from gateway.values.outcome import Status

log = logging.getLogger(__name__)

LIMIT_OCTETS = 64 * 1024
SUBPROTOCOL = "trunkline"
_LONGEST_FRAME = 64 * 1024
_WAITING = 100  # frames that an installation may leave untaken
_AGAIN = 1_000  # messages that one which connects is given again, at most
_HEARTBEAT_SECONDS = 30.0  # between pings; half of that for the answer
_FRAMES_A_SECOND = 20.0
_BURST = 60.0


class DeviceIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    customer: Annotated[str, Meta(description="The number of the customer who has signed in")]


class DeviceOut(Struct, frozen=True, kw_only=True):
    token: Annotated[str, Meta(description="Shown once: the app connects with it")]
    app: str
    customer: str
    expires: str


class Revoked(Struct, frozen=True):
    customer: str
    revoked: int  # installations


class FrameIn(Struct, frozen=True, kw_only=True):
    type: Literal["delivered", "read", "text"]
    id: str = ""
    text: str = ""
    ref: Annotated[str, Meta(max_length=200)] = ""


_frame = msgspec.json.Decoder(FrameIn).decode
_text = msgspec.json.Encoder().encode


def routes() -> list[web.RouteDef]:
    return [
        web.post("/v2/apps/{app}/devices", issue),
        web.delete("/v2/apps/{app}/devices", revoke),
        web.get("/v2/app", connect),
    ]


async def issue(request: web.Request) -> web.Response:
    """A token for one installation of the app, for one customer."""
    service, app = _app(request)
    deps, unit = request.app[DEPS], Unit()
    if deps.services[service].status != "live":
        raise Problem(403, "suspended", f"service {service!r} is suspended")
    body = decode(await octets(request, LIMIT_OCTETS), DeviceIn)
    address = _customer(body.customer, deps, service)
    valid = float(deps.services[service].apps[app].token_valid)
    token, device = deps.devices.issue(unit, (service, app, address), deps.clock.now(), valid)
    await unit.commit(deps.store)
    deps.apps.dismiss()  # it may have taken the place of another
    shown = DeviceOut(token=token, app=app, customer=address, expires=iso(device.expires_at))
    return answer(shown, 201)


async def revoke(request: web.Request) -> web.Response:
    service, app = _app(request)
    deps, unit = request.app[DEPS], Unit()
    address = _customer(request.query.get("customer", ""), deps, service)
    revoked = deps.devices.revoke(unit, (service, app, address))
    await unit.commit(deps.store)
    deps.apps.dismiss()
    return answer(Revoked(address, revoked))


async def connect(request: web.Request) -> web.StreamResponse:
    """The WebSocket of one installation."""
    deps = request.app[DEPS]
    token, protocols = _token(request)
    device = _holder(token, deps)
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_LONGEST_FRAME, protocols=protocols
    )
    if not socket.can_prepare(request).ok:
        raise Problem(426, "no_websocket", "this address speaks WebSocket", headers={"Upgrade": "websocket"})
    link = _Link(device, deps.apps)
    if not deps.apps.join(link):
        raise Problem(503, "full", "too many apps are connected", headers={"Retry-After": "30"})
    log.info("app.connected", extra={"app": device.app, "customer": masked(device.address)})
    valid = device.expires_at - deps.clock.now()
    expiry = asyncio.get_running_loop().call_later(valid, link.close, Close.TOKEN, "the token is too old")
    tasks = list[asyncio.Task[None]]()
    try:
        await socket.prepare(request)
        tasks = [asyncio.create_task(link.write(socket)), asyncio.create_task(_catch_up(link, deps))]
        await _read(socket, link, deps)
    finally:
        expiry.cancel()
        deps.apps.leave(link)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info(
            "app.gone",
            extra={"app": device.app, "customer": masked(device.address), "code": socket.close_code or 0},
        )
    return socket


class _Link:
    """An installation, and the frames that wait for it; `apps` is told when it takes some again."""

    def __init__(self, device: Device, apps: AppChannel) -> None:
        self.device = device
        self._apps = apps
        self._waiting = deque[str]()
        self._news = asyncio.Event()  # a frame waits, or the end
        self._room = asyncio.Event()
        self._end: tuple[Close, str] | None = None
        self._refused = False
        self.answers = 0  # frames that it owes for what it was given: delivered and read for each message

    def push(self, frame: Mapping[str, object]) -> bool:
        if self._end is not None or len(self._waiting) >= _WAITING:
            self._refused = True
            return False
        self._waiting.append(_text(frame).decode())
        if frame["type"] == "message":
            self.answers += 2
        self._news.set()
        return True

    async def give(self, frame: Mapping[str, object]) -> None:
        """The same, however long that takes."""
        while not self.push(frame):
            self._room.clear()
            await self._room.wait()

    def close(self, code: Close, reason: str) -> None:
        """Frames that still wait are not sent: those of messages come again."""
        if self._end is None:
            self._end = code, reason
            self._news.set()

    async def write(self, socket: web.WebSocketResponse) -> None:
        while self._end is None:
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            await socket.send_str(self._waiting.popleft())
            if self._refused and len(self._waiting) <= _WAITING // 2:
                self._refused = False
                self._room.set()
                self._apps.room(self)
        code, reason = self._end
        await socket.close(code=code, message=reason.encode())


async def _catch_up(link: _Link, deps: Deps) -> None:
    """Give it again what was given to an installation of the customer's that has not told that it has it;
    then it is ready for what waits, and for what comes."""
    device, now = link.device, deps.clock.now()
    query = MessageQuery(
        service=device.service, direction="mt", status=Status.SENT, address=device.address, limit=_AGAIN
    )
    try:
        await deps.store.commit([Delete(Device, ("",))])  # behind it the store tells all that was given
        for stored in reversed(await deps.store.messages(query)):
            message = await deps.message(stored.id)
            if message is not None and unconfirmed(message, device):
                within = message.plan[message.step].within_seconds
                if now < message.created_at + within:
                    await link.give(deps.apps.frame(message, message.step))
    except (StoreError, Throttled):
        link.close(Close.STORE, "the store fails at the moment; come again")
        return
    deps.apps.ready(link)


def _holder(token: str, deps: Deps) -> Device:
    """Raises Problem."""
    how = "POST /v2/apps/APP/devices gives one"
    challenge = {"WWW-Authenticate": "Bearer"}
    if not token:
        reason = f"the token is missing, Authorization: Bearer TOKEN; {how}"
        raise Problem(401, "no_token", reason, headers=challenge)
    device = deps.devices.holder(token, deps.clock.now())
    if device is None:
        reason = f"the token is unknown, was revoked or is too old; {how}"
        raise Problem(401, "unknown_token", reason, headers=challenge)
    service = deps.services.get(device.service)
    if service is None or device.app not in service.apps:
        raise Problem(404, "unknown_app", f"the app {device.app!r} is no longer served")
    if service.status != "live":
        raise Problem(403, "suspended", f"service {device.service!r} is suspended")
    return device


async def _read(socket: web.WebSocketResponse, link: _Link, deps: Deps) -> None:
    clock, allowed, at = deps.clock, _BURST, deps.clock.monotonic()
    async for message in socket:
        now = clock.monotonic()
        allowed, at = min(_BURST, allowed + (now - at) * _FRAMES_A_SECOND) - 1, now
        if allowed < 0 and link.answers > 0:
            allowed, link.answers = allowed + 1, link.answers - 1
        if allowed < 0:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too many frames")
            return
        if message.type is not WSMsgType.TEXT:
            await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"text frames of JSON only")
            return
        try:
            frame = _frame(message.data)
        except msgspec.MsgspecError as error:
            link.push({"type": "refused", "ref": "", "code": "bad_frame", "reason": str(error)})
            continue
        if frame.type == "text":
            await _take(frame, link, deps)
        elif not await _told(frame, link.device, deps):
            reason = f"{frame.id!r} is no message to this installation"
            link.push({"type": "refused", "ref": frame.ref, "code": "unknown_id", "reason": reason})


async def _take(frame: FrameIn, link: _Link, deps: Deps) -> None:
    """A customer's text, which is said to be accepted once it is durable, and before what answers it."""
    unit = Unit()
    try:
        id = deps.app_texts.received(unit, link.device, frame.text)
        accepted = {"type": "accepted", "ref": frame.ref, "id": id}
        unit.acts.insert(0, partial(_tell, link, accepted))
        await unit.commit(deps.store)
    except GatewayError as error:
        body = problem_of(error).body
        link.push({"type": "refused", "ref": frame.ref, "code": body.code, "reason": body.reason})


def _tell(link: _Link, frame: Mapping[str, object]) -> None:
    link.push(frame)


async def _told(frame: FrameIn, device: Device, deps: Deps) -> bool:
    id, _, step = frame.id.rpartition("/")
    if not id or not step.isdecimal() or len(step) > 3:
        return False
    return deps.apps.told(device, await deps.message(id), int(step), NEWS[frame.type])


def _app(request: web.Request) -> tuple[str, str]:
    service, app = authenticate(request), request.match_info["app"]
    apps = request.app[DEPS].services[service].apps
    if app not in apps:
        known = ", ".join(apps) or "none"
        raise Problem(404, "unknown_app", f"service {service!r} has no app {app!r} (it has: {known})")
    return service, app


def _customer(text: str, deps: Deps, service: str) -> str:
    try:
        return subscriber(text, deps.services[service].country)
    except BadAddress as error:
        raise BadAddress(error.reason, field="customer") from None


def _token(request: web.Request) -> tuple[str, tuple[str, ...]]:
    """The token, and the subprotocol to agree on: a browser can set no header but that one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip(), ()
    offered = [word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if len(offered) == 2 and offered[0] == SUBPROTOCOL:
        return offered[1], (SUBPROTOCOL,)
    return "", ()
