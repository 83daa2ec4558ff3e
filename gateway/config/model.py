"""The configuration as one typed model: `conf/gateway.toml` and `conf/services/*.toml`.

Each field's default is the documented default.  Unknown keys are faults (see `load`).  Durations are
written "250ms", "20s", "10m", "2h", "7d" or as a number of seconds; secrets as plain text or `$env:NAME`,
`$file:PATH`, `$credential:NAME` (systemd's $CREDENTIALS_DIRECTORY).  What
stands in modules of its own is read from here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from msgspec import Struct, field

from gateway.config.carriers import Account, Bind, Listen, Sip, Smpp, Trunk, receipts_about
from gateway.config.integrations import Auth, Integration, Logbook, Method, Outcome, Trace
from gateway.config.reading import Intent, Language, Nlp, NlpTest, Profanity, Stage
from gateway.config.written import Moment, Seconds, Secret

__all__ = [  # of the parts that stand elsewhere
    "Account",
    "Auth",
    "Bind",
    "Integration",
    "Intent",
    "Language",
    "Listen",
    "Method",
    "Moment",
    "Nlp",
    "NlpTest",
    "Outcome",
    "Profanity",
    "Seconds",
    "Secret",
    "Sip",
    "Smpp",
    "Stage",
    "Trace",
    "Trunk",
    "receipts_about",
]


class Store(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str = "sqlite:gateway.db"  # in the state directory; absolute: sqlite:///var/lib/gateway/gateway.db
    queue: int = 100_000  # rows that may wait for the writer before callers are told to slow down
    writer: Literal["process", "thread"] = "process"  # a thread takes 20 MiB less and is slower


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listen: str = "127.0.0.1:8080"
    queue: int = 20_000  # accepted messages that may wait for a carrier before 429
    # networks and addresses of proxies in front of us, which tell in X-Forwarded-For whose request it is
    trusted_proxies: list[str] = field(default_factory=lambda: ["127.0.0.0/8", "::1"])
    # what the smart links in texts begin with, "https://s.example.org": a name of ours, whose /l/ leads here
    links: str = ""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    show_numbers: bool = False
    show_text: bool = False


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
    until: Literal["accepted", "delivered", "read", "answered", "confirmed"] = "accepted"
    # voice, until "confirmed": who answers is asked for this key, three times; pressing it confirms
    confirm: str = "1"
    ask: str = ""  # said after the words; empty: "Press 1 to confirm."  A wav has to ask by itself
    # 0: as long as the channel itself takes; of an app a minute, the last step as long as the app's `keep`
    within: Seconds = Seconds(0)
    retries: int = 0  # how often it is tried again, up to 10, where it failed as in `retry_on`
    retry_after: Seconds = Seconds(60)  # before each
    retry_on: list[
        Literal["busy", "no-answer", "unreachable", "undelivered", "expired", "rejected", "unconfirmed"]
    ] = field(default_factory=lambda: ["busy", "no-answer", "unreachable", "undelivered", "expired"])
    # app: when no installation is connected, go on at once to a step that can be tried, or wait `within` for
    # one; the last step always waits
    away: Literal["next", "wait"] = "next"
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


class App(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An app of the client's: its installations connect by WebSocket and show what is sent to them."""

    token_valid: Seconds = Seconds(90 * 86_400)  # how long an installation may use the token it was given
    # how long a message waits for an installation to connect and say that it has it, where neither its
    # `validity` nor the `within` of its step says
    keep: Seconds = Seconds(7 * 86_400)


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
    trace: Trace = field(default_factory=Trace)
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
