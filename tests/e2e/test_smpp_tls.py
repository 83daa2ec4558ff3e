"""TLS under attack: what strangers do to our TLS port, and what certificates a carrier may show us.

`tls/` holds an authority and what it has signed, all with one key: "localhost", "other" (smsc.example) and
"expired" (localhost, until 2020); "self-signed" (localhost) is signed by nobody.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers.hostile import (
    BIND_TRX,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RESPONSE,
    RINVCMDLEN,
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
from tests.peers.settings import account, bind
from tests.peers.smpplib_smsc import Smsc

pytestmark = pytest.mark.e2e

TLS = Path(__file__).parent / "tls"
ABUSER = b"abuser\0right\0\0\x34\0\0\0"

SETTINGS = (
    """
[smpp.listen]
address = "127.0.0.1:{port}"
bind_timeout = "3s"
tls_address = "127.0.0.1:{tls_port}"
tls_certificate = "{tls}/localhost.pem"
tls_key = "{tls}/key.pem"
tls_minimum = "1.3"
tls_client_ca = "{tls}/ca.pem"
"""
    + account("honest", 'enquire_link = "10m"')
    + account("abuser", "window = 1000")
    + bind("friend", "{friend}", "12345")
)

CARRIER = """
[smpp.binds.secure]
host = "{host}"
port = {port}
system_id = "gw"
tls = true
tls_ca = "{tls}/ca.pem"
addresses = ["12345"]
response_timeout = "2s"
reconnect = "50ms"
reconnect_limit = "50ms"
"""

SHOP = f'name = "Shop"\nkey = "{KEY}"\nassets = ["12345"]'


def context(certificate: str = "localhost") -> ssl.SSLContext:
    """A client's; it shows that certificate, or none."""
    made = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    if certificate:
        made.load_cert_chain(TLS / f"{certificate}.pem", TLS / "key.pem")
    return made


class Site:
    def __init__(self, daemon: Daemon, port: int, tls_port: int) -> None:
        self.daemon = daemon
        self.port = port
        self.tls_port = tls_port

    def stranger(self, port: int = 0) -> socket.socket:
        """A connection to the TLS port on which nothing was said."""
        return socket.create_connection(("127.0.0.1", port or self.tls_port), timeout=30)

    @contextmanager
    def secure(self, made: ssl.SSLContext | None = None) -> Iterator[Peer]:
        with (
            self.stranger() as plain,
            (made or context()).wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            yield Peer(connection)

    @contextmanager
    def abuser(self) -> Iterator[Peer]:
        with self.secure() as peer:
            assert peer.ask(pdu(BIND_TRX, 1, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 1)
            yield peer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Peer]]:
    port, tls_port, friend = free_port(), free_port(), Smsc()
    settings = SETTINGS.format(port=port, tls_port=tls_port, tls=TLS, friend=friend.port)
    try:
        with Daemon(tmp_path_factory.mktemp("tls") / "site", settings, {"shop": SHOP}) as daemon:
            until(lambda: daemon.log("bind.up"), "the friend's bind is up")
            site = Site(daemon, port, tls_port)
            with site.secure() as honest:
                assert honest.ask(pdu(BIND_TRX, 1, b"honest\0right\0\0\x34\0\0\0"))[1] == ROK
                yield site, honest
    finally:
        friend.close()


@pytest.fixture
def site(shared: tuple[Site, Peer]) -> Iterator[Site]:
    site, honest = shared
    logged = len(site.daemon.log_file.read_text())
    yield site
    assert honest.ask(pdu(SUBMIT, 2, short_message())) == (SUBMIT | RESPONSE, ROK, 2)
    with site.abuser() as peer:
        peer.lives()
    said = site.daemon.log_file.read_text()[logged:].splitlines()
    assert not [line for line in said if "Traceback" in line or '"level":"critical"' in line]


def end(connection: socket.socket) -> bytes:
    """What is still said before the connection ends."""
    said = b""
    try:
        while piece := connection.recv(4096):
            said += piece
    except ConnectionError:
        pass
    return said


def is_alert(said: bytes) -> bool:
    """Nothing, or TLS records of the type alert (RFC 8446 section 5.1), never SMPP."""
    return not said or said[0] == 21


# -- our port ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"\0" * 64,
        b"\xff" * 600,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\xff\xff" + b"\x01" * 100,  # a record longer than any may be
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",  # an empty ClientHello
        b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b" + b"\xff" * 43,
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert instead
        b"\x17\x03\x03\x00\x10" + b"x" * 16,  # application data
        b"\x80\x2e\x01\x00\x02" + b"\0" * 43,  # an SSL 2 hello
    ],
)
def test_what_is_no_client_hello_ends_the_connection(site: Site, said: bytes) -> None:
    with site.stranger() as connection:
        connection.sendall(said)
        assert is_alert(end(connection))


def test_smpp_in_the_open_is_not_heard_on_the_tls_port(site: Site) -> None:
    with site.stranger() as connection:
        connection.sendall(pdu(BIND_TRX, 1, ABUSER))
        assert is_alert(end(connection))
    assert not [line for line in site.daemon.log("smpp.closed") if line["link"] == "plain"]


def test_tls_on_the_port_without_it_is_told_that_this_is_smpp(site: Site) -> None:
    with site.stranger(site.port) as plain, pytest.raises(ssl.SSLError):
        context().wrap_socket(plain, server_hostname="localhost")
    with site.stranger(site.port) as plain:
        plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 32)
        answer = Peer(plain).read()
        assert answer is not None and answer[:2] == (GENERIC_NACK, RINVCMDLEN)
        assert end(plain) == b""


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_handshake_that_does_not_go_on_is_ended(site: Site, said: bytes) -> None:
    with site.stranger() as connection:
        began = time.monotonic()
        connection.sendall(said)
        assert is_alert(end(connection))
        assert 0.5 < time.monotonic() - began < 9


def test_a_handshake_octet_by_octet_has_no_more_time(site: Site) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    with site.stranger() as connection:
        began = time.monotonic()
        try:
            for octet in hello:
                connection.sendall(bytes((octet,)))
                time.sleep(0.05)
                assert time.monotonic() - began < 9
        except ConnectionError:
            pass


def test_two_hundred_half_handshakes_are_nothing_to_a_good_client(site: Site) -> None:
    halves = [site.stranger() for _ in range(200)]
    for half in halves[::2]:
        half.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    began = time.monotonic()
    with site.abuser() as peer:
        for number in range(2, 50):
            assert peer.ask(pdu(SUBMIT, number, short_message())) == (SUBMIT | RESPONSE, ROK, number)
    assert time.monotonic() - began < 9
    for half in halves:
        assert is_alert(end(half))
        half.close()


def test_resets_in_mid_handshake_leave_nothing(site: Site) -> None:
    for number in range(100):
        with site.stranger() as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00"[: number % 8])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_an_older_version_is_refused(site: Site) -> None:
    old = context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError), site.secure(old):  # an alert, or the end
        raise AssertionError
    assert any("version" in line["reason"].lower() for line in site.daemon.log("smpp.tls_refused"))


@pytest.mark.parametrize("certificate", ["", "self-signed", "expired"])
def test_a_client_must_show_a_certificate_of_the_authority(site: Site, certificate: str) -> None:
    before = len(site.daemon.log("smpp.tls_refused"))
    with pytest.raises(ConnectionError), site.secure(context(certificate)) as peer:
        try:  # with TLS 1.3 a client hears of it when it reads
            peer.send(pdu(BIND_TRX, 1, ABUSER))
            assert peer.connection.recv(1) == b""
        except ssl.SSLError as error:
            raise ConnectionError from error
        raise ConnectionError
    until(lambda: len(site.daemon.log("smpp.tls_refused")) > before, "the reason is logged")
    reason = site.daemon.log("smpp.tls_refused")[-1]["reason"].lower()
    assert "certificate" in reason


def test_after_the_handshake_a_bind_is_waited_for_no_longer_than_in_the_open(site: Site) -> None:
    with site.secure() as silent, site.secure() as half:
        half.send(pdu(BIND_TRX, 1, ABUSER)[:20])
        began = time.monotonic()
        assert silent.ended() and half.ended()
        assert time.monotonic() - began < 9


def test_messages_pass_whatever_records_they_come_in(site: Site) -> None:
    with site.abuser() as peer:
        for octet in pdu(SUBMIT, 2, short_message()):
            peer.send(bytes((octet,)))
        assert peer.answered() == (SUBMIT | RESPONSE, ROK, 2)
        peer.send(b"".join(pdu(SUBMIT, n, short_message()) for n in range(3, 503)))
        assert sorted(peer.answered() for _ in range(500)) == [
            (SUBMIT | RESPONSE, ROK, n) for n in range(3, 503)
        ]
        assert peer.ask(pdu(UNBIND, 600)) == (UNBIND | RESPONSE, ROK, 600)
        assert peer.ended()


def test_garbage_within_tls_is_answered_like_any(site: Site) -> None:
    with site.abuser() as peer:
        assert peer.ask(pdu(SUBMIT, 9, length=7)) == (GENERIC_NACK, RINVCMDLEN, 9)
        assert peer.ended()


@pytest.mark.parametrize("how", ["close_notify", "fin", "reset", "garbage"])
def test_however_it_ends_the_session_is_gone(site: Site, how: str) -> None:
    for _ in range(12):  # more than the account may have
        with site.stranger() as plain:
            secure = context().wrap_socket(plain, server_hostname="localhost")
            peer = Peer(secure)
            assert peer.ask(pdu(BIND_TRX, 1, ABUSER)) == (BIND_TRX | RESPONSE, ROK, 1)
            peer.send(pdu(SUBMIT, 2, short_message()) + pdu(ENQUIRE_LINK, 3))
            if how == "close_notify":
                peer.answered(), peer.answered()  # no data may follow our close_notify
                secure.unwrap()
            raw = socket.socket(fileno=secure.detach())
            if how == "garbage":
                raw.sendall(b"\x17\x03\x03\x00\x20" + b"?" * 32)
            if how == "reset":
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()

    def bound() -> bool:
        with site.secure() as peer:
            return peer.ask(pdu(BIND_TRX, 1, ABUSER))[1] == ROK

    until(bound, "the account has its sessions again")


# -- our client ----------------------------------------------------------------------------------------


class TlsSmsc:
    """A carrier that shows a certificate ("" = it speaks SMPP without TLS) and grants binds."""

    def __init__(self, certificate: str) -> None:
        self.context: ssl.SSLContext | None = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(TLS / f"{certificate}.pem", TLS / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.binds = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            with plain:
                plain.settimeout(30)
                try:
                    self._serve(plain)
                except OSError:
                    continue

    def _serve(self, plain: socket.socket) -> None:
        if self.context is None:
            plain.sendall(pdu(BIND_TRX | RESPONSE, 1, b"plain\0"))
            plain.recv(4096)
            return
        with self.context.wrap_socket(plain, server_side=True) as secure:
            peer = Peer(secure)
            peer.send(pdu(BIND_TRX | RESPONSE, asked(peer, BIND_TRX).sequence, b"smsc\0"))
            self.binds += 1
            while (request := peer.read()) is not None:
                peer.send(pdu(request.command | RESPONSE, request.sequence, b""))

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._thread.join(10)


@pytest.fixture
def smsc(request: pytest.FixtureRequest) -> Iterator[TlsSmsc]:
    smsc = TlsSmsc(request.param)
    yield smsc
    smsc.close()


def reasons(daemon: Daemon) -> list[str]:
    return [line["reason"] for line in daemon.log("smpp.down")]


@pytest.mark.parametrize(
    ("smsc", "host", "reason"),
    [
        ("other", "localhost", "Hostname mismatch"),
        ("localhost", "127.0.0.1", ""),  # the certificate names the address too
        ("localhost", "localhost", ""),
        ("other", "127.0.0.1", "IP address mismatch"),
        ("self-signed", "localhost", "self-signed certificate"),
        ("expired", "localhost", "certificate has expired"),
        ("", "localhost", "wrong version number"),
    ],
    indirect=["smsc"],
)
def test_a_carrier_is_who_its_certificate_says(tmp_path: Path, smsc: TlsSmsc, host: str, reason: str) -> None:
    settings = CARRIER.format(host=host, port=smsc.port, tls=TLS)
    with Daemon(tmp_path / "site", settings, {"shop": SHOP}) as daemon:
        if not reason:
            until(lambda: daemon.log("bind.up"), "the bind is up")
            return
        until(lambda: len(reasons(daemon)) >= 2, "it was tried twice")
        said = reasons(daemon)[-1]
        assert said.startswith("cannot connect: ") and reason.lower() in said.lower().replace("_", " ")
        assert daemon.log("bind.up") == [] and smsc.binds == 0
        assert "Traceback" not in daemon.log_file.read_text()


def test_a_carrier_that_never_ends_its_handshake_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        settings = CARRIER.format(host="localhost", port=listener.getsockname()[1], tls=TLS)
        with Daemon(tmp_path / "site", settings, {"shop": SHOP}) as daemon:
            for end_at_once in (False, False, True, True):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(30)
                    assert connection.recv(3)[:1] == b"\x16"
                    if not end_at_once:
                        while connection.recv(4096):
                            pass
            until(lambda: len(reasons(daemon)) >= 4, "each was given up")
            assert all(reason.startswith("cannot connect: ") for reason in reasons(daemon))
            assert {reason.removeprefix("cannot connect: ") for reason in reasons(daemon)} >= {"TimeoutError"}
            assert "cannot connect: " not in reasons(daemon)
            assert "Traceback" not in daemon.log_file.read_text()
