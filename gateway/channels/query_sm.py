"""Asking an SMSC about a message: the `query_sm` that a bind's settings ask for, and what its answer says."""

from __future__ import annotations

from typing import Final

from gateway.channels.base import Standing
from gateway.channels.submit_sm import source_address
from gateway.config.model import Bind
from gateway.protocol.smpp import constants, timestamp
from gateway.protocol.smpp.operations import QuerySm, QuerySmResp
from gateway.protocol.smpp.pdu import Response
from gateway.protocol.smpp.receipt import FINAL, MessageState
from gateway.values.clock import iso

# Any other error may pass: the SMSC is busy, or ill
_FOR_GOOD: Final = frozenset(
    {
        constants.ESME_RINVCMDID,  # it knows no query_sm
        constants.ESME_RINVMSGID,
        constants.ESME_RINVSRCADR,
        constants.ESME_RQUERYFAIL,
    }
)


def query_sm(message_id: str, sender: str, bind: Bind) -> QuerySm:
    """`message_id` as submit_sm_resp gave it; the source address must be that of the submit_sm (SMPP 3.4
    section 4.8.1)."""
    ton, npi, address = source_address(sender, bind)
    return QuerySm(
        message_id=message_id.encode("latin-1", "replace"),
        source_addr_ton=ton,
        source_addr_npi=npi,
        source_addr=address,
    )


def standing(response: Response | None) -> Standing:
    """`response` is None where none came."""
    if response is None:
        return Standing()
    if response.command_status != constants.ESME_ROK or not isinstance(response, QuerySmResp):
        return Standing(again=response.command_status not in _FOR_GOOD)
    try:
        state = MessageState(response.message_state)
    except ValueError:
        return Standing()
    code = str(response.error_code) if response.error_code else ""
    return Standing(state.name.lower(), state in FINAL, code, _date(response.final_date))


def _date(octets: bytes) -> str:
    """In UTC; "" where there is none, or none that says where its clock hangs."""
    try:
        at = timestamp.read(octets, 0.0)
    except ValueError:
        return ""
    return iso(at) if at and not octets.endswith(b"R") else ""
