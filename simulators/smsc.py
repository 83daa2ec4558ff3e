"""An SMSC as carriers run them, with handsets behind it.

Other programs bind to it (SMPP 3.4), it takes their messages to its handsets, sends receipts, and sends what
the handsets text. Options, and the command `set`, give it the habits and faults of real carriers.
See `python -m simulators.smsc --help`; simulators/console.py describes events and commands as such.
"""

import itertools
import logging
import random
import sys
import time
from collections.abc import Callable
from functools import partial

import trio
from smpplib import consts

from simulators import smpp_pdu, smsc_mo, smsc_receipt
from simulators.console import Command, CommandError, Console
from simulators.smpp_pdu import RESPONSE, Malformed, Pdu
from simulators.sms_text import Handsets, Part, decode, take_apart
from simulators.smsc_arguments import arguments
from simulators.smsc_behaviour import Behaviour, Fate, Judge, Verdict
from simulators.smsc_outbox import Agenda, Outbox
from simulators.smsc_query import Registry
from simulators.smsc_session import Gate, Session
from simulators.smsc_stats import Stats

VERSION_34 = 0x34
UNBIND_PATIENCE_SECONDS = 5.0


class Smsc:
    def __init__(
        self, console: Console, behaviour: Behaviour, *, seed: int | None, first_id: int | None
    ) -> None:
        self.console = console
        self.behaviour = behaviour
        self.random = random.Random(seed)
        # not from 1: ids below ten are the same in decimal and in hexadecimal
        self.next_id = first_id if first_id is not None else self.random.randrange(10**9, 4 * 10**9)
        self.failed = False
        self._judge = Judge(behaviour)
        self._handsets = Handsets()
        self._gate = Gate()
        self._agenda = Agenda(self._gate)
        self._outbox = Outbox(console, behaviour, self._agenda, self._gate)
        self._numbers = itertools.count(1)
        self._numbers_of_mo = itertools.count(1)
        self._stats = Stats()
        self._registry = Registry(behaviour)
        self._acts: dict[str, Callable[[Session, Pdu], None]] = {
            "bind_transmitter": self._bind,
            "bind_receiver": self._bind,
            "bind_transceiver": self._bind,
            "unbind": self._unbind,
            "enquire_link": self._enquire_link,
            "submit_sm": self._submit,
            "data_sm": self._submit,
            "query_sm": self._query,
        }

    # the network

    async def serve(self, host: str, port: int) -> None:
        try:
            listeners = await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            self.console.emit("error", reason=f"cannot listen on {host}:{port}: {error}")
            self.failed = True
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._agenda.run)
                nursery.start_soon(self._enquire)
                nursery.start_soon(trio.serve_listeners, self._serve, listeners)
                self.console.emit("listening", host=host, port=listeners[0].socket.getsockname()[1])
        finally:
            self.stats()

    async def _serve(self, stream: trio.SocketStream) -> None:
        session = Session(stream, next(self._numbers))
        self._outbox.sessions.append(session)
        try:
            peer = stream.socket.getpeername()
            self.console.emit("connected", session=session.number, peer=f"{peer[0]}:{peer[1]}")
            await session.run(self._handle, self._gate)
        except Exception as error:  # one peer, even one that finds a defect here, must not end the others
            session.reason = repr(error)
            self.console.emit("error", session=session.number, reason=repr(error))
        finally:
            self._outbox.sessions.remove(session)
            self._outbox.take_back(session)
        self.console.emit(
            "closed", session=session.number, system_id=session.system_id, reason=session.reason
        )

    def _handle(self, session: Session, pdu: Pdu) -> None:
        if pdu.command_id & RESPONSE:
            self._answered(session, pdu)
            return
        act = self._acts.get(pdu.command)
        if act is None:
            session.send(smpp_pdu.generic_nack(pdu.sequence, consts.SMPP_ESME_RINVCMDID))
            self._malformed(session, pdu, f"command_id 0x{pdu.command_id:08x} is not served")
            return
        try:
            smpp_pdu.read(pdu)
        except Malformed as error:
            session.send(smpp_pdu.response(pdu.command_id, pdu.sequence, error.status))
            self._malformed(session, pdu, str(error))
            return
        act(session, pdu)

    def _malformed(self, session: Session, pdu: Pdu, reason: str) -> None:
        self.console.emit("malformed", session=session.number, command=pdu.command, reason=reason)

    def _answered(self, session: Session, pdu: Pdu) -> None:
        if self._outbox.answered(session, pdu.sequence, pdu.status):
            return
        if pdu.sequence == session.enquiry:
            session.enquiry = None
        elif pdu.command == "unbind_resp":
            session.finish("unbound by us")
        else:
            self._malformed(session, pdu, f"response to sequence_number {pdu.sequence}, which waits for none")

    # binds

    def _bind(self, session: Session, pdu: Pdu) -> None:
        system_id = pdu.text("system_id")
        status = self._bind_status(session, system_id, pdu.text("password"))
        if status:
            session.send(smpp_pdu.response(pdu.command_id, pdu.sequence, status))
            self.console.emit("bind_refused", session=session.number, system_id=system_id, status=status)
            return
        tlvs = {"sc_interface_version": VERSION_34} if pdu.number("interface_version") >= VERSION_34 else {}
        session.send(
            smpp_pdu.response(pdu.command_id, pdu.sequence, 0, system_id=self.console.name[:15], **tlvs)
        )
        session.system_id, session.mode = system_id, pdu.command.removeprefix("bind_")
        session.enquired_at = trio.current_time()
        self.console.emit("bound", session=session.number, system_id=system_id, mode=session.mode)
        self._outbox.pump()

    def _bind_status(self, session: Session, system_id: str, password: str) -> int:
        if session.mode:
            return int(consts.SMPP_ESME_RALYBND)
        accounts = dict(self.behaviour.account)
        if accounts and system_id not in accounts:
            return int(consts.SMPP_ESME_RBINDFAIL)
        if accounts and accounts[system_id] != password:
            return int(consts.SMPP_ESME_RINVPASWD)
        return 0

    def _unbind(self, session: Session, pdu: Pdu) -> None:
        session.send(smpp_pdu.response(pdu.command_id, pdu.sequence, 0))
        self.console.emit("unbound", session=session.number, system_id=session.system_id, by="peer")
        session.finish("unbound by the peer")

    def _enquire_link(self, session: Session, pdu: Pdu) -> None:
        self._stats.counts["enquires"] += 1
        session.send(smpp_pdu.response(pdu.command_id, pdu.sequence, 0))
        self.console.emit("enquire", session=session.number)

    async def _enquire(self) -> None:
        """Our own enquire_link; a session that leaves one unanswered for a whole period is cut."""
        while True:
            await trio.sleep(0.05)
            await self._gate.wait()
            every, now = self.behaviour.enquire_link, trio.current_time()
            for session in self._outbox.sessions if every else ():
                if not session.mode or now - session.enquired_at < every:
                    continue
                if session.enquiry is not None:
                    session.cut("enquire_link without response")
                    continue
                session.enquired_at, session.enquiry = now, session.next_sequence()
                session.send(smpp_pdu.request("enquire_link", session.enquiry))

    # messages to handsets

    def _submit(self, session: Session, pdu: Pdu) -> None:
        if not session.can_submit:
            session.send(smpp_pdu.response(pdu.command_id, pdu.sequence, consts.SMPP_ESME_RINVBNDSTS))
            self._malformed(session, pdu, "not bound to transmit")
            return
        destination, data = pdu.text("destination_addr"), pdu.user_data()
        part = take_apart(data, udhi=bool(pdu.number("esm_class") & 0x40), tlvs=pdu.tlvs)
        verdict = self._judge.verdict(session.system_id, destination, trio.current_time())
        ids = ("", "")
        if verdict.fate not in (Fate.REFUSE, Fate.SWALLOW):
            ids = smsc_receipt.message_ids(self.next_id, self.behaviour.receipt_id)
            self.next_id += 1
            self._registry.accepted(ids[0], pdu.text("source_addr"), verdict, time.time())
        self._stats.submitted(pdu, verdict, data)
        if not self.console.quiet:
            self._show_submit(session, pdu, verdict, ids[0], part)
        if verdict.fate is Fate.DELIVER:
            self._to_handset(session, pdu, part)
        if verdict.fate is Fate.SWALLOW:
            return
        body = {} if verdict.status else {"message_id": ids[0]}
        octets = smpp_pdu.response(pdu.command_id, pdu.sequence, verdict.status, **body)
        news = smsc_receipt.deliveries(session, pdu, verdict, ids=ids, part=part, behaviour=self.behaviour)
        if self.behaviour.receipt_early:
            for _, receipt in news:
                self._outbox.add(receipt)
            news = []

        def answer() -> None:
            session.send(octets)
            for delay, receipt in news:
                self._agenda.after(delay, partial(self._outbox.add, receipt))

        self._agenda.after(self.behaviour.answer_delay, answer)

    def _query(self, session: Session, pdu: Pdu) -> None:
        self._stats.counts["queries"] += 1
        octets, status, stat = self._registry.answer(pdu, time.time())
        self.console.emit(
            "query", session=session.number, id=pdu.text("message_id"), status=status, stat=stat
        )
        if octets is not None:
            self._agenda.after(self.behaviour.answer_delay, lambda: session.send(octets))

    def _show_submit(self, session: Session, pdu: Pdu, verdict: Verdict, message_id: str, part: Part) -> None:
        self.console.emit(
            "submit",
            session=session.number,
            system_id=session.system_id,
            sequence=pdu.sequence,
            command=pdu.command,
            id=message_id or None,
            **{"from": pdu.text("source_addr")},
            to=pdu.text("destination_addr"),
            text=decode(part.data, pdu.number("data_coding")),
            data_coding=pdu.number("data_coding"),
            esm_class=pdu.number("esm_class"),
            registered_delivery=pdu.number("registered_delivery"),
            part=part.number,
            total=part.total,
            status=None if verdict.fate is Fate.SWALLOW else verdict.status,
            fate=verdict.fate.value,
            tlvs=pdu.tlvs_by_name(),
        )

    def _to_handset(self, session: Session, pdu: Pdu, part: Part) -> None:
        source, destination = pdu.text("source_addr"), pdu.text("destination_addr")
        text = self._handsets.receive(source, destination, part, pdu.number("data_coding"))
        if text is None:
            return
        self._stats.counts["messages"] += 1
        self.console.emit(
            "message",
            **{"from": source},
            to=destination,
            text=text,
            parts=part.total,
            system_id=session.system_id,
        )

    # commands

    async def command(self, command: Command) -> dict[str, object] | None:
        """Carry out one line from stdin. Raises CommandError."""
        match command.name:
            case "mo":
                mo_id = f"{self.console.name}-mo-{next(self._numbers_of_mo)}"
                deliveries = smsc_mo.compose(command, mo_id, reference=self.random.randrange(256))
                for delivery in deliveries:
                    self._outbox.add(delivery)
                return {"id": command.get("id", str, mo_id), "parts": len(deliveries)}
            case "set":
                values = {key: value for key, value in command.fields.items() if key != "ref"}
                try:
                    self.behaviour.change(values)
                except ValueError as error:
                    raise CommandError(str(error)) from None
                self._outbox.pump()
            case "pause":
                self._gate.close()
            case "resume":
                self._gate.open()
                self._outbox.pump()
            case "drop":
                for session in self._chosen(command):
                    session.cut("dropped by us")
            case "unbind":
                for session in self._chosen(command):
                    if session.mode:
                        self._send_unbind(session)
            case "stats":
                self.stats()
            case _:
                raise CommandError("there are mo, set, pause, resume, drop, unbind, stats, quit")
        return None

    def stats(self) -> None:
        """Emit `stats`: totals since the start, and what is so now."""
        sessions = self._outbox.sessions
        self.console.emit(
            "stats",
            **self._stats.fields(),
            **self._outbox.counts,
            waiting=self._outbox.waiting,
            unanswered=sum(len(session.window) for session in sessions),
            connected=len(sessions),
            bound=sum(1 for session in sessions if session.mode),
        )

    def _chosen(self, command: Command) -> list[Session]:
        sessions = list(self._outbox.sessions)
        if "session" not in command.fields:
            return sessions
        number = command.get("session", int)
        chosen = [session for session in sessions if session.number == number]
        if not chosen:
            raise CommandError(f"there is no session {number}")
        return chosen

    def _send_unbind(self, session: Session) -> None:
        session.send(smpp_pdu.request("unbind", session.next_sequence()))
        self.console.emit("unbound", session=session.number, system_id=session.system_id, by="us")
        self._agenda.after(UNBIND_PATIENCE_SECONDS, lambda: session.cut("unbind without response"))


def main(argv: list[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    logging.getLogger("smpplib").setLevel(logging.CRITICAL)
    console = Console.of(options)
    smsc = Smsc(console, Behaviour.of(options), seed=options.seed, first_id=options.message_id_start)
    status = console.run(lambda: smsc.serve(*options.listen), smsc.command)
    return 1 if smsc.failed else status


if __name__ == "__main__":
    sys.exit(main())
