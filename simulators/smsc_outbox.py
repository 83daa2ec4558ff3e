"""What the SMSC has for its ESMEs: deliveries that wait for a session, acts that wait for their moment."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable

import trio

from simulators import smpp_pdu
from simulators.console import Console
from simulators.smpp_pdu import STATUSES
from simulators.smsc_behaviour import Behaviour
from simulators.smsc_session import Delivery, Gate, Session

TEMPORARY = frozenset(STATUSES[f"ESME_{name}"] for name in ("RTHROTTLED", "RMSGQFUL", "RSYSERR", "RX_T_APPN"))


class Agenda:
    """Plain calls at a later time, in order; held back while the gate is closed."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake = trio.Event()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """At once, in this very call, when `seconds` is 0."""
        if seconds <= 0:
            act()
            return
        heapq.heappush(self._heap, (trio.current_time() + seconds, next(self._order), act))
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._gate.wait()
            while self._heap and self._heap[0][0] <= trio.current_time():
                heapq.heappop(self._heap)[2]()
            self._wake = trio.Event()
            with trio.move_on_at(self._heap[0][0] if self._heap else float("inf")):
                await self._wake.wait()


class Outbox:
    """Hands each delivery to a bound session with room in its window, again until a response settles it."""

    def __init__(self, console: Console, behaviour: Behaviour, agenda: Agenda, gate: Gate) -> None:
        self.sessions: list[Session] = []
        self.counts = {"receipts_sent": 0, "receipts_acked": 0, "mo_sent": 0, "mo_acked": 0}
        self._console = console
        self._behaviour = behaviour
        self._agenda = agenda
        self._gate = gate
        self._waiting: dict[str | None, deque[Delivery]] = {}
        self._turn = 0

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, delivery: Delivery) -> None:
        self._waiting.setdefault(delivery.system_id, deque()).append(delivery)
        self._pump(delivery.system_id)

    def pump(self) -> None:
        """Send what can be sent: call it when a session has bound, and after `resume`."""
        for system_id in list(self._waiting):
            self._pump(system_id)

    def answered(self, session: Session, sequence: int, status: int) -> bool:
        """A response came. False when nothing waits for it."""
        delivery = session.window.pop(sequence, None)
        if delivery is None:
            return False
        retry = status in TEMPORARY
        fields: dict[str, object] = {"session": session.number, "status": status, "retry": retry}
        if retry:
            self._agenda.after(max(self._behaviour.retry, 0.001), lambda: self.add(delivery))
        else:
            self.counts["mo_acked" if delivery.kind == "mo" else "receipts_acked"] += 1
            fields |= delivery.settled()
        self._console.emit(f"{delivery.kind}_ack", **delivery.event, **fields)
        self._pump(session.system_id)
        self._pump(None)
        return True

    def take_back(self, session: Session) -> None:
        """The session is gone: what it had not answered goes out again, before all else."""
        for delivery in reversed(session.window.values()):
            self._waiting.setdefault(delivery.system_id, deque()).appendleft(delivery)
        session.window.clear()
        self.pump()

    def _pump(self, system_id: str | None) -> None:
        waiting = self._waiting.get(system_id)
        while waiting and self._gate.is_open and (session := self._session_for(waiting[0])) is not None:
            self._send(session, waiting.popleft())

    def _session_for(self, delivery: Delivery) -> Session | None:
        fit = [
            session
            for session in self.sessions
            if session.can_receive
            and len(session.window) < self._behaviour.window
            and delivery.system_id in (None, session.system_id)
        ]
        if delivery.elsewhere:
            fit = [session for session in fit if session is not delivery.origin] or fit
        elif delivery.origin in fit:
            return delivery.origin
        if not fit:
            return None
        self._turn += 1
        return fit[self._turn % len(fit)]

    def _send(self, session: Session, delivery: Delivery) -> None:
        sequence = session.next_sequence()
        delivery.attempt += 1
        session.window[sequence] = delivery
        session.send(smpp_pdu.request(delivery.command, sequence, **delivery.parameters))
        self.counts["mo_sent" if delivery.kind == "mo" else "receipts_sent"] += 1
        self._console.emit(
            f"{delivery.kind}_sent",
            **delivery.event,
            session=session.number,
            sequence=sequence,
            attempt=delivery.attempt,
        )
