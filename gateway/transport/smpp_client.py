"""The sessions of one bind to a carrier: they connect, or the carrier does (outbind), stay bound, and carry
messages both ways.

What is to be sent goes through a `Dispatcher`; this module keeps the connections, hands inbound messages out,
and stops in an orderly way.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from gateway.config.model import Bind
from gateway.protocol.smpp import pdu
from gateway.protocol.smpp.constants import ESME_RX_T_APPN, status_text
from gateway.protocol.smpp.events import (
    Answered,
    BindRefused,
    Bound,
    Closed,
    Event,
    Notified,
    Requested,
    StrayResponse,
    TimedOut,
)
from gateway.protocol.smpp.pacing import Backoff
from gateway.protocol.smpp.pdu import Request, Response
from gateway.protocol.smpp.session import NotBound, SmppSession
from gateway.protocol.smpp.states import Role
from gateway.transport.smpp_dispatch import Dispatcher
from gateway.transport.smpp_lanes import Lane
from gateway.transport.smpp_link import Respond, SmppLink
from gateway.transport.smpp_outbind import OutbindListener
from gateway.transport.smpp_submission import Begun, Submission, SubmitResult

log = logging.getLogger(__name__)

UNBIND_SECONDS = 2.0  # for unbind_resp, when the grace is used up

_BINDS: dict[str, type[pdu.Bind]] = {
    "transmitter": pdu.BindTransmitter,
    "receiver": pdu.BindReceiver,
    "transceiver": pdu.BindTransceiver,
}


class Inbound(Struct, frozen=True):
    """A deliver_sm or data_sm that waits for our answer."""

    bind: str
    session: int
    pdu: pdu.DeliverSm | pdu.DataSm


class BindGroup:
    """All sessions of the bind `name`.  Every method belongs to the event loop's thread.

    `hand_over(batch)` is awaited before the first segment of its messages is written: the caller records them
    as begun; if it raises they stay queued.  `on_result` is called once for each segment of a message handed
    over, `on_late` when the answer to a segment in doubt comes after all.  `on_rest` is called when a message
    rests after a temporary error: the carrier has nothing of it but the parts it accepted, and it will be
    handed over again; `on_put_off(name, "throttled" or "retried")` of each answer that puts a segment off.
    `on_breaker` is called when failures in a row have opened the bind's breaker (`trouble`).
    `on_deliver` tells the status that answers an inbound message.  `on_state(name, up, reason)` tells when
    the first session is bound and when the last is gone.  `on_room`, if set, is called when the queue has
    room again after `enqueue` said False.
    """

    def __init__(
        self,
        name: str,
        config: Bind,
        *,
        hand_over: Callable[[list[Submission]], Awaitable[None]],
        on_result: Callable[[Submission, SubmitResult], None],
        on_deliver: Callable[[Inbound, Respond], None],
        on_state: Callable[[str, bool, str], None],
        on_late: Callable[[Submission, SubmitResult], None] | None = None,
        on_rest: Callable[[Submission], None] | None = None,
        on_put_off: Callable[[str, str], None] | None = None,
        on_breaker: Callable[[], None] | None = None,
        rng: random.Random | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """`ssl_context` replaces the default one where `config.tls` is set.  Raises EncodeError."""
        self.name = name
        self.config = config
        self.up = False  # a session is bound; asked for every message
        self.reason = "not started"
        self._on_deliver = on_deliver
        self._on_state = on_state
        self._rng = rng or random.Random()
        self._ssl = ssl_context
        self._bind_request = _BINDS[config.mode](
            system_id=config.system_id.encode(),
            password=config.password.encode(),
            system_type=config.system_type.encode(),
            interface_version=int(config.interface_version.replace(".", ""), 16),
        )
        self._bind_request.encode(1)  # what SMPP cannot express fails here, not at each attempt to connect
        kept = config.sessions if config.host else 0
        self._dispatcher = Dispatcher(
            name,
            config,
            lanes=kept + (config.sessions if config.outbind else 0),
            hand_over=hand_over,
            on_result=on_result,
            on_late=on_late,
            on_rest=on_rest,
            on_put_off=on_put_off,
            on_breaker=on_breaker,
        )
        self._kept = self._dispatcher.lanes[:kept]  # whose connections we make
        self._lent = self._dispatcher.lanes[kept:]  # and those that the carrier makes
        self._outbind = (
            OutbindListener(name, config, take=self._take, writable_again=self._writable_again)
            if config.outbind
            else None
        )
        self._links: dict[int, SmppLink] = {}  # the latest of each lane
        self._keepers: list[asyncio.Task[None]] = []
        self._pumps: list[asyncio.Task[None]] = []

    # what the caller sees

    @property
    def queued(self) -> int:
        """Messages that wait to be handed over."""
        return len(self._dispatcher.queue)

    @property
    def outstanding(self) -> int:
        """Segments that were written and have no answer yet."""
        return self._dispatcher.outstanding

    @property
    def trouble(self) -> str:
        """Why a bind that is up should not be chosen now; "" = it may be."""
        breaker = self._dispatcher.breaker
        if not breaker.until or not breaker.open(now := asyncio.get_running_loop().time()):
            return ""
        left = breaker.until - now
        return f"its breaker is open for {left:.0f} s more, {breaker.failures} failures in a row"

    @property
    def on_room(self) -> Callable[[], None] | None:
        return self._dispatcher.on_room

    @on_room.setter
    def on_room(self, callback: Callable[[], None] | None) -> None:
        self._dispatcher.on_room = callback

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.reason = "connecting" if self._kept else "no outbind has come yet"
        self._keepers = [loop.create_task(self._keep(lane)) for lane in self._kept]
        if self._outbind is not None:
            self._keepers.append(loop.create_task(self._outbind.open()))
        self._pumps = [loop.create_task(self._dispatcher.pump())]
        for task in (*self._keepers, *self._pumps):
            task.add_done_callback(self._ended)

    def enqueue(self, submission: Submission) -> bool:
        """Take a message.  False: the queue is full, or the bind stops or only receives; keep it yourself."""
        return self.config.mode != "receiver" and self._dispatcher.enqueue(submission)

    async def ask(self, request: Request) -> Response | None:
        """Send a request that is no message; its answer, None if that does not come.

        Raises NotBound while no session has room for it.
        """
        loop = asyncio.get_running_loop()
        link = self._dispatcher.spare(loop.time())
        if link is None:
            raise NotBound(f"no session of {self.name} has room")
        answer: asyncio.Future[Response | None] = loop.create_future()
        link.session.send(request, loop.time(), answer)
        link.settle()
        return await answer

    async def stop(self, grace_seconds: float) -> list[Submission]:
        """Finish what was begun within the grace, unbind, close.  Gives back what was never handed over.

        What has no answer then is in doubt, what was begun and not written is unsent: `on_result` tells.
        """
        dispatcher = self._dispatcher
        dispatcher.stopping = True
        dispatcher.release()  # what rests is given up
        await _cancel(self._keepers)
        if self._outbind is not None:
            await self._outbind.close()
        links = [link for link in self._links.values() if not link.gone.is_set()]
        try:
            async with asyncio.timeout(grace_seconds):
                if links:
                    await dispatcher.idle.wait()
                for link in links:
                    await link.finish()
        except TimeoutError:
            log.warning("smpp.grace_over", extra={"bind": self.name, "outstanding": self.outstanding})
        for link in links:
            link.session.unbind(asyncio.get_running_loop().time())
            link.settle()
        try:
            async with asyncio.timeout(UNBIND_SECONDS):
                for link in links:
                    await link.gone.wait()
        except TimeoutError:
            for link in links:
                link.abort()
                await link.gone.wait()
        await _cancel(self._pumps)
        dispatcher.give_up("the bind was stopped")
        return dispatcher.queue.clear()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical("smpp.bind_broken", exc_info=error, extra={"bind": self.name})

    # connections

    async def _keep(self, lane: Lane) -> None:
        """Connect, stay until the link is gone, wait, and again."""
        loop = asyncio.get_running_loop()
        config = self.config
        backoff = Backoff(config.reconnect, config.reconnect_limit)
        while True:
            link = SmppLink(
                SmppSession(
                    Role.ESME,
                    now=loop.time(),
                    window=config.window,
                    response_timeout=config.response_timeout,
                    enquire_link=config.enquire_link,
                ),
                f"{self.name}/{lane.number}",
                partial(self._event, lane),
                partial(self._connected, lane),
                self._writable_again,
            )
            started = loop.time()
            bound = False
            try:
                async with asyncio.timeout(config.response_timeout):
                    await loop.create_connection(
                        partial(_same, link), config.host, config.port, ssl=self._tls()
                    )
            except (
                OSError,
                UnicodeError,
            ) as error:  # also time-outs, TLS failures, and names no DNS can hold
                link.reason = f"cannot connect: {str(error) or type(error).__name__}"
                if not self.up:
                    self.reason = link.reason
            else:
                await link.gone.wait()
                bound = link.was_bound
            wait = backoff.wait(self._rng.random())
            if bound and loop.time() - started > wait:
                backoff.reset()
            fields = {
                "bind": self.name,
                "session": lane.number,
                "reason": link.reason,
                "retry_seconds": wait,
            }
            log.warning("smpp.down", extra=fields)
            await asyncio.sleep(wait)

    def _tls(self) -> ssl.SSLContext | None:
        """Raises OSError where `tls_ca` is no file of certificates: until it is, nothing connects."""
        if not self.config.tls:
            return None
        if self._ssl is None:
            try:
                self._ssl = ssl.create_default_context(cafile=self.config.tls_ca or None)
            except OSError as error:
                raise OSError(f"tls_ca {self.config.tls_ca}: {error}") from error
        return self._ssl

    def _take(self, link: SmppLink) -> str:
        """A carrier's connection whose outbind is right: bind on it.  Gives the reason if that cannot be."""
        lane = next((lane for lane in self._lent if lane.link is None), None)
        if lane is None:
            return "there are as many sessions as the bind may have"
        link.label = f"{self.name}/{lane.number}"
        link.handle = partial(self._event, lane)
        self._connected(lane, link)
        return ""

    def _connected(self, lane: Lane, link: SmppLink) -> None:
        lane.link = self._links[lane.number] = link
        link.session.bind(self._bind_request, asyncio.get_running_loop().time())

    def _writable_again(self, _link: SmppLink) -> None:
        self._dispatcher.wake.set()

    def _event(self, lane: Lane, link: SmppLink, event: Event) -> None:
        if type(event) is Answered and type(context := event.context) is tuple:  # nearly every one
            begun, part = context
            self._dispatcher.answered(lane, begun, part, event.pdu)
            self._dispatcher.wake.set()
            return
        match event:
            case Requested(pdu=pdu.DeliverSm() | pdu.DataSm() as request):
                inbound = Inbound(self.name, lane.number, request)
                link.ask(request, partial(self._on_deliver, inbound), ESME_RX_T_APPN)
            case Answered(context=asyncio.Future() as asked, pdu=response):
                _tell(asked, response)
            case TimedOut(context=asyncio.Future() as asked):
                _tell(asked, None)
            case TimedOut(context=(Begun() as begun, int(part))):
                self._dispatcher.doubt(begun, part, "no submit_sm_resp in time")
            case StrayResponse(context=(Begun() as begun, int(part)), pdu=response):
                self._dispatcher.late(begun, part, response)
            case Bound():
                self._up(lane, link, event)
            case BindRefused(command_status=status):
                link.session.lost(f"bind refused: {status_text(status)}")
            case Closed():
                self._down(lane, event)
                if lane in self._lent:
                    fields = {"bind": self.name, "session": lane.number, "reason": event.reason}
                    log.warning("smpp.down", extra=fields)
            case StrayResponse(pdu=unasked) | Notified(pdu=unasked):
                link.log_unexpected(unasked)
        self._dispatcher.wake.set()

    def _up(self, lane: Lane, link: SmppLink, event: Bound) -> None:
        fields = {"bind": self.name, "session": lane.number, "peer": link.peer, "state": event.state.name}
        log.info("smpp.bound", extra=fields)
        first = not self.up
        lane.bound = self.up = True
        self.reason = ""
        self._dispatcher.release()
        if first:
            self._dispatcher.tell(self._on_state, self.name, True, f"bound as {self.config.mode}")

    def _down(self, lane: Lane, event: Closed) -> None:
        was_up = self.up
        lane.bound = False
        lane.link = None
        self.up = any(other.bound for other in self._dispatcher.lanes)
        self._dispatcher.lost(lane, event.unanswered, event.reason)
        for _, context in event.unanswered:
            if isinstance(context, asyncio.Future):
                _tell(context, None)
        if not self.up:
            self.reason = event.reason
            if was_up:
                self._dispatcher.tell(self._on_state, self.name, False, event.reason)
        if self._dispatcher.stopping and not any(other.link for other in self._dispatcher.lanes):
            self._dispatcher.idle.set()  # nothing more can happen to what was begun


def _tell(asked: asyncio.Future[Response | None], response: Response | None) -> None:
    if not asked.done():
        asked.set_result(response)


def _same(link: SmppLink) -> SmppLink:
    return link


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
