"""The configuration as one typed model: `conf/gateway.toml` and `conf/services/*.toml`.

Each field's default is the documented default.  Unknown keys are faults (see `load`).  Durations are
written "250ms", "20s", "10m", "2h", "7d" or as a number of seconds; secrets as plain text or `$env:NAME`,
`$file:PATH`, `$credential:NAME` (systemd's $CREDENTIALS_DIRECTORY).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from msgspec import Struct, field


class Seconds(float):
    """A duration in seconds."""


class Moment(float):
    """A moment, as Unix seconds; 0: none is set.  Written 2026-12-24T18:00:00Z."""


class Secret(str):
    """A resolved secret.  Its repr does not show it, and logs mask it."""

    def __repr__(self) -> str:
        return "Secret(***)"


# message_state of SMPP 3.4 section 5.2.28, but what says nothing more than that the message exists
ReceiptState = Literal[
    "delivered", "expired", "deleted", "undeliverable", "rejected", "accepted", "enroute", "unknown"
]


class Store(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str = "sqlite:gateway.db"  # in the state directory; absolute: sqlite:///var/lib/gateway/gateway.db
    queue: int = 100_000  # rows that may wait for the writer before callers are told to slow down
    writer: Literal["process", "thread"] = "process"  # a thread takes 20 MiB less and is slower


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listen: str = "127.0.0.1:8080"
    queue: int = 20_000  # accepted messages that may wait for a carrier before 429
    # what the smart links in texts begin with, "https://s.example.org": a name of ours, whose /l/ leads here
    links: str = ""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    show_numbers: bool = False
    show_text: bool = False


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
    trunks: dict[str, Trunk] = field(default_factory=dict)


class NotifyUrls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: str = ""
    inbound: str = ""
    calls: str = (
        ""  # call.missed, call.answered, call.ended, both ways; empty: those of calls to us to `inbound`
    )
    # which statuses are told, to `status` and to a message's own URL; final: those that change no more
    statuses: Literal["all", "final"] = "all"
    batch: int = 1  # how many may go in one POST, 1 to 1000; above 1 each POST is a JSON array, also of one


class Number(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a call to one of the service's numbers meets."""

    policy: Literal["reject-at-once", "ring-then-reject", "ring-until-cancel", "answer"] = "ring-then-reject"
    flow: str = ""  # policy "answer": begins with each call, and decides whether and when it is answered
    ring: Seconds = Seconds(20)
    reject: Literal[480, 486, 603] = 486
    duplicates: Seconds = Seconds(60)  # further missed calls of the same caller within this time are no news
    caller_limit: int = 0  # missed calls of one caller within an hour that are news; 0: all
    # so many callers within a minute whose numbers differ in the last four digits only, or are withheld, are
    # a flood: `call.flood` for rules, a warning, a metric; 0: never
    flood: int = 60


class Asset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number, name or app through which a service works: [assets."12345"] in place of the plain list."""

    kind: Literal["", "shortcode", "longcode", "phone-number", "sender-id", "app"] = (
        ""  # default: by its form
    )
    country: str = ""  # ISO 3166; default: a number's own, else the service's
    # what it is used for; default: all that its kind can do
    capabilities: list[Literal["sms-mo", "sms-mt", "voice-in", "voice-out"]] = field(default_factory=list)
    carrier: str = ""  # the bind or trunk that carries it, beside those that name it themselves
    state: Literal["active", "requested", "suspended"] = "active"  # only an active one sends
    # whether other services hold it too; default: a shortcode may be, by keyword, the others are not
    shared: bool | None = None


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to carriers: [routes.NAME] in place of the plain list.  Of those that fit, the longest prefix
    goes first, then the lowest cost, then by weight; the others are taken when it is down."""

    bind: str = ""  # default: the route's name
    prefixes: list[str] = field(default_factory=list)  # of the customer's number, "+44"; empty: all
    cost: float = 0  # of a segment, in any unit
    weight: float = 1  # share of the messages among equals; 0: only when no other is up
    hours: str = ""  # "08:00-20:00"; empty: always
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = field(default_factory=list)
    zone: str = "UTC"  # of the hours


class Keyword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of reply, flow, chain, notify."""

    number: str = ""  # the shortcode or longcode; empty: every number of the service
    aliases: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)  # "pin" takes PIN1234 and leaves 1234
    pattern: str = ""  # RE2 over the whole text, normalised and in any case: "[0-9]{6}"
    fuzzy: bool = True  # one slip of the customer's in a word of 5 letters and more is forgiven
    always: bool = field(default=False, name="global")  # it is understood in the middle of a session too
    reply: str = ""
    flow: str = ""
    chain: str = ""
    notify: bool = False


class Replies(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What STOP, START and HELP are answered with in one language; empty: the built-in reply."""

    stop: str = ""
    start: str = ""
    help: str = ""


class Parameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a template or a custom event is given by its users; written short: `amount = "number"`."""

    SHORT: ClassVar[str] = "type"

    type: Literal["text", "number", "boolean", "date"] = "text"  # date: "2026-12-24"
    mandatory: bool = True  # one with a default need not be given either
    default: Any = None
    longest: int = 0  # characters of a text; 0: any


class CustomEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What applications, rules and flows may raise as custom.NAME; its parameters are `custom.PARAMETER`."""

    parameters: dict[str, Parameter] = field(default_factory=dict)
    customer: str = "msisdn"  # the parameter that holds the number of the customer whom it is about


class Send(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    channel: Literal["sms", "voice", "app"] = "sms"
    to: str
    sender: str = field(default="", name="from")
    text: str = ""
    template: str = ""


class StartChain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    to: str
    variables: dict[str, str] = field(default_factory=dict)


class Dial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that says something."""

    to: str
    sender: str = field(default="", name="from")
    text: str = ""
    template: str = ""


class Raise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A custom event of the service, about the same customer unless its own parameter says otherwise."""

    name: str  # without "custom."
    parameters: dict[str, str] = field(default_factory=dict)


class Action(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act of a rule: exactly one of its fields is set (`channel` joins `opt`)."""

    send: Send | None = None
    reply: str = ""
    flow: str = ""
    chain: StartChain | None = None
    call: Dial | None = None
    notify: str = ""
    event: Raise | None = None
    profile: dict[str, str] = field(default_factory=dict)  # attributes of the customer; "" takes one away
    opt: Literal["", "in", "out"] = ""
    channel: Literal["", "sms", "voice", "app"] = ""  # of `opt`; empty: every one


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    on: str
    when: str = "true"
    do: list[Action]
    priority: int = 0  # lower first; equal: by name
    stop: bool = False  # no further rule after this one
    active: bool = True
    valid_from: Moment = Moment(0)
    valid_to: Moment = Moment(0)


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One try of a fallback chain."""

    channel: Literal["app", "sms", "voice"]
    sender: str = field(default="", name="from")  # an app by its name; empty: the service's first
    via: str = ""  # a bind or trunk by name; default: by the sender, then by the service's routes
    template: str = ""
    text: str = ""
    until: Literal["accepted", "delivered", "read", "answered"] = "accepted"
    within: Seconds = Seconds(0)  # 0: as long as the channel itself takes
    retries: int = 0  # how often it is tried again, up to 10, where it failed as in `retry_on`
    retry_after: Seconds = Seconds(60)  # before each
    retry_on: list[Literal["busy", "no-answer", "unreachable", "undelivered", "expired", "rejected"]] = field(
        default_factory=lambda: ["busy", "no-answer", "unreachable", "undelivered", "expired"]
    )
    # CEL; where it holds when the step's turn has come, the step is left out (its variables: rules/skip.py)
    skip_when: str = ""


class Chain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    steps: list[Step]
    within: Seconds = Seconds(0)  # of the whole, from its first try: no step begins later.  0: no limit


class CallList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to call for what: each answered call begins a session of the flow."""

    file: str  # CSV beside the service file: a column `number`, every other one is a session variable
    flow: str
    sender: str = field(default="", name="from")  # default: the service's first number
    calls_per_second: float = 1.0
    max_calls: int = 10  # at once
    window: str = ""  # "09:00-20:00", by the clock of the number's own country or area; empty: at any time
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = field(default_factory=list)
    # after which time to call again, by why nobody was reached: the first wait, the second, ...
    retry: dict[str, list[Seconds]] = field(  # busy, no-answer, rejected, unreachable
        default_factory=lambda: {"busy": [Seconds(300), Seconds(300)], "no-answer": [Seconds(3600)]}
    )
    longest: Seconds = Seconds(600)  # a call is hung up after that


class Wording(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a message says in one language."""

    text: str = ""  # SMS, and spoken or shown where the others are empty
    voice: str = ""  # text to speak
    wav: str = ""  # a file to play, relative to the service file
    app: str = ""  # for an app


class Template(Wording, frozen=True, kw_only=True, forbid_unknown_fields=True):
    language: str = "en"  # of the words that stand here
    # the same in others: that of the request, else `language` of the customer's profile, chooses
    languages: dict[str, Wording] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a flow's HTTP requests show who we are: secrets stand here, not in flows."""

    kind: Literal["none", "basic", "bearer", "oauth2-client", "hmac"] = "none"
    user: str = ""  # basic
    password: Secret = Secret("")  # basic
    token: Secret = Secret("")  # bearer
    # oauth2-client (RFC 6749 section 4.4): asked for at token_url, kept until it ends
    token_url: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    scope: str = ""
    # hmac: X-Timestamp, and X-Signature = hex of HMAC-SHA256 over "TIMESTAMP.METHOD.TARGET.BODY"
    secret: Secret = Secret("")


class Outcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an answer to an HTTP request comes to: the first whose condition holds is the node's event."""

    when: str  # CEL over status, body, json
    event: str


class Method(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of an integration: the node type INTEGRATION.METHOD."""

    path: str = ""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    inputs: list[str] = field(default_factory=list)  # what `with` gives, $(NAME) in the texts here
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)  # sent as JSON
    timeout: Seconds = Seconds(10)
    retries: int = 0
    retry_after: Seconds = Seconds(1)
    map: dict[str, str] = field(default_factory=dict)  # outputs by JSONPath
    outcomes: list[Outcome] = field(default_factory=list)


class Integration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An HTTP API by name, whose methods are node types of the service's flows."""

    url: str
    auth: str = ""  # one of [auths]
    headers: dict[str, str] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)


class Logbook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that flows write rows to."""

    columns: dict[str, Literal["text", "number", "boolean", "time"]]
    retention: Seconds = Seconds(90 * 86400)  # rows go when they are so old


class OtpGuard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a range of numbers is taken for one that codes are pumped to."""

    prefix: int = 6  # digits that make a range
    window: Seconds = Seconds(3600)
    least: int = 30  # codes sent within it before it is judged; 0: never
    ratio: float = 0.1  # of them that are entered at least
    hold: Seconds = Seconds(3600)


class OtpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One-time passwords of the service; requests and flows may say otherwise."""

    format: Literal["numeric", "alphabetic", "alphanumeric"] = "numeric"
    length: int = 6
    validity: Seconds = Seconds(300)
    attempts: int = 5  # wrong codes before it is locked until it expires
    resend: Literal["same", "new"] = "same"
    cooldown: Seconds = Seconds(30)  # between two codes to a number
    sends: int = 3  # of one code
    text: str = "$(code) is your code. It is valid for $(minutes) minutes."
    sender: str = field(default="", name="from")
    guard: OtpGuard = field(default_factory=OtpGuard)


class SmartLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where $(link.NAME) in a text leads, by the customer's device."""

    other: str  # URL
    android: str = ""  # empty: as others
    ios: str = ""
    expires: Seconds = Seconds(30 * 86400)
    after: str = ""  # the page that it leads to then; empty: a page of ours that says so


Language = Literal["en", "de", "fr", "es", "it", "pt", "tr"]  # those that text/ knows
Stage = Literal["normalise", "language", "profanity", "entities", "intent", "sentiment"]


class Intent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that customers want, and how they say it."""

    examples: list[str]


class Profanity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Beside the lists of the languages: `words` of the service's own ("word", or "begin*" for all that
    begins so) and words that `allow` lets pass."""

    action: Literal["flag", "mask", "reject"] = "flag"  # set nlp.profane; stars for letters; answer nothing
    words: list[str] = field(default_factory=list)
    allow: list[str] = field(default_factory=list)
    reply: str = ""  # to a text that is rejected; empty: none


class NlpTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a text is to be read as; what is left out is not looked at."""

    text: str
    now: str = ""  # "2026-11-30T18:00": when it comes, in the zone; empty: that very moment
    intent: str | None = None  # "": none
    language: str | None = None
    sentiment: Literal["positive", "neutral", "negative"] | None = None
    answer: Literal["yes", "no", ""] | None = None
    profane: bool | None = None
    entities: dict[str, Any] = field(default_factory=dict)  # { date = "2026-12-01", number = 2 }


class Nlp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is read out of a text to the service, before its keywords and rules see it."""

    stages: list[Stage] = field(
        default_factory=lambda: ["normalise", "language", "profanity", "entities", "intent", "sentiment"]
    )
    languages: list[Language] = field(default_factory=list)  # it may be in; empty: those of the service
    zone: str = "UTC"  # in which "tomorrow" begins at midnight
    date_order: Literal["dmy", "mdy"] = "dmy"  # of 3/12/2026
    budget: Seconds = Seconds(0.02)  # of each stage; one that takes longer is left out
    budgets: dict[str, Seconds] = field(default_factory=dict)  # of single stages: { intent = "50ms" }
    threshold: float = 0.35  # confidence that an intent needs
    intents: dict[str, Intent] = field(default_factory=dict)
    profanity: Profanity = field(default_factory=Profanity)
    tests: list[NlpTest] = field(default_factory=list)


class App(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An app of the client's: its installations connect by WebSocket and show what is sent to them."""

    token_valid: Seconds = Seconds(90 * 86_400)  # how long an installation may use the token it was given


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # fields that are written as another one in its long form, and how a table is read for them (shape)
    PLACES: ClassVar[dict[str, str]] = {"registry": "assets", "route_table": "routes"}

    name: str
    status: Literal["live", "suspended"] = "live"
    key: Secret = Secret("")  # of the HTTP API, or its hash (values/service_key.py); empty: no API access
    previous_key: Secret = Secret("")  # holds too, until that moment
    previous_key_until: Moment = Moment(0)
    hub_secret: Secret = Secret("")  # signs notifications; empty: they go unsigned
    previous_hub_secret: Secret = Secret("")  # signs them until that moment, hub_secret in a second header
    previous_hub_secret_until: Moment = Moment(0)
    country: str = ""  # ISO 3166, "GB": numbers in requests may be in national form
    assets: list[str] = field(default_factory=list)  # or [assets.NAME]
    registry: dict[str, Asset] = field(default_factory=dict)  # what [assets.NAME] say
    routes: list[str] = field(default_factory=list)  # binds in order of preference; or [routes.NAME]
    route_table: dict[str, Route] = field(default_factory=dict)  # what [routes.NAME] say
    notify: NotifyUrls = field(default_factory=NotifyUrls)
    # opt-in: only who has said yes (START, a rule, a flow, the API) is sent anything but answers
    consent: Literal["opt-out", "opt-in"] = "opt-out"
    # marketing goes neither in quiet hours nor too often; what it owes waits for the end of the hours
    traffic: Literal["transactional", "marketing"] = "transactional"
    quiet_hours: str = ""  # where the customer lives: "21:00-08:00"
    per_day: int = 0  # messages to one customer in 24 hours; 0: any number
    per_week: int = 0  # in 7 days
    # whose STOP, START and HELP are understood, beside the English ones (ISO 639-1, rules/reserved.py); the
    # first is that of the replies to English ones
    languages: list[str] = field(default_factory=lambda: ["en"])
    replies: dict[str, Replies] = field(default_factory=dict)  # by language
    default: Keyword | None = None  # what a text that matches nothing gets
    numbers: dict[str, Number] = field(default_factory=dict)
    keywords: dict[str, Keyword] = field(default_factory=dict)
    events: dict[str, CustomEvent] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    call_lists: dict[str, CallList] = field(default_factory=dict)
    nlp: Nlp | None = None
    links: dict[str, SmartLink] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)  # that flows hash and encrypt with
    otp: OtpSettings = field(default_factory=OtpSettings)
    flows: dict[str, dict[str, Any]] = field(default_factory=dict)  # read by flows.definition
    auths: dict[str, Auth] = field(default_factory=dict)
    integrations: dict[str, Integration] = field(default_factory=dict)
    logbooks: dict[str, Logbook] = field(default_factory=dict)
    # numbers of people who try things out: they get the drafts of flows, where there are any
    test_numbers: list[str] = field(default_factory=list)

    @classmethod
    def unfold(cls, table: Mapping[str, Any]) -> dict[str, Any]:
        """The long forms beside their short ones.  An asset that is an app is no address, it is in `apps`."""
        unfolded = dict(table)
        if isinstance(assets := table.get("assets"), dict):
            unfolded["registry"] = assets
            apps = [name for name, asset in assets.items() if _says(asset, "kind", "app")]
            unfolded["assets"] = [name for name in assets if name not in apps]
            if isinstance(given := table.get("apps", {}), dict):
                unfolded["apps"] = {**{name: {} for name in apps}, **given}
        if isinstance(routes := table.get("routes"), dict):
            unfolded["route_table"] = routes
            unfolded["routes"] = [r.get("bind") or n if isinstance(r, dict) else n for n, r in routes.items()]
        return unfolded


def _says(table: Any, key: str, value: str) -> bool:
    return isinstance(table, dict) and table.get(key) == value


class Gateway(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration."""

    state_directory: str = "state"  # systemd's $STATE_DIRECTORY wins
    # from which one-time passwords and the tokens of links are made: 32 characters and more; empty: made
    # once, and kept beside the store as secret.key
    secret: Secret = Secret("")
    store: Store = field(default_factory=Store)
    http: Http = field(default_factory=Http)
    log: Log = field(default_factory=Log)
    smpp: Smpp = field(default_factory=Smpp)
    sip: Sip | None = None
    services: dict[str, Service] = field(default_factory=dict)  # by file name
