from collections.abc import Callable

import pytest

Found = Callable[..., dict[str, str]]

MAIN = """
[store]
{store}
[http]
{http}
[smpp.listen]
{listen}
[smpp.accounts.acme]
system_id = "acme"
password = "pw"
service = "pizza"
{account}
[smpp.binds.north]
system_id = "gw"
{bind}
[sip]
{sip}
[sip.trunks.east]
{trunk}
"""
BLANK = {"store": "", "http": "", "listen": "", "account": "", "sip": ""}
GOOD = BLANK | {"bind": 'host = "127.0.0.1"', "trunk": 'host = "127.0.0.1"'}
PIZZA = {"pizza": 'name = "Pizza"'}


def test_a_sound_configuration_has_no_findings(found: Found) -> None:
    assert found(MAIN.format(**GOOD), PIZZA) == {}
    assert found() == {}


@pytest.mark.parametrize(
    ("table", "line", "path", "what"),
    [
        ("store", 'url = "mysql:///x"', "store.url", '"mysql:///x" names no store'),
        ("store", 'url = "postgresql://db/x"', "store.url", "PostgreSQL is not available in this version"),
        ("store", 'url = "gateway.db"', "store.url", 'write "sqlite:gateway.db"'),
        ("store", 'url = "sqlite:///"', "store.url", "names no store"),
        ("store", "queue = 0", "store.queue", "must be 1 or more, not 0"),
        ("http", 'listen = "8080"', "http.listen", "is no ADDRESS:PORT"),
        ("listen", 'address = "0.0.0.0"', "smpp.listen.address", "is no ADDRESS:PORT"),
        ("listen", "bind_timeout = 0", "smpp.listen.bind_timeout", "must be more than 0"),
        (
            "listen",
            'tls_address = "here"\ntls_certificate = "x"',
            "smpp.listen.tls_address",
            "is no ADDRESS:PORT",
        ),
        ("listen", 'tls_address = "0.0.0.0:3550"', "smpp.listen.tls_certificate", "must not be empty"),
        ("account", "sessions = 0", "smpp.accounts.acme.sessions", "must be 1 or more, not 0"),
        ("account", "window = -1", "smpp.accounts.acme.window", "must be 1 or more, not -1"),
        ("account", 'allow = ["10.0.0.0/33"]', "smpp.accounts.acme.allow[0]", "is no network"),
        ("account", 'allow = ["::/0", "10.0.0.1/8"]', "smpp.accounts.acme.allow[1]", 'write "10.0.0.0/8"'),
        ("account", 'senders = ["12345", "1"]', "smpp.accounts.acme.senders[1]", "is neither"),
        ("account", "allow = []", "smpp.accounts.acme.allow", "nobody can bind"),
        ("bind", 'host = ""', "smpp.binds.north.host", "write the carrier's address, or outbind"),
        ("bind", 'host = "a b"', "smpp.binds.north.host", "is no address or host name"),
        ("bind", 'outbind = ":2777"\noutbind_password = "p"', "smpp.binds.north.outbind", "no ADDRESS:PORT"),
        ("bind", 'outbind = "0.0.0.0:2777"', "smpp.binds.north.outbind", "to anyone who connects"),
        (
            "bind",
            'host = "a"\ntls = true\noutbind = "0.0.0.0:2777"\noutbind_password = "p"',
            "smpp.binds.north.outbind",
            "is without TLS",
        ),
        (
            "bind",
            'outbind = "0.0.0.0:2777"\noutbind_allow = ["carrier"]',
            "smpp.binds.north.outbind_allow[0]",
            "is no network",
        ),
        ("account", 'outbind = "192.0.2.7"', "smpp.accounts.acme.outbind", "no ADDRESS:PORT"),
        (
            "account",
            f'outbind = "192.0.2.7:1"\noutbind_password = "{"p" * 65}"',
            "smpp.accounts.acme.outbind_password",
            "longer than 64",
        ),
        ("bind", 'host = "127.0.0.1:2775"', "smpp.binds.north.host", "the port has a key of its own"),
        ("bind", 'host = "a"\nport = 70000', "smpp.binds.north.port", "must be 1 to 65535, not 70000"),
        ("bind", 'host = "a"\nsessions = 0', "smpp.binds.north.sessions", "must be 1 or more, not 0"),
        ("bind", 'host = "a"\nwindow = -5', "smpp.binds.north.window", "must be 1 or more, not -5"),
        (
            "bind",
            'host = "a"\nthroughput = -0.5',
            "smpp.binds.north.throughput",
            "must be 0 or more, not -0.5",
        ),
        ("bind", 'host = "a"\nresponse_timeout = 0', "smpp.binds.north.response_timeout", "more than 0"),
        (
            "bind",
            'host = "a"\nreconnect = "2m"',
            "smpp.binds.north.reconnect_limit",
            "shorter than reconnect",
        ),
        (
            "bind",
            'host = "a"\nsource_addr_ton = 256',
            "smpp.binds.north.source_addr_ton",
            "0 to 255, not 256",
        ),
        ("bind", 'host = "a"\ndest_addr_npi = -1', "smpp.binds.north.dest_addr_npi", "0 to 255, not -1"),
        ("bind", 'host = "a"\nservice_type = "WAPPUSH"', "smpp.binds.north.service_type", "longer than 5"),
        (
            "bind",
            'host = "a"\nsystem_type = "1234567890123"',
            "smpp.binds.north.system_type",
            "longer than 12",
        ),
        ("bind", 'host = "a"\ntlvs = { dest = "x" }', "smpp.binds.north.tlvs.dest", 'write "0x1400"'),
        (
            "bind",
            'host = "a"\ntlvs = { 0x1400 = "hex:0" }',
            "smpp.binds.north.tlvs.0x1400",
            "pairs of hex digits",
        ),
        ("bind", 'host = "a"\ntlvs = { 0x0424 = "x" }', "smpp.binds.north.tlvs.0x0424", "sets itself"),
        ("bind", 'host = "a"\nmessage_class = 4', "smpp.binds.north.message_class", "must be 0 to 3, not 4"),
        (
            "bind",
            'host = "a"\ndata_codings = { latin1 = 3 }',
            "smpp.binds.north.data_codings.latin1",
            "neither default nor ucs2",
        ),
        (
            "bind",
            'host = "a"\ndata_codings = { ucs2 = 256 }',
            "smpp.binds.north.data_codings.ucs2",
            "must be 0 to 255, not 256",
        ),
        ("bind", 'host = "a"\nreceipt_zone = "Berlin"', "smpp.binds.north.receipt_zone", "is no time zone"),
        ("bind", 'host = "a"\nreceipts_of = ["nort"]', "smpp.binds.north.receipts_of[0]", 'mean "north"?'),
        ("bind", 'host = "a"\nreceipts_of = ["north"]', "smpp.binds.north.receipts_of[0]", "is this bind"),
        (
            "bind",
            'host = "a"\nreceipts_of = ["in"]\n[smpp.binds.in]\n'
            'host = "b"\nsystem_id = "x"\nmode = "receiver"',
            "smpp.binds.north.receipts_of[0]",
            '"in" only receives',
        ),
        (
            "bind",
            'host = "a"\n[smpp.binds.in]\n'
            'host = "a"\nsystem_id = "gw"\nmode = "receiver"\nreceipt_id = "hex"',
            "smpp.binds.in.receipt_id",
            'must be "same" as that of bind north, whose receipts come here',
        ),
        ("bind", 'host = "a"\nretry_pause = 0', "smpp.binds.north.retry_pause", "more than 0"),
        (
            "bind",
            'host = "a"\nstatus_map = { ESME_RSYSER = "retry" }',
            "smpp.binds.north.status_map.ESME_RSYSER",
            'did you mean "ESME_RSYSERR"?',
        ),
        ("bind", 'host = "a"\naddresses = ["12345", "1"]', "smpp.binds.north.addresses[1]", "is neither"),
        ("sip", "listen = []", "sip.listen", "is empty"),
        ("sip", 'listen = ["udp:0.0.0.0:5060", "0.0.0.0:5060"]', "sip.listen[1]", "names no transport"),
        ("sip", 'listen = ["ws:0.0.0.0:5061"]', "sip.listen[0]", "is not available"),
        ("sip", 'advertise = "192.0.2.1:5060"', "sip.advertise", "without a port"),
        ("sip", 'rtp_ports = "20999-20000"', "sip.rtp_ports", "must rise"),
        ("sip", "recordings_megabytes = -1", "sip.recordings_megabytes", "must not be negative"),
        ("trunk", 'host = "a"\nauth = "digest"\npassword = "p"', "sip.trunks.east.username", "must not be"),
        (
            "trunk",
            'host = "a"\nauth = "register"\nusername = "u"',
            "sip.trunks.east.password",
            "not be empty",
        ),
        ("trunk", 'host = "a"\nport = 65536', "sip.trunks.east.port", "must be 0 to 65535, not 65536"),
        ("trunk", 'host = "a"\ntransport = "tls"', "sip.trunks.east.transport", 'add "tls:0.0.0.0:5061"'),
        ("trunk", 'host = "a"\ntransport = "udp+tcp"', "sip.trunks.east.transport", 'add "tcp:0.0.0.0:5060"'),
        ("trunk", 'host = "a"\ndomain = "sip:x"', "sip.trunks.east.domain", "is no address or host name"),
        (
            "trunk",
            'host = "a"\noutbound_proxy = "x:y"',
            "sip.trunks.east.outbound_proxy",
            "is no ADDRESS:PORT",
        ),
        ("trunk", 'host = "a"\nexpires = "1s"', "sip.trunks.east.expires", "must be 60 to 86400, not 1"),
        ("trunk", 'host = "a"\nnumber_format = "national"', "sip.trunks.east.country", "no country code"),
        ("trunk", 'host = "a"\nprefix = "x"', "sip.trunks.east.prefix", "digits, *, # and + only"),
        ("trunk", 'host = "a"\nfailover = [503, 486]', "sip.trunks.east.failover[1]", "nobody who declined"),
        ("trunk", 'host = "a"\nfailover = [200]', "sip.trunks.east.failover[0]", "write 400 to 699"),
        ("sip", 'listen = ["udp:0.0.0.0:1", "udp:[::]:1"]', "sip.listen[1]", "listens by udp already"),
        ("sip", 'listen = ["udp:0.0.0.0:1", "tls:[::]:1"]', "sip.tls_certificate", "must not be empty"),
        ("sip", 'name_server = "9.9.9.9"', "sip.name_server", "is no ADDRESS:PORT"),
        ("trunk", 'host = "a"\nmax_calls = 0', "sip.trunks.east.max_calls", "must be 1 or more, not 0"),
        (
            "trunk",
            'host = "a"\ncalls_per_second = 0',
            "sip.trunks.east.calls_per_second",
            "more than 0, not 0",
        ),
        ("trunk", 'host = "a"\nnumbers = ["12"]', "sip.trunks.east.numbers[0]", "is neither"),
        ("trunk", 'host = "a"\nallow = ["carrier"]', "sip.trunks.east.allow[0]", "is no network"),
        ("trunk", 'host = "a"\ncodecs = []', "sip.trunks.east.codecs", "is empty"),
        ("trunk", 'host = "a"\nsrtp = "optional"', "sip.trunks.east.srtp", "for everybody to read"),
    ],
)
def test_a_setting_that_cannot_work_is_found(
    found: Found, table: str, line: str, path: str, what: str
) -> None:
    faults = found(MAIN.format(**GOOD | {table: line}), PIZZA)
    assert list(faults) == [path]
    assert what in faults[path]


def test_tls_to_a_carrier_and_any_port_for_a_listener_are_accepted(found: Found) -> None:
    lines = {"bind": 'host = "a"\ntls = true', "http": 'listen = "[::1]:0"'}
    assert found(MAIN.format(**GOOD | lines), PIZZA) == {}


def test_an_account_needs_a_password_a_service_and_a_name_of_its_own(found: Found) -> None:
    faults = found(
        """
        [smpp.listen]
        [smpp.accounts.acme]
        system_id = "acme"
        password = ""
        service = "piza"
        [smpp.accounts.other]
        system_id = "acme"
        password = "pw"
        service = "pizza"
        """,
        PIZZA,
    )
    assert faults == {
        "smpp.accounts.acme.password": "must not be empty",
        "smpp.accounts.acme.service": '"piza" is no service; did you mean "pizza"?',
        "smpp.accounts.other.system_id": '"acme" is the system_id of account acme already',
    }


def test_binds_do_not_listen_for_outbind_at_the_same_address(found: Found) -> None:
    bind = '[smpp.binds.{}]\nsystem_id = "a"\noutbind = "0.0.0.0:{}"\noutbind_allow = ["192.0.2.1"]\n'
    assert found(bind.format("a", 2777) + bind.format("b", 2778), PIZZA) == {}
    assert found(bind.format("a", 2777) + bind.format("b", 2777), PIZZA) == {
        "smpp.binds.b.outbind": '"0.0.0.0:2777" is where bind a listens already'
    }


def test_accounts_without_a_listener_are_found(found: Found) -> None:
    account = '[smpp.accounts.a]\nsystem_id = "a"\npassword = "p"\nservice = "pizza"'
    assert found(account, PIZZA) == {"smpp.accounts": "nobody can bind to an account without [smpp.listen]"}
