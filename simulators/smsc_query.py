"""What the SMSC remembers of the messages that it has accepted, and its answers to query_sm."""

from collections import OrderedDict
from dataclasses import dataclass

from smpplib import consts

from simulators import smpp_pdu
from simulators.smpp_pdu import Pdu
from simulators.smsc_behaviour import Behaviour, Fate, Verdict
from simulators.smsc_receipt import MESSAGE_STATES, smpp_time

LIMIT = 100_000  # messages


@dataclass(frozen=True, slots=True)
class Known:
    source: str
    verdict: Verdict
    done_at: float  # Unix seconds; what is asked before hears that it is on its way


class Registry:
    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._known: OrderedDict[str, Known] = OrderedDict()

    def accepted(self, message_id: str, source: str, verdict: Verdict, now: float) -> None:
        """`now` in Unix seconds, here as below."""
        self._known[message_id] = Known(source, verdict, now + self._behaviour.receipt_delay)
        if len(self._known) > LIMIT:
            self._known.popitem(last=False)

    def answer(self, pdu: Pdu, now: float) -> tuple[bytes | None, int | None, str]:
        """The response (None: silence), and for the event its status and the state as in a receipt."""
        match self._behaviour.query:
            case "silent":
                return None, None, ""
            case "unknown":
                status = int(consts.SMPP_ESME_RINVCMDID)
                return smpp_pdu.generic_nack(pdu.sequence, status), status, ""
        known = self._known.get(pdu.text("message_id"))
        if self._behaviour.query == "fail" or known is None or known.source != pdu.text("source_addr"):
            status = int(consts.SMPP_ESME_RQUERYFAIL)
            return smpp_pdu.response(pdu.command_id, pdu.sequence, status), status, ""
        lost = known.verdict.fate is Fate.LOSE
        stat = "ENROUTE" if lost or now < known.done_at else known.verdict.stat
        err = known.verdict.err
        octets = smpp_pdu.response(
            pdu.command_id,
            pdu.sequence,
            0,
            message_id=pdu.text("message_id"),
            final_date="" if stat == "ENROUTE" else smpp_time(known.done_at),
            message_state=MESSAGE_STATES.get(stat, MESSAGE_STATES["UNKNOWN"]),
            error_code=int(err) if stat != "ENROUTE" and err.isdecimal() and int(err) < 256 else 0,
        )
        return octets, 0, stat
