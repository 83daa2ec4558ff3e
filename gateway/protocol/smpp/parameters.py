"""How long optional parameters may be (SMPP 3.4 section 5.3.2): what to look at before one is passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smpplib.consts import OPTIONAL_PARAMS

# octets of the value.  What may be as long as it likes, what is the SMSC's to say and what the standard does
# not know is not in it
_OCTETS: Mapping[str, Sequence[int]] = {
    "dest_addr_subunit": (1,),
    "dest_network_type": (1,),
    "dest_bearer_type": (1,),
    "dest_telematics_id": (2,),
    "source_addr_subunit": (1,),
    "source_network_type": (1,),
    "source_bearer_type": (1,),
    "source_telematics_id": (1, 2),  # 1 in the standard; in the field it is often as long as the other's
    "qos_time_to_live": (4,),
    "payload_type": (1,),
    "ms_msg_wait_facilities": (1,),
    "privacy_indicator": (1,),
    "user_message_reference": (2,),
    "user_response_code": (1,),
    "source_port": (2,),
    "destination_port": (2,),
    "sar_msg_ref_num": (2,),
    "language_indicator": (1,),
    "sar_total_segments": (1,),
    "sar_segment_seqnum": (1,),
    "sc_interface_version": (1,),
    "callback_num_pres_ind": (1,),
    "number_of_messages": (1,),
    "dpf_result": (1,),
    "set_dpf": (1,),
    "ms_availability_status": (1,),
    "network_error_code": (3,),
    "delivery_failure_reason": (1,),
    "more_messages_to_send": (1,),
    "message_state": (1,),
    "ussd_service_op": (1,),
    "display_time": (1,),
    "sms_signal": (2,),
    "ms_validity": (1, 4),  # 4 with the number of time units that SMPP 5.0 adds (section 4.8.4.39)
    "alert_on_message_delivery": (0, 1),  # 1 in SMPP 5.0 (section 4.8.4.2)
    "its_reply_type": (1,),
    "its_session_info": (2,),
    "callback_num": range(4, 20),
    "callback_num_atag": range(1, 66),
    "source_subaddress": range(2, 24),
    "dest_subaddress": range(2, 24),
}
_BY_TAG = {int(OPTIONAL_PARAMS[name]): (name, octets) for name, octets in _OCTETS.items()}


def wrong_length(tlvs: Mapping[int, bytes]) -> tuple[str, str] | None:
    """Name of the first parameter of a length that it cannot have, and how long it is and should be."""
    for tag, value in tlvs.items():
        known = _BY_TAG.get(tag)
        if known and len(value) not in known[1]:
            return known[0], f"{len(value)} octet(s) instead of {_words(known[1])}"
    return None


def _words(octets: Sequence[int]) -> str:
    if isinstance(octets, range):
        return f"{octets[0]} to {octets[-1]}"
    return " or ".join(map(str, octets))
