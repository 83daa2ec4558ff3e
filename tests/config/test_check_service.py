from collections.abc import Callable

import pytest

Found = Callable[..., dict[str, str]]

MAIN = """
[smpp.binds.north]
host = "127.0.0.1"
system_id = "gw"
addresses = ["12345"]
[smpp.binds.quiet]
host = "127.0.0.1"
system_id = "gw"
receipts = false
[smpp.binds.ear]
host = "127.0.0.1"
system_id = "gw"
mode = "receiver"
"""
SIP = """
[sip.trunks.east]
host = "127.0.0.1"
numbers = ["+442079460000"]
"""
SERVICE = """
name = "Pizza"
assets = ["12345", "+442079460000"]
[templates.hello]
text = "Hello"
[templates.spoken]
voice = "Hello"
[chains.alert]
steps = [{ channel = "sms", template = "hello" }, { channel = "voice", template = "spoken" }]
[apps.shop]
[flows.order]
"""


@pytest.fixture
def of_pizza(found: Found) -> Callable[[str], dict[str, str]]:
    """Faults of the service above with further lines, without "services.pizza."."""

    def _of_pizza(lines: str) -> dict[str, str]:
        faults = found(MAIN + SIP, {"pizza": SERVICE + lines})
        return {path.removeprefix("services.pizza."): what for path, what in faults.items()}

    return _of_pizza


OfPizza = Callable[[str], dict[str, str]]


def test_a_sound_service_has_no_findings(of_pizza: OfPizza) -> None:
    lines = """
        [numbers."+44 20 7946 0000"]
        [keywords.ORDER]
        flow = "order"
        [keywords.ALERT]
        chain = "alert"
        [rules.callback]
        on = "call.missed"
        do = [
          { send = { to = "$(call.from)", from = "$(call.to)", text = "x" } },
          { chain = { name = "alert", to = "x" } },
          { notify = "https://example.org:8443/x" },
          { opt = "out" },
        ]
        """
    assert of_pizza(lines) == {}


@pytest.mark.parametrize(
    ("lines", "path", "what"),
    [
        ("[keywords.A]", "keywords.A", "does nothing; set reply, flow, chain or notify"),
        (
            '[keywords.A]\nreply = "x"\nflow = "order"',
            "keywords.A",
            "has reply and flow; set exactly one of reply, flow, chain or notify",
        ),
        ('[keywords.A]\nflow = "odrer"', "keywords.A.flow", '"odrer" is no flow; did you mean "order"?'),
        ('[keywords.A]\nchain = "zzz"', "keywords.A.chain", '"zzz" is no chain (there are: alert)'),
        ("[keywords.A]\nnotify = true", "keywords.A.notify", "set notify.inbound to a URL"),
        ('[default]\nflow = "x"', "default.flow", '"x" is no flow (there are: order)'),
        ('[rules.r]\non = "sms.received"\ndo = []', "rules.r.do", "is empty"),
        ('[rules.r]\non = "sms.received"\ndo = [{}]', "rules.r.do[0]", "does nothing; set send, reply"),
        (
            '[rules.r]\non = "sms.received"\ndo = [{ reply = "x", opt = "in" }]',
            "rules.r.do[0]",
            "has reply and opt; set exactly one",
        ),
        ('[rules.r]\non = "x"\ndo = [{ flow = "ordr" }]', "rules.r.do[0].flow", 'did you mean "order"?'),
        ('[rules.r]\non = "x"\ndo = [{ notify = "example.org" }]', "rules.r.do[0].notify", "is no URL"),
        (
            '[rules.r]\non = "x"\ndo = [{ chain = { name = "alrt", to = "x" } }]',
            "rules.r.do[0].chain.name",
            'did you mean "alert"?',
        ),
        ('[rules.r]\non = "x"\ndo = [{ send = { to = "x" } }]', "rules.r.do[0].send", "set text or template"),
        ('[rules.r]\non = "x"\ndo = [{ send = { to = "", text = "x" } }]', "rules.r.do[0].send.to", "empty"),
        (
            '[rules.r]\non = "x"\ndo = [{ send = { to = "x", template = "helo" } }]',
            "rules.r.do[0].send.template",
            'did you mean "hello"?',
        ),
        (
            '[rules.r]\non = "x"\ndo = [{ send = { to = "x", text = "x", from = "12346" } }]',
            "rules.r.do[0].send.from",
            '12346 is not among the service\'s assets; did you mean "12345"?',
        ),
        ("[chains.c]\nsteps = []", "chains.c.steps", "at least one step"),
        (
            '[chains.c]\nwithin = "30s"\nsteps = [{ channel = "sms", within = "1m" }, { channel = "sms" }]',
            "chains.c.within",
            "is over when the first step has waited its 60 s",
        ),
        ('[[chains.c.steps]]\nchannel = "sms"\nvia = "nort"', "chains.c.steps[0].via", 'mean "north"?'),
        ('[[chains.c.steps]]\nchannel = "sms"\nvia = "east"', "chains.c.steps[0].via", "is a trunk"),
        (
            '[[chains.c.steps]]\nchannel = "app"\nuntil = "answered"',
            "chains.c.steps[0].until",
            "never answered",
        ),
        ('[[chains.c.steps]]\nchannel = "sms"\nuntil = "read"', "chains.c.steps[0].until", "never read"),
        ('[[chains.c.steps]]\nchannel = "app"\nvia = "north"', "chains.c.steps[0].via", "no carrier"),
        ('[[chains.c.steps]]\nchannel = "app"\nfrom = "shp"', "chains.c.steps[0].from", 'mean "shop"?'),
        ('[[chains.c.steps]]\nchannel = "sms"\nretries = 11', "chains.c.steps[0].retries", "0 to 10"),
        (
            '[[chains.c.steps]]\nchannel = "sms"\nretries = 1\nretry_on = []',
            "chains.c.steps[0].retry_on",
            "nothing is ever tried again",
        ),
        (
            '[[chains.c.steps]]\nchannel = "voice"\nretries = 1\nretry_on = ["rejected"]',
            "chains.c.steps[0].retry_on",
            "is not rung again",
        ),
        ('[[chains.c.steps]]\nchannel = "sms"\nvia = "ear"', "chains.c.steps[0].via", "is a receiver"),
        ('[[chains.c.steps]]\nchannel = "voice"\nvia = "north"', "chains.c.steps[0].via", "is a bind"),
        ('[[chains.c.steps]]\nchannel = "voice"\nvia = "est"', "chains.c.steps[0].via", 'mean "east"?'),
        (
            '[[chains.c.steps]]\nchannel = "sms"\nuntil = "answered"',
            "chains.c.steps[0].until",
            "never answered",
        ),
        (
            '[[chains.c.steps]]\nchannel = "sms"\nvia = "quiet"\nuntil = "delivered"',
            "chains.c.steps[0].until",
            "asks for no receipts",
        ),
        (
            '[[chains.c.steps]]\nchannel = "sms"\ntemplate = "spoken"',
            "chains.c.steps[0].template",
            "template spoken has no text for a step by sms",
        ),
        (
            '[[chains.c.steps]]\nchannel = "sms"\ntemplate = "hello"\ntext = "x"',
            "chains.c.steps[0]",
            "has both text and template",
        ),
        (
            '[[chains.c.steps]]\nchannel = "voice"\nfrom = "12345"',
            "chains.c.steps[0].from",
            "a call comes from a phone number",
        ),
        ('[[chains.c.steps]]\nchannel = "sms"\nfrom = "1"', "chains.c.steps[0].from", "is neither"),
        ("[templates.t]", "templates.t", "says nothing; set text, voice, wav or app"),
        ('[numbers."+442079460001"]', "numbers.+442079460001", "is not among the service's assets"),
        ('[numbers."12345"]', "numbers.12345", "no trunk has it"),
        (
            '[numbers."+442079460000"]\nring = 0',
            "numbers.+442079460000.ring",
            'write policy = "reject-at-once"',
        ),
        ('[numbers."+442079460000"]\nring = "181s"', "numbers.+442079460000.ring", "at most 180 s"),
        ('[numbers."+442079460000"]\nflood = -1', "numbers.+442079460000.flood", "write 0 for no limit"),
        (
            '[numbers."+442079460000"]\ncaller_limit = -1',
            "numbers.+442079460000.caller_limit",
            "write 0 for no limit",
        ),
        ('[notify]\ncalls = "shop.example"', "notify.calls", '"shop.example" is no URL'),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "ordr"',
            "call_lists.all.flow",
            'did you mean "order"',
        ),
        ('[call_lists.all]\nfile = "x.csv"\nflow = ""', "call_lists.all.flow", "must not be empty"),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "order"\nfrom = "12345"',
            "call_lists.all.from",
            "a call comes from a phone number",
        ),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "order"\nfrom = "$(x)"',
            "call_lists.all.from",
            "is one number for all calls",
        ),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "order"\ncalls_per_second = 0',
            "call_lists.all.calls_per_second",
            "must be more than 0",
        ),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "order"\nmax_calls = 0',
            "call_lists.all.max_calls",
            "must be more than 0",
        ),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "order"\nlongest = 0',
            "call_lists.all.longest",
            "must be more than 0",
        ),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "order"\nretry = { bussy = ["5m"] }',
            "call_lists.all.retry.bussy",
            'did you mean "busy"',
        ),
        (
            '[call_lists.all]\nfile = "x.csv"\nflow = "order"\nwindow = "9 to 5"',
            "call_lists.all.window",
            'write "09:00-18:00"',
        ),
        (
            '[numbers."+442079460000"]\npolicy = "answer"',
            "numbers.+442079460000.flow",
            'missing; policy "answer" needs the flow that a call begins',
        ),
        (
            '[numbers."+442079460000"]\nflow = "order"',
            "numbers.+442079460000.flow",
            '"ring-then-reject" answers no call',
        ),
        (
            '[numbers."+442079460000"]\npolicy = "answer"\nflow = "ordr"',
            "numbers.+442079460000.flow",
            'did you mean "order"',
        ),
        ('[notify]\nstatus = "ftp://x/y"', "notify.status", "is no URL"),
        ("[notify]\nbatch = 0", "notify.batch", "is 0; it must be 1 to 1000"),
        ("[notify]\nbatch = 1001", "notify.batch", "is 1001; it must be 1 to 1000"),
        ('[notify]\ninbound = "http://[x/y"', "notify.inbound", "is no URL"),
        ('[notify]\ninbound = "http://x:99999/y"', "notify.inbound", "is no URL"),
    ],
)
def test_a_mistake_in_a_service_is_found(of_pizza: OfPizza, lines: str, path: str, what: str) -> None:
    faults = of_pizza(lines)
    assert list(faults) == [path]
    assert what in faults[path]


@pytest.mark.parametrize(
    ("head", "path", "what"),
    [
        ('name = ""', "name", "must not be empty"),
        ('assets = ["12345", "12 345"]', "assets[1]", "12 345 is in the list twice"),
        ('assets = ["1"]', "assets[0]", "is neither an E.164 number"),
        ('assets = ["54321"]', "assets[0]", "nothing carries 54321: name it in a bind's addresses"),
        ('assets = ["PIZZA"]', "assets[0]", "nothing carries PIZZA"),
        ('routes = ["north", "nroth"]', "routes[1]", '"nroth" is no bind; did you mean "north"?'),
        ('routes = ["ear"]', "routes[0]", "bind ear is a receiver, which cannot send"),
    ],
)
def test_a_mistake_in_what_a_service_holds_is_found(found: Found, head: str, path: str, what: str) -> None:
    text = head if head.startswith("name") else f'name = "x"\n{head}'
    faults = found(MAIN, {"pizza": text})
    assert list(faults) == [f"services.pizza.{path}"]
    assert what in faults[f"services.pizza.{path}"]


def test_a_country_is_an_iso_3166_code(found: Found) -> None:
    service = SERVICE.replace('name = "Pizza"', 'name = "Pizza"\ncountry = "gb"')
    faults = found(MAIN + SIP, {"pizza": service})
    assert list(faults) == ["services.pizza.country"]
    assert 'did you mean "GB"?' in faults["services.pizza.country"]


def test_an_asset_is_carried_by_a_bind_a_trunk_the_service_s_routes_or_a_step(found: Found) -> None:
    step = 'assets = ["PIZZA"]\nchains.c.steps = [{ channel = "sms", from = "PIZZA", via = "north" }]'
    for lines in ('assets = ["12345", "+442079460000"]', 'assets = ["PIZZA"]\nroutes = ["north"]', step):
        assert found(MAIN + SIP, {"pizza": f'name = "x"\n{lines}'}) == {}


def test_a_service_without_a_number_cannot_call_and_without_an_asset_cannot_text(found: Found) -> None:
    steps = 'chains.c.steps = [{ channel = "sms" }, { channel = "voice" }]'
    faults = found(
        MAIN + SIP, {"pizza": f'name = "x"\nassets = ["12345"]\n{steps}', "bare": f'name = "x"\n{steps}'}
    )
    assert faults == {
        "services.pizza.chains.c.steps[1].from": "the service has no asset that voice could come from",
        "services.bare.chains.c.steps[0].from": "the service has no asset that sms could come from",
        "services.bare.chains.c.steps[1].from": "the service has no asset that voice could come from",
    }


def test_whatever_needs_calls_needs_sip(found: Found) -> None:
    service = """
        name = "x"
        assets = ["+442079460000"]
        routes = ["north"]
        numbers."+442079460000" = {}
        chains.c.steps = [{ channel = "voice" }]
        flows.f.nodes.ring = { type = "call" }
        flows.g = { nodes = 5 }
        rules.r = { on = "sms.received", do = [{ send = { channel = "voice", to = "x", text = "x" } }] }
        """
    faults = found(MAIN, {"pizza": service})
    assert list(faults) == [
        "services.pizza.numbers.+442079460000",
        "services.pizza.rules.r.do[0].send.channel",
        "services.pizza.chains.c.steps[0].channel",
        "services.pizza.flows.f.nodes.ring.type",
    ]
    assert set(faults.values()) == {"calls need [sip] in the main file, which is missing"}


def test_an_auth_has_what_its_kind_needs(of_pizza: Callable[[str], dict[str, str]]) -> None:
    written = """
    [auths.a]
    kind = "basic"
    user = "me"
    [auths.b]
    kind = "oauth2-client"
    token_url = "https://x.example/"
    [auths.c]
    kind = "hmac"
    secret = "hush"
    [integrations.crm]
    url = "crm.example"
    [logbooks.answers]
    columns = { score = "number", session = "text" }
    """
    assert set(of_pizza(written)) == {
        "auths.a.password",
        "auths.b.client_id",
        "auths.b.client_secret",
        "integrations.crm.url",
        "logbooks.answers.columns.session",
    }


def test_an_event_raised_without_a_parameter_that_it_must_have_is_none(
    of_pizza: Callable[[str], dict[str, str]],
) -> None:
    rule = """
    [events.paid.parameters]
    amount = "number"
    note = { mandatory = false }
    [rules.r]
    on = "call.missed"
    do = [{ event = { name = "paid", parameters = { %s } } }]
    """
    assert of_pizza(rule % "amont = '1'") == {
        "rules.r.do[0].event.parameters": 'the event paid needs the parameter "amount"; give it, or a default'
    }
    assert of_pizza(rule % "amount = '1'") == {}
