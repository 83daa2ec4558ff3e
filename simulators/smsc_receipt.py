"""Delivery receipts: whether one is wished, what it says, and how it names its message."""

import time

from simulators.smpp_pdu import Pdu
from simulators.sms_text import Part, decode
from simulators.smsc_behaviour import Behaviour, Fate, Verdict
from simulators.smsc_session import Delivery, Session

ESM_CLASS_RECEIPT, ESM_CLASS_INTERMEDIATE = 0x04, 0x20
WANTS_INTERMEDIATE = 0x10  # registered_delivery
MESSAGE_STATES = {  # the words of SMPP 3.4 appendix B, the numbers of section 5.2.28
    "ENROUTE": 1,
    "DELIVRD": 2,
    "EXPIRED": 3,
    "DELETED": 4,
    "UNDELIV": 5,
    "ACCEPTD": 6,
    "UNKNOWN": 7,
    "REJECTD": 8,
}


def is_wanted(pdu: Pdu, verdict: Verdict, behaviour: Behaviour) -> bool:
    """registered_delivery bits 0 and 1: 1 = any outcome, 2 = failure, 3 = success (SMPP 5.0, 4.7.21)."""
    if behaviour.receipts == "none" or verdict.fate not in (Fate.DELIVER, Fate.FAIL):
        return False
    wish = pdu.number("registered_delivery") & 0x03
    return wish in (1, 2 if verdict.fate is Fate.FAIL else 3)


def deliveries(
    session: Session, pdu: Pdu, verdict: Verdict, *, ids: tuple[str, str], part: Part, behaviour: Behaviour
) -> list[tuple[float, Delivery]]:
    """What is told of a submit_sm that came on `session`, and how many seconds after its response."""
    news = []
    accepted = verdict.fate in (Fate.DELIVER, Fate.FAIL)
    if accepted and behaviour.receipt_intermediate and pdu.number("registered_delivery") & WANTS_INTERMEDIATE:
        on_its_way = Verdict(verdict.fate, stat="ENROUTE")
        note = compose(session, pdu, on_its_way, ids=ids, part=part, behaviour=behaviour)
        note.parameters["esm_class"] = ESM_CLASS_INTERMEDIATE
        news.append((0.0, note))
    if is_wanted(pdu, verdict, behaviour):
        receipt = compose(session, pdu, verdict, ids=ids, part=part, behaviour=behaviour)
        news.append((behaviour.receipt_delay, receipt))
    return news


def compose(
    session: Session, pdu: Pdu, verdict: Verdict, *, ids: tuple[str, str], part: Part, behaviour: Behaviour
) -> Delivery:
    """The receipt for a submit_sm that came on `session`; `ids` are its message_ids()."""
    tlvs = receipt_tlvs(ids[1], verdict) if behaviour.receipts in ("tlv", "both") else {}
    words = b""
    if behaviour.receipts in ("text", "both"):
        now = time.time()
        text = decode(part.data, pdu.number("data_coding"))
        done = now + behaviour.receipt_delay
        words = receipt_text(ids[1], verdict, text, now, done).encode("ascii", "replace")
    return Delivery(
        kind="receipt",
        command="deliver_sm",
        parameters={
            "source_addr_ton": pdu.number("dest_addr_ton"),
            "source_addr_npi": pdu.number("dest_addr_npi"),
            "source_addr": pdu.text("destination_addr"),
            "dest_addr_ton": pdu.number("source_addr_ton"),
            "dest_addr_npi": pdu.number("source_addr_npi"),
            "destination_addr": pdu.text("source_addr"),
            "esm_class": ESM_CLASS_RECEIPT,
            "short_message": words,
            **tlvs,
        },
        event={"id": ids[0], "receipt_id": ids[1], "stat": verdict.stat, "err": verdict.err},
        system_id=session.system_id,
        origin=session,
        elsewhere=behaviour.receipt_other_session,
    )


def message_ids(number: int, receipt_id: str) -> tuple[str, str]:
    """The same number as submit_sm_resp and as the receipt write it, under --receipt-id."""
    match receipt_id:
        case "hex":
            return str(number), f"{number:x}"
        case "decimal":
            return f"{number:x}", str(number)
    return str(number), str(number)


def receipt_text(receipt_id: str, verdict: Verdict, text: str, submitted: float, done: float) -> str:
    """SMPP 3.4 appendix B; times are Unix times, written in UTC. `text` is cut to 20 characters."""

    def date(when: float) -> str:
        return time.strftime("%y%m%d%H%M", time.gmtime(when))

    delivered = "001" if verdict.stat == "DELIVRD" else "000"
    return (
        f"id:{receipt_id} sub:001 dlvrd:{delivered} submit date:{date(submitted)} done date:{date(done)} "
        f"stat:{verdict.stat} err:{verdict.err} text:{text[:20]}"
    )


def smpp_time(when: float) -> str:
    """A Unix time in UTC as SMPP 3.4 section 7.1.1 writes it."""
    return time.strftime("%y%m%d%H%M%S000+", time.gmtime(when))


def receipt_tlvs(receipt_id: str, verdict: Verdict) -> dict[str, object]:
    """receipted_message_id, message_state and, when `err` is a number above 0, network_error_code (GSM)."""
    tlvs: dict[str, object] = {
        "receipted_message_id": receipt_id,
        "message_state": MESSAGE_STATES.get(verdict.stat, MESSAGE_STATES["UNKNOWN"]),
    }
    if verdict.err.isascii() and verdict.err.isdecimal() and 0 < int(verdict.err) < 65536:
        tlvs["network_error_code"] = b"\x03" + int(verdict.err).to_bytes(2, "big")
    return tlvs
