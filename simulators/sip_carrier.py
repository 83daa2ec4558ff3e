"""A SIP carrier on UDP with handsets behind it: `python -m simulators.sip_carrier --help`."""

import random
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trio

from simulators.console import Command, CommandError, Console
from simulators.rtp_socket import SOUNDS
from simulators.sip_arguments import arguments
from simulators.sip_dialog import ALLOW, Dialog, Exchange
from simulators.sip_digest import ALGORITHMS, Guard
from simulators.sip_handset import (
    NUMBER,
    ROLES,
    BadBehaviour,
    Behaviour,
    key_presses,
    number_key,
    one_of,
    seconds,
)
from simulators.sip_incoming import IncomingCall, acknowledged, in_dialog, refusal_of, refuse
from simulators.sip_message import Request, Response, Uri
from simulators.sip_outgoing import Plan, place
from simulators.sip_registrar import Registrar
from simulators.sip_transactions import (
    Address,
    Emit,
    ServerTransaction,
    Timers,
    TransactionLayer,
    new_tag,
    show,
)

DATAGRAM_LIMIT = 65535
RECEIVE_BUFFER_OCTETS = 4 << 20
COMMANDS = ("missed-call", "call", "set-handset", "press", "hang-up", "options", "stats")
KNOWN_METHODS = frozenset({"SUBSCRIBE", "NOTIFY", "MESSAGE", "INFO", "PRACK", "UPDATE", "REFER", "PUBLISH"})


@dataclass(slots=True)
class Carrier:
    """`handsets` by number without plus sign. `loss`: the share of datagrams lost each way, by `seed`.

    With a `guard` INVITE and REGISTER want credentials. A call goes to who has registered, else to `gateway`.
    """

    name: str
    emit: Emit
    listen: Address = ("127.0.0.1", 0)
    gateway: Address | None = None
    handsets: dict[str, Behaviour] = field(default_factory=dict)
    record: Path | None = None
    options_every: float | None = None
    loss: float = 0.0
    seed: int = 0
    guard: Guard | None = None
    registrar: Registrar = field(default_factory=Registrar)
    timers: Timers = field(default_factory=Timers)
    _exchange: Exchange | None = None
    _incoming: dict[tuple[str, str, str], IncomingCall] = field(default_factory=dict)
    _lost: int = 0
    _random: random.Random = field(default_factory=random.Random)

    async def serve(self, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled. Tells the port as task status and as event `listening`. Raises OSError."""
        self._random.seed(self.seed)
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with trio.socket.from_stdlib_socket(plain) as receiving:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
            plain.bind(self.listen)
            host, port = own_address(self.listen[0], self.gateway), int(plain.getsockname()[1])
            async with trio.open_nursery() as nursery:

                def send(data: bytes, peer: Address) -> None:
                    if self._dropped():
                        return
                    try:
                        plain.sendto(data, peer)
                    except OSError as error:  # UDP: as if lost; a full buffer, no route, port 0
                        self.emit("error", reason=f"send: {error}", peer=show(peer))

                layer = TransactionLayer(
                    nursery, send, self.emit, self._request, self._ack, self._late_2xx, self.timers
                )
                self._exchange = Exchange(
                    self.name, host, port, nursery, layer, self.emit, self._dropped, self.record
                )
                if self.options_every is not None:
                    nursery.start_soon(self._keep_alive, self.options_every)
                self.emit("listening", host=host, port=port)
                task_status.started(port)
                try:
                    while True:
                        data, source = await receiving.recvfrom(DATAGRAM_LIMIT)
                        if self._dropped():
                            continue
                        try:
                            layer.receive(data, source)
                        except Exception as error:  # a defect of ours must not end a running test's peer
                            self.emit("error", reason=f"defect: {error!r}", peer=show(source))
                finally:
                    self._goodbye(send)

    async def handle(self, command: Command) -> None:
        """Carry out one command. Raises CommandError."""
        exchange = self.exchange
        try:
            match command.name:
                case "missed-call" | "call":
                    exchange.nursery.start_soon(place, exchange, self._plan(command))
                case "set-handset":
                    behaviour = Behaviour.parse(command.get("behaviour", str))
                    self.handsets[number_key(command.get("number", str))] = behaviour
                case "press":
                    digits = key_presses(command.get("digits", str))
                    for dialog in self._calls_of(command):
                        dialog.audio.press(digits)
                case "hang-up":
                    for dialog in self._calls_of(command):
                        dialog.end(dialog.role)
                case "options":
                    exchange.nursery.start_soon(self._options, self._gateway())
                case "stats":
                    self.emit("stats", **self.stats())
                case _:
                    raise CommandError(f"there are {', '.join(COMMANDS)} and quit")
        except BadBehaviour as error:
            raise CommandError(str(error)) from None

    @property
    def exchange(self) -> Exchange:
        """Raises CommandError before `serve` listens."""
        if self._exchange is None:
            raise CommandError("not listening yet")
        return self._exchange

    def stats(self) -> Mapping[str, object]:
        """Counts since the start; `billable`: INVITEs answered 200, by either side; `live`: calls now up."""
        exchange = self.exchange
        counts = exchange.counts
        return {
            "calls_out": counts["calls_out"],
            "calls_in": counts["calls_in"],
            "billable": counts["billable"],
            "cancelled": counts["cancelled"],
            "challenged": counts["challenged"],
            "auth_refused": counts["auth_refused"],
            "registered": len(list(self.registrar.live(trio.current_time()))),
            "unanswered": counts["unanswered"],
            "live": sum(not dialog.over.is_set() for dialog in exchange.dialogs.values()),
            "final": {key[6:]: n for key, n in sorted(counts.items()) if key.startswith("final_")},
            "refused": {key[8:]: n for key, n in sorted(counts.items()) if key.startswith("refused_")},
            "retransmissions": exchange.layer.retransmissions,
            "malformed": exchange.layer.malformed,
            "lost_on_purpose": self._lost,
        }

    def _plan(self, command: Command) -> Plan:
        missed = command.name == "missed-call"
        return Plan(
            number(command, "from"),
            number(command, "to"),
            self._gateway(number(command, "to")),
            ring=seconds(str(command.get("ring", float, 2.0)), "ring") if missed else None,
            longest=seconds(str(command.get("max", float, 60.0 if missed else 30.0)), "max"),
            talk=seconds(str(command.get("talk", float, 10.0)), "talk"),
            hangup=one_of(command.get("hangup", str, "caller"), ROLES, "hangup"),
            play=one_of(command.get("play", str, "tone"), SOUNDS, "play"),
            digits=key_presses(command.get("digits", str, "")),
            after=seconds(str(command.get("after", float, 0.5)), "after"),
            reference=command.fields.get("ref"),
        )

    def _calls_of(self, command: Command) -> list[Dialog]:
        """The answered calls of a handset. Raises CommandError without one."""
        key = number_key(number(command, "number"))
        found = [d for d in self.exchange.dialogs.values() if d.number == key and not d.over.is_set()]
        if not found:
            raise CommandError(f"{key} is in no answered call")
        return found

    def _gateway(self, called: str = "") -> Address:
        """Where a number of the gateway's is reached, or any. Raises CommandError."""
        if binding := self.registrar.find(called, trio.current_time()):
            return binding.peer
        if self.gateway is None:
            raise CommandError("no --gateway was given, and nobody has registered")
        return self.gateway

    def _dropped(self) -> bool:
        lost = self.loss > 0 and self._random.random() < self.loss
        self._lost += lost
        return lost

    def _request(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        match request.method:
            case "INVITE" if request.to.tag:
                in_dialog(self.exchange, transaction)
            case "INVITE":
                self._invite(transaction)
            case "REGISTER":
                self._register(transaction)
            case "CANCEL":
                self._cancel(transaction)
            case "BYE":
                in_dialog(self.exchange, transaction)
            case "OPTIONS":
                transaction.respond(
                    200, headers=[self.exchange.contact, ALLOW, ("Accept", "application/sdp")]
                )
            case method if method in KNOWN_METHODS:
                transaction.respond(405, headers=[ALLOW])
            case _:
                transaction.respond(501, headers=[ALLOW])

    def _admitted(self, transaction: ServerTransaction) -> str | None:
        """The user who has sent it, "" where nobody is asked for; None: it has been answered."""
        if self.guard is None:
            return ""
        request = transaction.request
        verdict = self.guard.check(request, trio.current_time())
        if verdict.status == 0:
            return verdict.user
        transaction.respond(verdict.status, headers=list(verdict.headers))
        event = "auth_refused" if verdict.status == 403 else "challenged"
        self.exchange.counts[event] += 1
        self.emit(
            event,
            method=request.method,
            status=verdict.status,
            reason=verdict.reason,
            user=verdict.user,
            peer=show(transaction.source),
        )
        return None

    def _register(self, transaction: ServerTransaction) -> None:
        user, now, request = self._admitted(transaction), trio.current_time(), transaction.request
        if user is None:
            return
        own = Uri.parse(request.to.uri).user
        if user not in ("", own):
            transaction.respond(403)
            self.exchange.counts["auth_refused"] += 1
            self.emit("auth_refused", method="REGISTER", status=403, reason="another user's", user=user)
            return
        before = {binding.uri for binding in self.registrar.live(now)}
        status, headers = self.registrar.register(request, transaction.source, now)
        transaction.respond(status, headers=headers)
        peer, live = show(transaction.source), {b.uri: b for b in self.registrar.live(now)}
        for uri in before - set(live):
            self.emit("unregistered", user=own, contact=uri, peer=peer)
        for binding in live.values():
            if binding.call_id == request.call_id and binding.cseq == request.cseq[0]:
                granted = round(binding.until - now)
                self.emit("registered", user=own, contact=binding.uri, expires=granted, peer=peer)

    def _invite(self, transaction: ServerTransaction) -> None:
        if self._admitted(transaction) is None:
            return
        self.exchange.counts["calls_in"] += 1
        if refused := refusal_of(transaction.request):
            refuse(self.exchange, transaction, refused[0], *refused[1])
            return
        behaviour = self.handsets.get(number_key(Uri.parse(transaction.request.uri).user))
        if behaviour is None:
            refuse(self.exchange, transaction, 404)
            return
        call = self._incoming[transaction.key] = IncomingCall(self.exchange, transaction, behaviour)
        self.exchange.nursery.start_soon(self._run, call)

    async def _run(self, call: IncomingCall) -> None:
        try:
            await call.run()
        finally:
            del self._incoming[call.transaction.key]

    def _cancel(self, cancel: ServerTransaction) -> None:
        invite = self.exchange.layer.cancelled_by(cancel.request)
        if invite is None:
            cancel.respond(481)
            return
        if invite.silent:
            return
        cancel.tag = invite.tag  # RFC 3261 section 9.2: the same To tag as in the responses to the INVITE
        cancel.respond(200)
        if call := self._incoming.get(invite.key):
            call.cancel()

    def _ack(self, ack: Request) -> None:
        acknowledged(self.exchange, ack)

    def _late_2xx(self, response: Response, source: Address) -> None:
        dialog = self.exchange.dialogs.get((response.call_id, response.from_.tag, response.to.tag))
        if dialog is None:
            self.emit("error", reason="2xx that fits no call", call_id=response.call_id, peer=show(source))
        else:
            dialog.send_ack()

    async def _keep_alive(self, every: float) -> None:
        while True:
            if self.gateway is not None:
                self.exchange.nursery.start_soon(self._options, self.gateway)
            await trio.sleep(every)

    async def _options(self, gateway: Address) -> None:
        exchange, began = self.exchange, trio.current_time()
        uri = f"sip:{gateway[0]}:{gateway[1]}"
        request = exchange.outside_dialog(
            "OPTIONS",
            uri,
            from_=f"sip:{exchange.host}:{exchange.port}",
            to=uri,
            call_id=f"{new_tag()}@{exchange.host}",
        )
        final = await exchange.layer.request(request, gateway).final()
        if final is None:
            self.emit("error", reason="no answer to OPTIONS", peer=show(gateway))
            return
        after_s = round(trio.current_time() - began, 3)
        self.emit(
            "options_reply", status=final.status, reason=final.reason, after_s=after_s, peer=show(gateway)
        )

    def _goodbye(self, send: Callable[[bytes, Address], None]) -> None:
        """One BYE for every call still up; nobody waits for the answers."""
        for dialog in self.exchange.dialogs.values():
            if not dialog.over.is_set():
                send(dialog.request("BYE").encode(), dialog.peer)


def number(command: Command, key: str) -> str:
    """The field as the user part of a SIP URI. Raises CommandError."""
    value = command.get(key, str)
    if not NUMBER.fullmatch(value):
        raise CommandError(f'"{key}" is not a number: {value!r}')
    return value


def own_address(listen: str, gateway: Address | None) -> str:
    """The address that peers are told: the one listened on, or for 0.0.0.0 the one that faces the gateway."""
    if listen != "0.0.0.0":
        return socket.gethostbyname(listen)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(gateway or ("127.0.0.1", 9))  # sends nothing; it only picks the way out
        return str(probe.getsockname()[0])


def main(argv: Sequence[str] | None = None) -> int:
    parser = arguments()
    options = parser.parse_args(argv)
    if options.options is not None and options.gateway is None:
        parser.error("--options needs --gateway")
    if options.min_expires > options.max_expires:
        parser.error("--min-expires is above --max-expires")
    console = Console.of(options)
    status = 1
    try:
        if options.record is not None:
            options.record.mkdir(parents=True, exist_ok=True)
        gateway = options.gateway and (socket.gethostbyname(options.gateway[0]), options.gateway[1])
        guard: Guard | None = None
        if options.user:
            algorithms = options.digest or list(ALGORITHMS)
            guard = Guard(dict(options.user), options.realm or options.name, algorithms, options.nonce_life)
        carrier = Carrier(
            options.name,
            console.emit,
            options.listen,
            gateway,
            dict(options.handset),
            options.record,
            options.options,
            options.loss,
            options.seed,
            guard=guard,
            registrar=Registrar(options.min_expires, options.max_expires),
        )
        status = console.run(carrier.serve, carrier.handle)
    except* OSError as group:  # a port in use, a directory that cannot be made, a name that is not found
        print(f"{parser.prog}: {group.exceptions[0]}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
