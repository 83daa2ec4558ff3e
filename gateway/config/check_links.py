"""What the settings mean for the outside: listeners, binds, accounts, trunks, the store."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import phonenumbers
from msgspec import Struct

from gateway.config.endpoint import host_port, is_host, network, port_range, transport_host_port
from gateway.config.locate import join
from gateway.config.model import Account, Bind, Gateway, Sip, Smpp, Store, Trunk, receipts_about
from gateway.values import smpp as codes
from gateway.values.address import canonical
from gateway.values.errors import BadAddress
from gateway.values.fault import Fault, nearest

_PORT = (1, 65535)
_AT_LEAST_ONE = (1, math.inf)
_NOT_NEGATIVE = (0, math.inf)
_MORE_THAN_ZERO = (math.ulp(0.0), math.inf)

_OCTET = (0, 255)
_CLASS = (0, 3)
_CODINGS = ("default", "ucs2")
# message_payload and the three of a long message by SAR
_OWN_TLVS = {0x0424, 0x020C, 0x020E, 0x020F}

# what comes from the person who is called or has been called off: busy, hung up, declined
_DECLINED = frozenset({486, 487, 600, 603, 607, 608})

_Limits = Mapping[str, tuple[float, float]]
_ACCOUNT: _Limits = {"sessions": _AT_LEAST_ONE, "window": _AT_LEAST_ONE, "throughput": _NOT_NEGATIVE}
_BIND: _Limits = {
    "port": _PORT,
    "sessions": _AT_LEAST_ONE,
    "window": _AT_LEAST_ONE,
    "throughput": _NOT_NEGATIVE,
    "response_timeout": _MORE_THAN_ZERO,
    "reconnect": _MORE_THAN_ZERO,
    "throttle_pause": _MORE_THAN_ZERO,
    "breaker": _NOT_NEGATIVE,
    "breaker_rest": _MORE_THAN_ZERO,
    "retry_pause": _MORE_THAN_ZERO,
    "retry_limit": _NOT_NEGATIVE,
    "reassembly": _MORE_THAN_ZERO,
    "queue": _AT_LEAST_ONE,
}
_TRUNK: _Limits = {
    "port": (0, 65535),
    "max_calls": _AT_LEAST_ONE,
    "expires": (60, 86_400),
    "calls_per_second": _MORE_THAN_ZERO,
    "ring_timeout": _MORE_THAN_ZERO,
}


def links(gateway: Gateway) -> Iterator[Fault]:
    yield from _store(gateway.store)
    yield from _limits("http", gateway.http, {"queue": _AT_LEAST_ONE})
    yield from _read(host_port, "http.listen", gateway.http.listen)
    yield from _smpp(gateway.smpp, list(gateway.services))
    if gateway.sip is not None:
        yield from _sip(gateway.sip)


def _store(store: Store) -> Iterator[Fault]:
    yield from _limits("store", store, {"queue": _AT_LEAST_ONE})
    if store.url.startswith("postgres"):
        yield Fault("store.url", 'PostgreSQL is not available in this version; write "sqlite:gateway.db"')
    elif not re.fullmatch(r"sqlite:(///)?[^/](.*[^/])?", store.url):
        yield Fault("store.url", f'"{store.url}" names no store; write "sqlite:gateway.db"')


def _smpp(smpp: Smpp, services: Sequence[str]) -> Iterator[Fault]:
    if smpp.listen is not None:
        yield from _read(host_port, "smpp.listen.address", smpp.listen.address)
        yield from _limits("smpp.listen", smpp.listen, {"bind_timeout": _MORE_THAN_ZERO})
        if smpp.listen.tls_address:
            yield from _read(host_port, "smpp.listen.tls_address", smpp.listen.tls_address)
            yield from _filled("smpp.listen", smpp.listen, "tls_certificate")
    elif smpp.accounts:
        yield Fault("smpp.accounts", "nobody can bind to an account without [smpp.listen]")
    holders: dict[str, str] = {}
    for name, account in smpp.accounts.items():
        path = f"smpp.accounts.{name}"
        yield from _account(path, account, services)
        holder = holders.setdefault(account.system_id, name)
        if holder != name:
            what = f'"{account.system_id}" is the system_id of account {holder} already'
            yield Fault(f"{path}.system_id", what)
    listeners: dict[str, str] = {}
    for name, bind in smpp.binds.items():
        path = f"smpp.binds.{name}"
        yield from _bind(path, bind)
        yield from _receipts(path, name, smpp.binds)
        holder = listeners.setdefault(bind.outbind, name) if bind.outbind else name
        if holder != name:
            yield Fault(f"{path}.outbind", f'"{bind.outbind}" is where bind {holder} listens already')


def _account(path: str, account: Account, services: Sequence[str]) -> Iterator[Fault]:
    yield from _limits(path, account, _ACCOUNT)
    yield from _filled(path, account, "system_id", "password")
    yield from _networks(path, account.allow)
    yield from _addresses(f"{path}.senders", account.senders)
    if not account.allow:
        yield Fault(f"{path}.allow", "is empty, so that nobody can bind")
    if account.service not in services:
        what = f'"{account.service}" is no service{nearest(account.service, services)}'
        yield Fault(f"{path}.service", what)
    if account.outbind:
        yield from _read(host_port, f"{path}.outbind", account.outbind)
        yield from _octets(path, account, {"outbind_system_id": 64, "outbind_password": 64})


def _bind(path: str, bind: Bind) -> Iterator[Fault]:
    yield from _limits(path, bind, _BIND)
    yield from _filled(path, bind, "system_id")
    if bind.host:
        yield from _host(path, bind.host)
    elif not bind.outbind:
        yield Fault(f"{path}.host", "missing; write the carrier's address, or outbind if it connects to us")
    if bind.outbind:
        yield from _outbind(path, bind)
    yield from _addresses(f"{path}.addresses", bind.addresses)
    for written in bind.status_map:
        yield from _read(codes.status, join(f"{path}.status_map", written), written)
    if bind.receipt_zone:
        yield from _read(codes.zone, f"{path}.receipt_zone", bind.receipt_zone)
    for written, value in bind.tlvs.items():
        yield from _tlv(join(f"{path}.tlvs", written), written, value)
    for name, octet in bind.data_codings.items():
        if name not in _CODINGS:
            yield Fault(join(f"{path}.data_codings", name), f"is neither {' nor '.join(_CODINGS)}")
        elif not 0 <= octet <= 0xFF:
            yield Fault(join(f"{path}.data_codings", name), f"must be 0 to 255, not {octet}")
    if bind.message_class is not None:
        yield from _limits(path, bind, {"message_class": _CLASS})
    for key in ("source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi"):
        if getattr(bind, key) is not None:
            yield from _limits(path, bind, {key: _OCTET})
    limits = {"system_id": 64, "password": 64, "system_type": 12, "service_type": 5}
    yield from _octets(path, bind, limits)
    if bind.reconnect_limit < bind.reconnect:
        yield Fault(f"{path}.reconnect_limit", "must not be shorter than reconnect")


def _outbind(path: str, bind: Bind) -> Iterator[Fault]:
    yield from _read(host_port, f"{path}.outbind", bind.outbind)
    for index, written in enumerate(bind.outbind_allow):
        yield from _read(network, f"{path}.outbind_allow[{index}]", written)
    if not bind.outbind_password and not bind.outbind_allow:
        what = "shows the bind's password to anyone who connects; set outbind_password or outbind_allow"
        yield Fault(f"{path}.outbind", what)
    if bind.tls:
        yield Fault(f"{path}.outbind", "is without TLS, which tls = true rules out; use one or the other")


def _octets(path: str, settings: Struct, limits: Mapping[str, int]) -> Iterator[Fault]:
    for key, limit in limits.items():
        if len(getattr(settings, key).encode()) > limit:
            yield Fault(f"{path}.{key}", f"must not be longer than {limit} octets")


def _receipts(path: str, name: str, binds: Mapping[str, Bind]) -> Iterator[Fault]:
    """Receipts are matched by the ids that another bind was given: both must know how these are written."""
    bind = binds[name]
    for index, other in enumerate(bind.receipts_of):
        if other not in binds:
            yield Fault(f"{path}.receipts_of[{index}]", f'"{other}" is no bind{nearest(other, binds)}')
        elif other == name or binds[other].mode == "receiver":
            why = "is this bind" if other == name else "only receives"
            yield Fault(f"{path}.receipts_of[{index}]", f'"{other}" {why}; name binds that send')
    for other in receipts_about(name, binds):
        if other in binds and binds[other].receipt_id != bind.receipt_id:
            what = f'must be "{binds[other].receipt_id}" as that of bind {other}, whose receipts come here'
            yield Fault(f"{path}.receipt_id", what)


def _tlv(path: str, written: str, value: str) -> Iterator[Fault]:
    try:
        number = codes.tag(written)
        codes.octets(value)
    except ValueError as error:
        yield Fault(path, str(error))
    else:
        if number in _OWN_TLVS:
            yield Fault(path, "is a parameter that the gateway sets itself where it is needed")


def _sip(sip: Sip) -> Iterator[Fault]:
    if not sip.listen:
        yield Fault("sip.listen", 'is empty; write ["udp:0.0.0.0:5060"]')
    transports: dict[str, str] = {}
    for index, endpoint in enumerate(sip.listen):
        yield from _read(transport_host_port, f"sip.listen[{index}]", endpoint)
        transport = endpoint.partition(":")[0]
        if transports.setdefault(transport, endpoint) != endpoint:
            what = f'"{transports[transport]}" listens by {transport} already; one address for each transport'
            yield Fault(f"sip.listen[{index}]", what)
    if "tls" in transports:
        yield from _filled("sip", sip, "tls_certificate")
    if sip.advertise and not is_host(sip.advertise):
        yield Fault("sip.advertise", f'"{sip.advertise}" is no address or host name (without a port)')
    yield from _read(port_range, "sip.rtp_ports", sip.rtp_ports)
    if sip.recordings_megabytes < 0:
        yield Fault("sip.recordings_megabytes", "must not be negative; 0: any")
    if sip.name_server:
        yield from _read(host_port, "sip.name_server", sip.name_server)
    for name, trunk in sip.trunks.items():
        yield from _trunk(f"sip.trunks.{name}", trunk, transports)


def _trunk(path: str, trunk: Trunk, transports: Collection[str]) -> Iterator[Fault]:
    yield from _limits(path, trunk, _TRUNK)
    yield from _host(path, trunk.host)
    yield from _networks(path, trunk.allow)
    yield from _addresses(f"{path}.numbers", trunk.numbers)
    if trunk.auth != "ip":
        yield from _filled(path, trunk, "username", "password")
    if trunk.domain and not is_host(trunk.domain):
        yield Fault(f"{path}.domain", f'"{trunk.domain}" is no address or host name (without a port)')
    if trunk.outbound_proxy and not is_host(trunk.outbound_proxy):
        yield from _read(host_port, f"{path}.outbound_proxy", trunk.outbound_proxy)
    valid = {"udp", "tcp", "tls"}.intersection(transports)
    for way in trunk.transport.split("+") if trunk.transport != "auto" else ():
        if valid and way not in valid:
            port = 5061 if way == "tls" else 5060
            what = f'[sip] does not listen by {way}; add "{way}:0.0.0.0:{port}" to sip.listen'
            yield Fault(f"{path}.transport", what)
    if trunk.number_format == "national" and trunk.country not in phonenumbers.SUPPORTED_REGIONS:
        near = nearest(trunk.country.upper(), phonenumbers.SUPPORTED_REGIONS)
        yield Fault(f"{path}.country", f'"{trunk.country}" is no country code (ISO 3166, "GB"){near}')
    if not re.fullmatch(r"[0-9*#+]*", trunk.prefix):
        yield Fault(f"{path}.prefix", "may hold digits, *, # and + only")
    for index, status in enumerate(trunk.failover):
        if status in _DECLINED:
            what = f"{status} is a person's answer, and nobody who declined is rung twice; leave it out"
            yield Fault(f"{path}.failover[{index}]", what)
        elif not 400 <= status <= 699:
            yield Fault(f"{path}.failover[{index}]", f"{status} refuses no call; write 400 to 699")
    if not trunk.codecs:
        yield Fault(f"{path}.codecs", 'is empty; write ["PCMU", "PCMA"]')
    if trunk.srtp != "off" and trunk.transport not in ("tls", "auto"):
        what = f'its keys go by SIP over {trunk.transport}, for everybody to read; write transport = "tls"'
        yield Fault(f"{path}.srtp", what, warning=True)


def _limits(path: str, settings: Struct, limits: _Limits) -> Iterator[Fault]:
    for key, (least, most) in limits.items():
        value = getattr(settings, key)
        if least <= value <= most:
            continue
        if most < math.inf:
            wanted = f"{least:g} to {most:g}"
        else:
            wanted = "more than 0" if 0 < least < 1 else f"{least:g} or more"
        yield Fault(f"{path}.{key}", f"must be {wanted}, not {value:g}")


def _filled(path: str, settings: Struct, *keys: str) -> Iterator[Fault]:
    return (Fault(f"{path}.{key}", "must not be empty") for key in keys if not getattr(settings, key))


def _host(path: str, host: str) -> Iterator[Fault]:
    if not is_host(host):
        yield Fault(f"{path}.host", f'"{host}" is no address or host name (the port has a key of its own)')


def _networks(path: str, networks: Sequence[str]) -> Iterator[Fault]:
    for index, written in enumerate(networks):
        yield from _read(network, f"{path}.allow[{index}]", written)


def _addresses(path: str, addresses: Sequence[str]) -> Iterator[Fault]:
    for index, address in enumerate(addresses):
        try:
            canonical(address)
        except BadAddress as error:
            yield Fault(f"{path}[{index}]", error.reason)


def _read(reader: Callable[[str], object], path: str, written: str) -> Iterator[Fault]:
    try:
        reader(written)
    except ValueError as error:
        yield Fault(path, str(error))
