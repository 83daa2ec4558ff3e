"""Settings of those we exchange messages and calls with: SMPP binds and accounts, SIP trunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from gateway.config.written import Seconds, Secret

# message_state of SMPP 3.4 section 5.2.28, but what says nothing more than that the message exists
ReceiptState = Literal[
    "delivered", "expired", "deleted", "undeliverable", "rejected", "accepted", "enroute", "unknown"
]


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A peer that binds to our SMPP server."""

    system_id: str
    password: Secret  # or its hash, "pbkdf2-sha256$ITERATIONS$SALT$HEX" (transport/smpp_password.py)
    service: str
    allow: list[str] = field(default_factory=lambda: ["0.0.0.0/0", "::/0"])
    sessions: int = 10
    window: int = 100
    throughput: float = 0  # segments per second, 0 = unlimited
    enquire_link: Seconds = Seconds(30)
    senders: list[str] = field(default_factory=list)  # those of the service's assets it may use; empty: all
    # segments of long messages: put together, and cut as the carrier wants it; or each a message of its own,
    # which goes out as it came
    long_messages: Literal["reassemble", "pass-through"] = "reassemble"
    inbound: bool = False  # texts to its service come to it as deliver_sm, beside what else they come to
    # where we connect to and send outbind when something waits for it and it has no session that receives,
    # "192.0.2.7:2776"; empty: it comes by itself
    outbind: str = ""
    outbind_system_id: str = ""  # what we are called there; empty: "trunkline"
    outbind_password: Secret = Secret("")


class Listen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    address: str = "0.0.0.0:2775"
    bind_timeout: Seconds = Seconds(10)
    tls_address: str = ""  # a second port, for TLS ("0.0.0.0:3550"); empty: none
    tls_certificate: str = ""  # PEM file: ours, with its chain
    tls_key: str = ""  # PEM file; empty: in tls_certificate
    tls_minimum: Literal["1.2", "1.3"] = "1.2"
    tls_client_ca: str = ""  # PEM file: who must have signed a client's certificate; empty: none is asked for


class Bind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our session(s) to a carrier's SMSC."""

    host: str = ""  # empty: we do not connect, the carrier does (outbind)
    port: int = 2775
    # where the carrier connects to and asks us to bind, "0.0.0.0:2777"; for `sessions` more sessions
    outbind: str = ""
    outbind_system_id: str = ""  # what it must call itself; empty: anything
    outbind_password: Secret = Secret("")  # what it must show, also as a hash; empty: nothing
    outbind_allow: list[str] = field(default_factory=list)  # addresses it may come from; empty: all
    system_id: str
    password: Secret = Secret("")
    system_type: str = ""
    interface_version: Literal["3.3", "3.4", "5.0"] = "3.4"
    mode: Literal["transmitter", "receiver", "transceiver"] = "transceiver"
    sessions: int = 1
    window: int = 10
    throughput: float = 0  # segments per second over all sessions, 0 = unlimited
    tls: bool = False
    tls_ca: str = ""  # PEM file: who must have signed the SMSC's certificate; empty: the system's authorities
    on_in_doubt: Literal["resend", "fail"] = "fail"
    addresses: list[str] = field(default_factory=list)
    receipts: bool = True  # ask for delivery receipts
    # binds whose messages' receipts come by this one too; empty: for a receiver those that send to the same
    # host as the same system_id, else none
    receipts_of: list[str] = field(default_factory=list)
    registered_delivery: Literal["final", "failure", "intermediate"] = "final"  # the last: final ones too
    # type of number and numbering plan; default by the kind of address: number 1/1, shortcode 3/0, name 5/0
    source_addr_ton: int | None = None
    source_addr_npi: int | None = None
    dest_addr_ton: int | None = None
    dest_addr_npi: int | None = None
    service_type: str = ""
    # validity_period of messages whose sender gave them a validity, or whose step waits for delivery `within`
    # some time; "none": the carrier takes no validity_period, and may deliver them after their time
    validity_format: Literal["none", "relative", "absolute"] = "relative"
    # parameters that go along with each submit_sm, by number: { "0x1400" = "text", "0x1401" = "hex:0A1B" }
    tlvs: dict[str, str] = field(default_factory=dict)
    receipt_id: Literal["same", "hex", "decimal"] = "same"
    receipt_by_text: bool = (
        False  # take a deliver_sm without the receipt flag for a receipt if it reads as one
    )
    # what the word or number after `stat:` in a receipt means where the carrier has its own, such as
    # { "0" = "delivered", DND_REJECTED = "rejected" }; one that nobody knows says nothing
    stat_map: dict[str, ReceiptState] = field(default_factory=dict)
    # ask by query_sm what became of a message that somebody waits to hear of, when so long after it was
    # accepted no final receipt has come; again after twice as long, and so on; 0: never
    query_sm: Seconds = Seconds(0)
    receipt_zone: str = ""  # of a receipt's dates: "UTC", "+02:00", "Europe/Berlin"; empty: not known
    long_messages: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    # what data_coding 0 means there, both ways; texts that it lacks characters of go as UCS-2
    default_alphabet: Literal["gsm", "gsm-packed", "latin1", "ascii", "utf8"] = "gsm"
    # octets that it wants to see in place of 0 and 8: { default = 0xF1, ucs2 = 0x18 }
    data_codings: dict[str, int] = field(default_factory=dict)
    message_class: int | None = None  # of each text: 0 (flash) to 3; shows in data_coding
    message_class_group: Literal["0x10", "0xF0"] = "0x10"  # the form of that data_coding
    # 3GPP TS 23.038 annex A: tables that may be used where they take fewer segments than UCS-2
    national_languages: list[
        Literal[
            "turkish",
            "spanish",
            "portuguese",
            "bengali",
            "gujarati",
            "hindi",
            "kannada",
            "malayalam",
            "oriya",
            "punjabi",
            "tamil",
            "telugu",
            "urdu",
        ]
    ] = field(default_factory=list)
    transliterate: bool = False  # typographic quotes, dashes, blanks, ligatures as the GSM alphabet has them
    enquire_link: Seconds = Seconds(30)
    response_timeout: Seconds = Seconds(10)
    reconnect: Seconds = Seconds(1)  # first wait; doubles up to reconnect_limit, with jitter
    reconnect_limit: Seconds = Seconds(60)
    throttle_pause: Seconds = Seconds(1)  # after ESME_RTHROTTLED or ESME_RMSGQFUL; doubles up to 30 s
    # what an error status of submit_sm means, by name or number ("ESME_RSYSERR", "0x0008"): `retry` the
    # message later, `throttle` the whole bind, `fail` the message.  Where it says nothing: ESME_RTHROTTLED
    # and ESME_RMSGQFUL throttle; ESME_RSYSERR, ESME_RINVBNDSTS and ESME_RX_T_APPN retry; any other fails
    status_map: dict[str, Literal["retry", "throttle", "fail"]] = field(default_factory=dict)
    # after so many failures in a row (rests when throttled, messages put off, answers that never came) the
    # bind counts as not available for `breaker_rest`: other routes and later steps are taken; 0: never
    breaker: int = 5
    breaker_rest: Seconds = Seconds(30)
    retry_pause: Seconds = Seconds(5)  # before a message is retried; doubles up to 60 s
    retry_limit: Seconds = Seconds(300)  # from its first error on; a step's `within` may end it earlier
    reassembly: Seconds = Seconds(300)  # how long the parts of a long inbound message are waited for
    queue: int = 10_000  # messages held in memory; more wait in the store


def receipts_about(name: str, binds: Mapping[str, Bind]) -> list[str]:
    """Whose messages the receipts that come by bind `name` may be about: its own first, if it sends any."""
    bind = binds[name]
    receiver = bind.mode == "receiver"
    others = bind.receipts_of
    if receiver and not others:
        account = (bind.host, bind.system_id)
        others = [n for n, b in binds.items() if b.mode != "receiver" and (b.host, b.system_id) == account]
    return others if receiver else [name, *others]


class Smpp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listen: Listen | None = None
    accounts: dict[str, Account] = field(default_factory=dict)
    binds: dict[str, Bind] = field(default_factory=dict)


class Trunk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SIP relation with a carrier."""

    host: str  # an address, a host, or a domain that has NAPTR or SRV records
    port: int = 0  # 0: what the SRV records of `host` say, without them 5060, for TLS 5061
    # "udp+tcp": requests above 1300 octets by TCP; "auto": what the NAPTR records of `host` prefer of those
    # transports that [sip] listens by.  "tls" checks the certificate of `host`
    transport: Literal["udp", "udp+tcp", "tcp", "tls", "auto"] = "udp"
    tls_ca: str = ""  # PEM file: who must have signed that certificate; empty: the system's authorities
    # "ip": each knows the other by its address; "digest": the carrier asks for username and password in calls
    # of ours; "register": it sends calls to where we have registered, and asks for them then too
    auth: Literal["ip", "digest", "register"] = "ip"
    username: str = ""
    password: Secret = Secret("")
    expires: Seconds = Seconds(3600)  # auth "register": for how long at a time; the carrier may want longer
    domain: str = ""  # in From, To and Request-URI; empty: `host`, and with auth "ip" in From our own address
    outbound_proxy: str = ""  # HOST[:PORT] that requests to `host` go by
    keepalive: Seconds = Seconds(0)  # OPTIONS to each of its hosts so often; no answer: it is down.  0: none
    allow: list[str] = field(default_factory=list)  # further source addresses; `host` is always one
    numbers: list[str] = field(default_factory=list)
    max_calls: int = 100  # at a time, of ours and of those that flows answer
    calls_per_second: float = 20  # of ours
    # final responses to a call of ours after which another host of the trunk is tried, then the next trunk
    # that has the caller's number
    failover: list[int] = field(default_factory=lambda: [408, 500, 502, 503, 504])
    # how numbers are written, in both directions: +442079460000, 442079460000, 00442079460000, or as they are
    # dialled in `country`
    number_format: Literal["+E.164", "E.164", "00", "national"] = "+E.164"
    country: str = ""  # ISO 3166, "GB": of format "national"
    prefix: str = ""  # before each number that we call
    # the header that carries our number beside From; empty: none
    asserted_identity: Literal["", "P-Asserted-Identity", "P-Preferred-Identity"] = ""
    anonymous: bool = False  # withhold our number from who is called (Privacy: id)
    codecs: list[Literal["PCMU", "PCMA", "G722"]] = field(default_factory=lambda: ["PCMU", "PCMA"])
    # SRTP by keys in SDP (RFC 4568), which want SIP over TLS; optional: offered, and taken where offered
    srtp: Literal["off", "optional", "required"] = "off"
    # keys as tones in the audio are listened for; auto: where the peer offers no telephone-event (RFC 4733)
    dtmf: Literal["auto", "in-band"] = "auto"
    ring_timeout: Seconds = Seconds(45)  # outbound: no answer after this long


class Sip(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # where SIP is spoken, by each transport at most one: "udp:0.0.0.0:5060", "tcp:", "tls:0.0.0.0:5061"
    listen: list[str] = field(default_factory=lambda: ["udp:0.0.0.0:5060"])
    tls_certificate: str = ""  # PEM file for "tls:": ours, with its chain; carriers may ask for it too
    tls_key: str = ""  # PEM file; empty: in tls_certificate
    # what requests of addresses that are no trunk's get: 403, or silence, as who repeats them gets anyway
    unknown: Literal["reject", "drop"] = "reject"
    advertise: str = ""  # the address in Via, Contact and SDP; default: the one the socket is bound to
    name_server: str = ""  # ADDRESS:PORT to ask for the trunks' hosts; empty: the system's
    rtp_ports: str = "20000-20999"
    keep_recordings: Seconds = Seconds(0)  # recordings go when they are so old; 0: not for their age
    recordings_megabytes: int = 10_000  # what they may take, looked at every hour: the oldest go; 0: any
    trunks: dict[str, Trunk] = field(default_factory=dict)
