import tomllib
from typing import Any

import msgspec
import pytest

from gateway.config.model import Bind, Chain, Gateway, Number, Rule, Seconds, Secret, Service, Sip, Trunk
from gateway.config.shape import Reader, empty
from gateway.values.fault import Fault


def read(kind: type[msgspec.Struct], text: str, path: str = "") -> tuple[Any, list[Fault]]:
    reader = Reader(lambda written: written.removeprefix("secret:"))
    return reader.struct(kind, tomllib.loads(text), path), reader.faults


def faults(kind: type[msgspec.Struct], text: str) -> dict[str, str]:
    return {fault.path: fault.what for fault in read(kind, text)[1]}


def test_every_kind_of_field_is_read() -> None:
    bind, found = read(
        Bind,
        """
        host = "127.0.0.1"
        system_id = "gw"
        password = "secret:pw"
        mode = "receiver"
        sessions = 2
        throughput = 200
        tls = true
        addresses = ["12345"]
        enquire_link = "1m"
        reconnect = 2.5
        """,
    )
    assert found == []
    assert bind == Bind(
        host="127.0.0.1",
        system_id="gw",
        password=Secret("pw"),
        mode="receiver",
        sessions=2,
        throughput=200.0,
        tls=True,
        addresses=["12345"],
        enquire_link=Seconds(60),
        reconnect=Seconds(2.5),
    )
    assert isinstance(bind.enquire_link, Seconds)
    assert isinstance(bind.password, Secret)
    assert isinstance(bind.throughput, float)


def test_structs_nest_in_tables_lists_and_options() -> None:
    gateway, found = read(
        Gateway,
        """
        [sip.trunks.east]
        host = "127.0.0.1"
        codecs = ["PCMA"]
        """,
    )
    assert found == []
    assert gateway.sip == Sip(trunks={"east": Trunk(host="127.0.0.1", codecs=["PCMA"])})
    assert gateway.smpp.listen is None


def test_a_field_is_read_by_the_name_it_has_in_the_file() -> None:
    chain, found = read(Chain, 'steps = [{ channel = "sms", from = "12345" }]')
    assert found == []
    assert chain.steps[0].sender == "12345"
    assert "steps[0].sender" in faults(Chain, 'steps = [{ channel = "sms", sender = "12345" }]')


def test_flows_are_left_as_they_are() -> None:
    service, found = read(Service, 'name = "x"\n[flows.order]\nanything = [1, { goes = true }]')
    assert found == []
    assert service.flows == {"order": {"anything": [1, {"goes": True}]}}


@pytest.mark.parametrize(
    ("kind", "text", "path", "what"),
    [
        (Bind, "windw = 1", "windw", 'unknown key; did you mean "window"?'),
        (Sip, "zzz = 1", "zzz", "unknown key; the keys here are listen, tls_certificate, "),
        (Bind, "window = 1", "system_id", "missing; it has no default"),
        (Bind, 'window = "50"', "window", 'must be a whole number, not "50"'),
        (Bind, "window = true", "window", "must be a whole number, not true"),
        (Bind, "window = 1.5", "window", "must be a whole number, not 1.5"),
        (Bind, "tls = 1", "tls", "must be true or false, not 1"),
        (Bind, "throughput = true", "throughput", "must be a number, not true"),
        (Bind, "throughput = nan", "throughput", "must be a number, not nan"),
        (Bind, "host = 127", "host", "must be text in quotes, not 127"),
        (Bind, "host = 2026-11-23", "host", "must be text in quotes, not a date or time"),
        (Bind, "password = 1", "password", "must be text in quotes"),
        (Bind, 'addresses = "12345"', "addresses", 'must be a list in [brackets], not "12345"'),
        (Bind, 'addresses = ["1", 2]', "addresses[1]", "must be text in quotes, not 2"),
        (
            Bind,
            'mode = "tranceiver"',
            "mode",
            'must be "transmitter", "receiver" or "transceiver", not "tranceiver"; did you mean "trans',
        ),
        (Number, "reject = 487", "reject", "must be 480, 486 or 603, not 487"),
        (Number, "reject = true", "reject", "must be 480, 486 or 603, not true"),
        (Number, 'ring = "20 secs"', "ring", "is no duration"),
        (Number, "ring = -1", "ring", "is not between"),
        (Number, "ring = true", "ring", "must be a duration"),
        (Service, "keywords = 1", "keywords", "must be a table, not 1"),
        (Service, 'keywords.ORDER = "flow"', "keywords.ORDER", 'must be a table, not "flow"'),
        (Gateway, "sip = []", "sip", "must be a table, not a list"),
        (Rule, 'do = [{ opt = "on" }]', "do[0].opt", 'must be "in" or "out", not "on"'),
        (Rule, "do = [{ send = {} }]", "do[0].send.to", "missing; it has no default"),
    ],
)
def test_a_mistake_is_named_with_its_path_and_remedy(
    kind: type[msgspec.Struct], text: str, path: str, what: str
) -> None:
    assert what in faults(kind, text)[path]


def test_a_misspelt_key_is_not_missing_too() -> None:
    assert faults(Bind, 'hots = "smsc"\nsystem_id = "gw"') == {"hots": 'unknown key; did you mean "host"?'}


def test_all_mistakes_are_found_at_once_and_the_rest_is_read() -> None:
    text = 'host = 1\nwindw = 5\nmode = "x"\ntls = "yes"\naddresses = ["1", 2, "3"]\nport = 2776'
    bind, found = read(Bind, text, "smpp.binds.north")
    assert sorted(fault.path.removeprefix("smpp.binds.north.") for fault in found) == [
        "addresses[1]",
        "host",
        "mode",
        "system_id",
        "tls",
        "windw",
    ]
    assert (bind.port, bind.mode, bind.addresses) == (2776, "transceiver", ["1", "3"])


def test_what_is_wrong_keeps_its_name_so_that_others_may_refer_to_it() -> None:
    service, _ = read(Service, 'name = "x"\nchains.alert = 5\ntemplates.hello = { txt = "x" }')
    assert service.chains == {"alert": Chain(steps=[])}
    assert "hello" in service.templates


def test_a_secret_that_cannot_be_resolved_is_a_fault_without_the_secret() -> None:
    def refuse(written: str) -> str:
        raise ValueError("the environment variable X is not set")

    reader = Reader(refuse)
    reader.struct(Bind, {"host": "h", "system_id": "s", "password": "$env:X"}, "b")
    assert reader.faults == [Fault("b.password", "the environment variable X is not set")]


def test_secrets_are_resolved_where_the_model_wants_a_secret_and_nowhere_else() -> None:
    service, _ = read(Service, 'name = "secret:name"\nkey = "secret:key"')
    assert (service.name, service.key) == ("secret:name", "key")


@pytest.mark.parametrize("kind", [Gateway, Service, Bind, Trunk, Rule, Chain])
def test_an_empty_struct_has_the_defaults(kind: type[msgspec.Struct]) -> None:
    made = empty(kind)
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            assert getattr(made, field.name) == field.default
