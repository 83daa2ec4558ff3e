"""The command line of the SMSC; its help is the reference of its commands and events."""

import argparse
import textwrap

from simulators.console import add_arguments, host_and_port
from simulators.smsc_behaviour import Behaviour

EPILOG = """
example:
  python -m simulators.smsc --listen 127.0.0.1:2776 --name north --account gw:secret \\
      --receipts both --receipt-id hex --receipt-delay 0.5 \\
      --reject '^4479=ESME_RINVDSTADR' --fail '^4478=UNDELIV:027' --lose '^4470$' --throttle 200

commands, one JSON object per line on stdin; an optional "ref" comes back in the done or error event:
  {"cmd": "mo", "from": "447700900123", "to": "12345", "text": "PIZZA"}
      A handset texts. The coding is chosen (GSM, else UCS-2), long text is split with 8-bit UDH.
      Optional: "id": "x1", "coding": "gsm|ia5|latin1|binary|ucs2" or 0|1|2|3|4|8 (binary: hexadecimal),
      "as": "deliver_sm|data_sm", "order": [2, 1], "drop_parts": [3], "system_id": "gw" (else anyone bound).
  {"cmd": "set", "receipts": "tlv", "reject": ["^44=0x0b"], "answer_delay": 2}
      Any behaviour option at run time, all or none; a list replaces what a repeatable option held.
  {"cmd": "pause"}   {"cmd": "resume"}           read, answer and send nothing in between
  {"cmd": "drop"}    {"cmd": "drop", "session": 2}     cut TCP connections without a word
  {"cmd": "unbind"}  {"cmd": "unbind", "session": 2}   send unbind, close after unbind_resp (5 s at most)
  {"cmd": "stats"}   {"cmd": "quit"}

events:
  listening {host, port}
  connected {session, peer}                     session counts connections from 1
  bound {session, system_id, mode}              mode: transmitter | receiver | transceiver
  bind_refused {session, system_id, status}
  submit {session, system_id, sequence, command, id, from, to, text, data_coding, esm_class,
          registered_delivery, part, total, status, fate, tlvs}
                                                id: as in the response, null if refused; status: null if
                                                never answered; fate: deliver | fail | lose | refuse | swallow
  query {session, id, status, stat}             query_sm; status: null if never answered; stat: "" if refused
  message {from, to, text, parts, system_id}    a handset has the whole message
  receipt_sent {id, receipt_id, stat, err, session, sequence, attempt}
  receipt_ack {id, receipt_id, stat, err, session, status, retry}
  mo_sent {id, from, to, part, total, session, sequence, attempt}
  mo_ack {id, from, to, part, total, session, status, retry, left}     left: parts without final response
  enquire {session}                             the peer sent enquire_link
  unbound {session, system_id, by}              by: peer | us
  closed {session, system_id, reason}
  malformed {session, command, reason}          the peer broke the rules
  stats {...}                                   on command and at the end
  done, error, closing                          answers, and the reason for the end

Deliveries wait until someone is bound, are sent again when a session ends without its response, and after
--retry seconds on ESME_RTHROTTLED, RMSGQFUL, RSYSERR and RX_T_APPN; every other response settles them.
In stats, `unique` counts different accepted segments by from, to and user data: a repeat after a crash shows.
Read stdout or send it to a file: a full pipe stops the simulator.
"""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.smsc",
        description="An SMSC as carriers run them, with handsets behind it.",
        epilog=textwrap.dedent(EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--listen",
        type=host_and_port,
        default=("127.0.0.1", 2776),
        metavar="HOST:PORT",
        help="port 0 takes a free one (default: 127.0.0.1:2776)",
    )
    add_arguments(parser, name="smsc")
    Behaviour.add_arguments(parser)
    parser.add_argument(
        "--message-id-start",
        type=int,
        metavar="N",
        help="first message id, decimal (default: random, 10 digits)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="for message ids and concatenation references")
    return parser
