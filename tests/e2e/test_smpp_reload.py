"""SIGHUP changes accounts and the SMPP listener under a daemon that runs, and under those who use it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.hostile import (
    BIND_TRX,
    DELIVER,
    ENQUIRE_LINK,
    RESPONSE,
    ROK,
    SUBMIT,
    UNBIND,
    Peer,
    asked,
    pdu,
    short_message,
)
from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, until

pytestmark = pytest.mark.e2e

RINVSRCADR, RINVPASWD, RTHROTTLED = 0x0A, 0x0E, 0x58

LISTEN = """
[smpp.listen]
address = "127.0.0.1:{port}"

[smpp.binds.quiet]
system_id = "gw"
outbind = "127.0.0.1:0"
outbind_password = "nobody knows"
addresses = ["12345", "23456"]
"""

ACCOUNT = """
[smpp.accounts.{name}]
system_id = "{name}"
password = "{password}"
service = "shop"
"""

SHOP = f'name = "Shop"\nkey = "{KEY}"\nassets = ["12345", "23456"]'


def account(name: str, *lines: str, password: str = "right") -> str:
    return ACCOUNT.format(name=name, password=password) + "\n".join(lines) + "\n"


class Site:
    def __init__(self, daemon: Daemon, port: int) -> None:
        self.daemon = daemon
        self.port = port
        self.peers: list[Peer] = []

    def bind(self, name: str, password: str = "right", *, port: int = 0) -> tuple[Peer, int]:
        peer = Peer(socket.create_connection(("127.0.0.1", port or self.port), timeout=30))
        self.peers.append(peer)
        body = f"{name}\0{password}\0\0\x34\0\0\0".encode()
        return peer, peer.ask(pdu(BIND_TRX, 1, body))[1]

    def bound(self, name: str, password: str = "right", *, port: int = 0) -> Peer:
        peer, status = self.bind(name, password, port=port)
        assert status == ROK
        return peer

    def reload(self, *tables: str, port: int = 0, result: str = "reload.done") -> None:
        before = len(self.daemon.log(result))
        self.daemon.write(LISTEN.format(port=port or self.port) + "".join(tables))
        self.daemon.signal(signal.SIGHUP)
        until(lambda: len(self.daemon.log(result)) > before, result)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    settings = LISTEN.format(port=port) + account("stays") + account("changes")
    with Daemon(tmp_path / "site", settings, {"shop": SHOP}) as daemon:
        site = Site(daemon, port)
        stays = site.bound("stays")
        yield site
        stays.lives()  # through all of it
        for peer in site.peers:
            peer.connection.close()
        assert daemon.log("reload.needs_restart") == []
        assert "Traceback" not in daemon.log_file.read_text()


def leaves(peer: Peer) -> None:
    """The session is unbound politely."""
    unbind = asked(peer, UNBIND)
    peer.send(pdu(ENQUIRE_LINK, 70) + pdu(UNBIND | RESPONSE, unbind.sequence))
    assert peer.answered() == (ENQUIRE_LINK | RESPONSE, ROK, 70)
    assert peer.ended()


def test_an_account_comes_and_goes(site: Site) -> None:
    _, status = site.bind("new")
    assert status == RINVPASWD
    site.reload(account("stays"), account("changes"), account("new"))
    new = site.bound("new")
    assert new.ask(pdu(SUBMIT, 2, short_message())) == (SUBMIT | RESPONSE, ROK, 2)
    site.reload(account("stays"), account("changes"))
    leaves(new)
    assert site.bind("new")[1] == RINVPASWD


def test_a_new_password_unbinds_who_has_the_old_one(site: Site) -> None:
    old = site.bound("changes")
    site.reload(account("stays"), account("changes", password="better"))
    leaves(old)
    assert site.bind("changes")[1] == RINVPASWD
    site.bound("changes", "better").lives()


def test_what_an_account_may_do_changes_under_its_session(site: Site) -> None:
    peer = site.bound("changes")
    body = short_message(source=b"12345")
    assert peer.ask(pdu(SUBMIT, 2, body))[1] == ROK
    site.reload(account("stays"), account("changes", 'senders = ["23456"]'))
    assert peer.ask(pdu(SUBMIT, 3, body))[1] == RINVSRCADR
    site.reload(account("stays"), account("changes", "throughput = 0.01"))
    peer.send(pdu(SUBMIT, 4, body) + pdu(SUBMIT, 5, body))
    assert sorted(peer.answered()[1] for _ in range(2)) == [ROK, RTHROTTLED]
    site.reload(account("stays"), account("changes", "window = 7"))
    assert peer.ask(pdu(SUBMIT, 6, body))[1] == ROK
    site.reload(account("stays"), account("changes", 'allow = ["192.0.2.0/24"]'))
    leaves(peer)


def test_fewer_sessions_unbind_the_youngest(site: Site) -> None:
    first, second = site.bound("changes"), site.bound("changes")
    site.reload(account("stays"), account("changes", "sessions = 1"))
    leaves(second)
    first.lives()


def test_the_listener_moves_and_its_sessions_stay(site: Site) -> None:
    peer = site.bound("changes")
    port = free_port()
    site.reload(account("stays"), account("changes"), port=port)
    site.bound("changes", port=port).lives()
    with pytest.raises(ConnectionError):
        site.bind("changes")
    peer.lives()


def test_a_listener_that_cannot_move_stays_and_says_why(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.reload(account("stays"), account("changes"), port=port, result="reload.failed")
    assert "smpp.listen: " in site.daemon.log("reload.failed")[-1]["reason"]
    site.bound("changes").lives()
    site.reload(account("stays"), account("changes"))


def test_texts_come_to_an_account_that_begins_to_ask_for_them(site: Site, tmp_path: Path) -> None:
    peer = site.bound("changes")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        bind = f"""
[smpp.binds.north]
host = "127.0.0.1"
port = {listener.getsockname()[1]}
system_id = "gw"
addresses = ["12345"]
"""
        site.reload(account("stays"), account("changes", "inbound = true"), bind)
        connection, _ = listener.accept()
        with connection:
            carrier = Peer(connection)
            carrier.send(pdu(BIND_TRX | RESPONSE, asked(carrier, BIND_TRX).sequence, b"smsc\0"))
            text = short_message(b"hello", source=b"447700900123", to=b"12345")
            assert carrier.ask(pdu(DELIVER, 9, text)) == (DELIVER | RESPONSE, ROK, 9)
            delivered = asked(peer, DELIVER)
            assert b"hello" in delivered.body
            peer.send(pdu(DELIVER | RESPONSE, delivered.sequence, b"\0"))
            peer.lives()
            site.reload(account("stays"), account("changes"))


def test_many_signals_at_once_end_in_the_last_configuration(site: Site) -> None:
    for count in range(5):
        site.daemon.write(LISTEN.format(port=site.port) + account("stays") + account(f"name{count}"))
        site.daemon.signal(signal.SIGHUP)
    until(lambda: site.bind("name4")[1] == ROK, "the last one is in")
    assert site.bind("name3")[1] == RINVPASWD


def test_outbind_both_ways_through_the_daemon(site: Site) -> None:
    """A carrier calls us; its text goes to an account that has to be called."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        theirs = (
            f'inbound = true\noutbind = "127.0.0.1:{listener.getsockname()[1]}"\noutbind_password = "psst"'
        )
        bind = f"""
[smpp.binds.north]
system_id = "gw"
outbind = "127.0.0.1:{port}"
outbind_password = "knock"
addresses = ["12345"]
"""
        site.reload(account("stays"), account("changes", theirs), bind)
        until(lambda: _open(port), "the bind listens")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            carrier = Peer(connection)
            carrier.send(pdu(0x0B, 1, b"smsc\0knock\0"))
            carrier.send(pdu(BIND_TRX | RESPONSE, asked(carrier, BIND_TRX).sequence, b"smsc\0"))
            text = short_message(b"hello", source=b"447700900123", to=b"12345")
            assert carrier.ask(pdu(DELIVER, 9, text)) == (DELIVER | RESPONSE, ROK, 9)
            called, _ = listener.accept()
            with called:
                esme = Peer(called)
                outbind = esme.read()
                assert outbind is not None and (outbind.command, outbind.body) == (0x0B, b"trunkline\0psst\0")
                assert esme.ask(pdu(BIND_TRX, 1, b"changes\0right\0\0\x34\0\0\0"))[1] == ROK
                delivered = asked(esme, DELIVER)
                assert b"hello" in delivered.body
                esme.send(pdu(DELIVER | RESPONSE, delivered.sequence, b"\0"))
                esme.lives()
        site.reload(account("stays"))


def test_the_server_itself_goes_and_comes(tmp_path: Path) -> None:
    port = free_port()
    without = LISTEN[LISTEN.index("[smpp.binds") :]
    with Daemon(tmp_path / "site", LISTEN.format(port=port) + account("acme"), {"shop": SHOP}) as daemon:
        site = Site(daemon, port)
        peer = site.bound("acme")
        daemon.write(without)
        daemon.signal(signal.SIGHUP)
        leaves(peer)
        until(lambda: not _open(port), "nobody listens")
        until(lambda: daemon.log("reload.done"), "the first is done")
        site.reload(account("acme"))
        site.bound("acme").lives()
        daemon.write(
            LISTEN.format(port=port).replace("[smpp.binds", BROKEN_TLS + "[smpp.binds") + account("acme")
        )
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.log("reload.failed"), "the certificate is missed")
        assert "tls_certificate nowhere.pem: " in daemon.log("reload.failed")[-1]["reason"]
        site.peers[-1].lives()
        for one in site.peers:
            one.connection.close()


BROKEN_TLS = 'tls_address = "127.0.0.1:0"\ntls_certificate = "nowhere.pem"\n\n'


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionError:
        return False
    return True
