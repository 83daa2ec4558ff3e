"""The SMPP side of the daemon: binds to carriers, and the server that accounts bind to."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from gateway.channels.base import Standing
from gateway.channels.query_sm import query_sm, standing
from gateway.channels.sms import Flight
from gateway.config.model import Account, Bind, Smpp
from gateway.daemon.held import How
from gateway.observe.health import CarrierState
from gateway.protocol.smpp.constants import ESME_ROK, ESME_RX_P_APPN, ESME_RX_R_APPN, status_text
from gateway.protocol.smpp.fields import EncodeError
from gateway.protocol.smpp.pdu import DeliverSm, Request
from gateway.protocol.smpp.session import NotBound
from gateway.transport.smpp_client import BindGroup, Inbound
from gateway.transport.smpp_link import Respond
from gateway.transport.smpp_server import SmppServer
from gateway.transport.smpp_submission import Submission, SubmitResult
from gateway.values.errors import GatewayError
from gateway.values.work import Done

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0  # for the sessions of a server that is no more, and of a bind that goes down
DRAIN_SECONDS = 60.0  # for those of a bind that drains
TAKEN_DOWN = "taken down by an operator; `gateway bind {name} up` brings it back"
_FOR_GOOD = (ESME_RX_P_APPN, ESME_RX_R_APPN)  # permanent, rejected; only ESME_RX_T_APPN asks for it again


class CannotListen(GatewayError):
    """The SMPP server's new settings cannot be had; it goes on with the old ones."""


class SmppSide:
    """`hand_over(keys, bind)` makes effects "begun", durably; `result` is told what became of a segment,
    `late` what was answered after all; `deliver` takes an inbound PDU and tells the status to answer with,
    `request(account, pdu)` an account's and tells its answer; `bound(account)` is told of an account that has
    sessions, `room(bind)` of a bind whose queue has room, `give_back(key, bind)` of a message that a stopped
    bind has not begun."""

    def __init__(
        self,
        binds: Mapping[str, Bind],
        *,
        hand_over: Callable[[list[str], str], Awaitable[None]],
        result: Callable[[Flight, SubmitResult], None],
        late: Callable[[Flight, SubmitResult], None],
        deliver: Callable[[Inbound, Respond], None],
        request: Callable[[str, Request, Respond], None],
        bound: Callable[[str], None],
        room: Callable[[str], None],
        give_back: Callable[[str, str], None],
        rest: Callable[[str], None],
        put_off: Callable[[str, str], None],
        changed: Callable[[], None],
        rng: random.Random,
    ) -> None:
        self._binds = binds
        self._hand_over = hand_over
        self._result = result
        self._late = late
        self._deliver = deliver
        self._request = request
        self._bound = bound
        self._room = room
        self._give_back = give_back
        self._rest = rest
        self._put_off = put_off
        self._changed = changed
        self._rng = rng
        self._accounts: Mapping[str, Account] = {}
        self._groups: dict[str, BindGroup] = {}
        self._held: Mapping[str, How] = {}
        self._turn = asyncio.Lock()  # a bind is stopped once, whoever asks for it
        self._server: SmppServer | None = None

    async def listen(self, smpp: Smpp) -> None:
        """Open the server, if there is one.  Raises OSError."""
        if smpp.listen is not None:
            server = SmppServer(
                smpp.listen,
                smpp.accounts,
                on_request=self._request,
                on_state=self._account_changed,
            )
            await server.start()
            self._server, self._accounts = server, smpp.accounts

    async def configure(self, smpp: Smpp) -> None:
        """Take up changed accounts and another listener.  Raises CannotListen."""
        old = self._accounts
        try:
            if smpp.listen is None:
                server, self._server, self._accounts = self._server, None, {}
                if server is not None:
                    await server.stop(GRACE_SECONDS)
            elif self._server is None:
                await self.listen(smpp)
            else:
                await self._server.configure(smpp.listen, smpp.accounts)
                self._accounts = smpp.accounts
        except OSError as error:
            raise CannotListen(f"smpp.listen: {error}") from error
        for name, account in self._accounts.items():
            if account.outbind and (name not in old or old[name].outbind != account.outbind):
                self._bound(name)  # what waits for it asks for it now

    async def hold(self, held: Mapping[str, How]) -> None:
        """Take binds down that an operator wants down, and bring up those that were.  Not before the others
        are started."""
        self._held = held
        stopping = [name for name in self._groups if name in held]
        graces = {"down": GRACE_SECONDS, "drain": DRAIN_SECONDS}
        await asyncio.gather(*(self.stop([name], graces[held[name]]) for name in stopping))
        for name in self._binds:
            if name not in self._groups:
                self.start(name)
        if stopping:
            log.info("bind.taken_down", extra={"binds": stopping})
        self._changed()

    def start(self, name: str) -> None:
        """Bring a bind up, unless an operator wants it down."""
        if name in self._held:
            return
        group = BindGroup(
            name,
            self._binds[name],
            hand_over=partial(self._begin, name),
            on_result=self._answered,
            on_late=self._answered_late,
            on_rest=self._rested,
            on_put_off=self._put_off,
            on_breaker=self._changed,
            on_deliver=self._deliver,
            on_state=self._bind_changed,
            rng=self._rng,
        )
        group.on_room = partial(self._room, name)
        self._groups[name] = group
        group.start()

    async def stop(self, names: list[str] | None, grace_seconds: float) -> None:
        """Unbind these binds, or all, after what was begun is finished or the grace is over."""
        names = list(self._groups) if names is None else names
        async with self._turn:
            names = [name for name in names if name in self._groups]
            left = await asyncio.gather(*(self._groups[name].stop(grace_seconds) for name in names))
            for name in names:
                del self._groups[name]
        for submission in (submission for submissions in left for submission in submissions):
            if isinstance(flight := submission.ref, Flight):
                self._give_back(flight.key, flight.carrier)

    async def stop_server(self, grace_seconds: float) -> None:
        if self._server is not None:
            await self._server.stop(grace_seconds)

    def enqueue(self, flight: Flight) -> bool:
        """See BindGroup.enqueue."""
        group = self._groups.get(flight.carrier)
        submission = Submission(
            flight, flight.pdus, wanted=flight.wanted, series=flight.series, validity=flight.validity
        )
        return group is not None and group.enqueue(submission)

    async def ask(self, name: str, message_id: str, sender: str) -> Standing | None:
        """What a bind's carrier says of a message.  None: it cannot be asked now."""
        group, bind = self._groups.get(name), self._binds.get(name)
        if group is None or bind is None:
            return None
        try:
            return standing(await group.ask(query_sm(message_id, sender, bind)))
        except NotBound:
            return None
        except EncodeError:  # a message_id that no query_sm can hold
            return Standing(again=False)

    def state(self, name: str) -> tuple[bool, str]:
        """(up, why not)."""
        if name in self._held:
            return False, TAKEN_DOWN.format(name=name)
        group = self._groups.get(name)
        if group is None:
            return False, "not started"
        if not group.up:
            return False, group.reason
        trouble = group.trouble
        return not trouble, trouble

    def deliver_to_account(self, account: str, pdu: DeliverSm, done: Done) -> None:
        """`done` is told what the account has answered; it is away while it has no session to take it."""
        if self._server is None or account not in self._accounts:
            reason = f"there is no account {account!r} to be reached"
            asyncio.get_running_loop().call_soon(done, reason, True)
        else:
            self._server.deliver(account, pdu, partial(_delivered, done))

    def states(self) -> list[CarrierState]:
        return [
            CarrierState(
                name=name,
                kind="bind",
                up=group.up,
                reason=group.trouble if group.up else self.state(name)[1],
                queued=group.queued,
                outstanding=group.outstanding,
            )
            for name, group in self._groups.items()
        ] + [
            CarrierState(name=name, kind="bind", up=False, reason=TAKEN_DOWN.format(name=name))
            for name in self._held
            if name in self._binds and name not in self._groups
        ]

    async def _begin(self, name: str, batch: list[Submission]) -> None:
        await self._hand_over([flight.key for s in batch if isinstance(flight := s.ref, Flight)], name)

    def _answered(self, submission: Submission, result: SubmitResult) -> None:
        if isinstance(submission.ref, Flight):
            self._result(submission.ref, result)

    def _answered_late(self, submission: Submission, result: SubmitResult) -> None:
        if isinstance(submission.ref, Flight):
            self._late(submission.ref, result)

    def _rested(self, submission: Submission) -> None:
        if isinstance(flight := submission.ref, Flight):
            self._rest(flight.key)

    def _bind_changed(self, name: str, up: bool, reason: str) -> None:
        log.info("bind.up" if up else "bind.down", extra={"bind": name, "reason": reason})
        if up:
            self._room(name)  # what was refused while there was no such bind waits in the store
        self._changed()

    def _account_changed(self, account: str, sessions: int, reason: str) -> None:
        log.info("account.sessions", extra={"account": account, "sessions": sessions, "reason": reason})
        if sessions:
            self._bound(account)


def _delivered(done: Done, answer: int | Exception) -> None:
    """An account's answer in the words of the notifier."""
    if answer == ESME_ROK:
        done("", False)
    elif isinstance(answer, Exception):
        done(str(answer), isinstance(answer, NotBound))
    else:
        done(f"deliver_sm_resp {status_text(answer)}", False, answer in _FOR_GOOD)
