"""SIP without sockets: messages, transactions, dialogs and calls.

RFC 3261 with 3262 (reliable provisional responses), 3311 (UPDATE), 3326 (Reason), 3515 (REFER), 3581 (rport),
4028 (session timers), 6026, 6086 (INFO), 7616 and 8760 (digest).

address                          an IP address and port with its transport
grammar, uri, headers, message   bytes to validated messages and back
framing                          a stream cut into messages
timers, transaction, layer       the four state machines of section 17 and what feeds them
dialog, call, sessions           what both directions of calls share
inbound, provisional             a call to us until its answer or refusal
outbound, redirection            a call of ours until its answer or failure
screening                        what any request must pass first
indialog, changes,
session_timer, refer             what happens inside a call
manner, identity, digest,
registration, reason             how a carrier wants to be spoken to, and what it says of an end
agent                            the user agent: all of it behind one face, with events for the application
"""
