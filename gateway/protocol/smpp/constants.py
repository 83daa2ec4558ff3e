"""SMPP 3.4 statuses, tags and flags by their names in the standard; values and texts are smpplib's.

`status_text(0x58)` is "ESME_RTHROTTLED: Throttling error (...)", for logs and for people.
"""

from __future__ import annotations

from typing import Final

from smpplib import consts

ESME_ROK: Final = int(consts.SMPP_ESME_ROK)
ESME_RINVMSGLEN: Final = int(consts.SMPP_ESME_RINVMSGLEN)
ESME_RINVCMDLEN: Final = int(consts.SMPP_ESME_RINVCMDLEN)
ESME_RINVCMDID: Final = int(consts.SMPP_ESME_RINVCMDID)
ESME_RINVBNDSTS: Final = int(consts.SMPP_ESME_RINVBNDSTS)
ESME_RINVPRTFLG: Final = int(consts.SMPP_ESME_RINVPRTFLG)
ESME_RALYBND: Final = int(consts.SMPP_ESME_RALYBND)
ESME_RSYSERR: Final = int(consts.SMPP_ESME_RSYSERR)
ESME_RINVSRCADR: Final = int(consts.SMPP_ESME_RINVSRCADR)
ESME_RINVDSTADR: Final = int(consts.SMPP_ESME_RINVDSTADR)
ESME_RINVMSGID: Final = int(consts.SMPP_ESME_RINVMSGID)
ESME_RBINDFAIL: Final = int(consts.SMPP_ESME_RBINDFAIL)
ESME_RINVPASWD: Final = int(consts.SMPP_ESME_RINVPASWD)
ESME_RINVSYSID: Final = int(consts.SMPP_ESME_RINVSYSID)
ESME_RMSGQFUL: Final = int(consts.SMPP_ESME_RMSGQFUL)
ESME_RINVSERTYP: Final = int(consts.SMPP_ESME_RINVSERTYP)
ESME_RINVNUMDESTS: Final = int(consts.SMPP_ESME_RINVNUMDESTS)
ESME_RINVDLNAME: Final = int(consts.SMPP_ESME_RINVDLNAME)
ESME_RINVDESTFLAG: Final = int(consts.SMPP_ESME_RINVDESTFLAG)
ESME_RCANCELFAIL: Final = int(consts.SMPP_ESME_RCANCELFAIL)
ESME_RREPLACEFAIL: Final = int(consts.SMPP_ESME_RREPLACEFAIL)
ESME_RQUERYFAIL: Final = int(consts.SMPP_ESME_RQUERYFAIL)
ESME_RINVSRCTON: Final = int(consts.SMPP_ESME_RINVSRCTON)
ESME_RINVSRCNPI: Final = int(consts.SMPP_ESME_RINVSRCNPI)
ESME_RINVDSTTON: Final = int(consts.SMPP_ESME_RINVDSTTON)
ESME_RINVDSTNPI: Final = int(consts.SMPP_ESME_RINVDSTNPI)
ESME_RSUBMITFAIL: Final = int(consts.SMPP_ESME_RSUBMITFAIL)
ESME_RINVSYSTYP: Final = int(consts.SMPP_ESME_RINVSYSTYP)
ESME_RTHROTTLED: Final = int(consts.SMPP_ESME_RTHROTTLED)
ESME_RINVSCHED: Final = int(consts.SMPP_ESME_RINVSCHED)
ESME_RINVEXPIRY: Final = int(consts.SMPP_ESME_RINVEXPIRY)
ESME_RX_T_APPN: Final = int(consts.SMPP_ESME_RX_T_APPN)
ESME_RX_P_APPN: Final = int(consts.SMPP_ESME_RX_P_APPN)
ESME_RX_R_APPN: Final = int(consts.SMPP_ESME_RX_R_APPN)
ESME_RINVESMCLASS: Final = int(consts.SMPP_ESME_RINVESMCLASS)
ESME_RINVDFTMSGID: Final = int(consts.SMPP_ESME_RINVDFTMSGID)
ESME_RINVOPTPARSTREAM: Final = int(consts.SMPP_ESME_RINVOPTPARSTREAM)
ESME_RINVPARLEN: Final = int(consts.SMPP_ESME_RINVPARLEN)
ESME_RINVOPTPARAMVAL: Final = int(consts.SMPP_ESME_RINVOPTPARAMVAL)
ESME_RUNKNOWNERR: Final = int(consts.SMPP_ESME_RUNKNOWNERR)

INTERFACE_VERSION: Final = int(consts.SMPP_VERSION_34)

# TLV tags, section 5.3.2 (what this program reads or writes; others go by number)
TLV_RECEIPTED_MESSAGE_ID: Final = int(consts.OPTIONAL_PARAMS["receipted_message_id"])
TLV_SC_INTERFACE_VERSION: Final = int(consts.OPTIONAL_PARAMS["sc_interface_version"])
TLV_USER_MESSAGE_REFERENCE: Final = int(consts.OPTIONAL_PARAMS["user_message_reference"])
TLV_SOURCE_PORT: Final = int(consts.OPTIONAL_PARAMS["source_port"])
TLV_DESTINATION_PORT: Final = int(consts.OPTIONAL_PARAMS["destination_port"])
TLV_SAR_MSG_REF_NUM: Final = int(consts.OPTIONAL_PARAMS["sar_msg_ref_num"])
TLV_SAR_TOTAL_SEGMENTS: Final = int(consts.OPTIONAL_PARAMS["sar_total_segments"])
TLV_SAR_SEGMENT_SEQNUM: Final = int(consts.OPTIONAL_PARAMS["sar_segment_seqnum"])
TLV_NETWORK_ERROR_CODE: Final = int(consts.OPTIONAL_PARAMS["network_error_code"])
TLV_MESSAGE_PAYLOAD: Final = int(consts.OPTIONAL_PARAMS["message_payload"])
TLV_DELIVERY_FAILURE_REASON: Final = int(consts.OPTIONAL_PARAMS["delivery_failure_reason"])
TLV_ADDITIONAL_STATUS_INFO_TEXT: Final = int(consts.OPTIONAL_PARAMS["additional_status_info_text"])
TLV_DPF_RESULT: Final = int(consts.OPTIONAL_PARAMS["dpf_result"])
TLV_SET_DPF: Final = int(consts.OPTIONAL_PARAMS["set_dpf"])
TLV_MORE_MESSAGES_TO_SEND: Final = int(consts.OPTIONAL_PARAMS["more_messages_to_send"])
TLV_MESSAGE_STATE: Final = int(consts.OPTIONAL_PARAMS["message_state"])

# esm_class, section 5.2.12
ESM_CLASS_TYPE: Final = 0x3C  # bits 5 to 2
ESM_CLASS_UDHI: Final = int(consts.SMPP_GSMFEAT_UDHI)

_NAMES = {
    value: name.removeprefix("SMPP_") for name, value in vars(consts).items() if name.startswith("SMPP_ESME_")
}


def status_text(status: int) -> str:
    """The status as a person reads it: name and description, or its number where the standard has none."""
    name = _NAMES.get(status)
    return f"{name}: {consts.DESCRIPTIONS[status]}" if name else f"status 0x{status:08x}"
