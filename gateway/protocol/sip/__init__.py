"""SIP without sockets: messages, transactions, dialogs and calls (RFC 3261, 3581, 6026).

address                          an IP address and port with its transport
grammar, uri, headers, message   bytes to validated messages and back
timers, transaction, layer       the four state machines of section 17 and what feeds them
dialog, call, agent              the user agent: one `Call` per INVITE, events for the application
"""
