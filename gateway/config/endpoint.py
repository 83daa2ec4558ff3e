"""Endpoints as they are written in the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

Network = IPv4Network | IPv6Network
Transport = Literal["udp", "tcp", "tls"]

_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/\s]+)):([0-9]{1,5})", re.ASCII)
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,5}) *- *([0-9]{1,5})", re.ASCII)


def host_port(written: str) -> tuple[str, int]:
    """Read "127.0.0.1:8080", "[::1]:8080" or "localhost:8080"; port 0 lets the system choose.

    Raises ValueError with the remedy.
    """
    match = _HOST_PORT.fullmatch(written.strip())
    if not match or int(match[3]) > 65535 or not is_host(match[1] or match[2]):
        raise ValueError(f'"{written}" is no ADDRESS:PORT; write "127.0.0.1:8080" or "[::1]:8080"')
    return match[1] or match[2], int(match[3])


def transport_host_port(written: str) -> tuple[Transport, str, int]:
    """Read "udp:127.0.0.1:5060" into ("udp", "127.0.0.1", 5060).  Raises ValueError with the remedy."""
    transport, _, endpoint = written.strip().partition(":")
    match transport:
        case "udp" | "tcp" | "tls":
            return (transport, *host_port(endpoint))
        case "ws" | "wss":
            raise ValueError(
                f'"{transport}" is not available; write "udp:", "tcp:" or "tls:" and ADDRESS:PORT'
            )
    raise ValueError(f'"{written}" names no transport; write "udp:ADDRESS:PORT"')


def is_host(written: str) -> bool:
    """An IP address or a host name (RFC 1123, underscores allowed)."""
    try:
        ip_address(written)
    except ValueError:
        # "300.1.1.1" would pass for a name
        return bool(_HOST.fullmatch(written)) and not written.replace(".", "").isdigit()
    return True


def port_range(written: str) -> range:
    """Read "20000-20999": the ports, both ends included.  Raises ValueError with the remedy."""
    match = _RANGE.fullmatch(written.strip())
    if not match:
        raise ValueError(f'"{written}" is no range of ports; write "20000-20999"')
    first, last = int(match[1]), int(match[2])
    if not 1024 <= first < last <= 65535:
        raise ValueError(f'"{written}": the ports must rise and lie in 1024 to 65535')
    return range(first, last + 1)


def network(written: str) -> Network:
    """Read "192.0.2.0/24", "2001:db8::/32" or a single address.  Raises ValueError with the remedy."""
    try:
        return ip_network(written.strip())
    except ValueError as error:
        reason = str(error)
    if "host bits set" in reason:
        meant = ip_network(written.strip(), strict=False)
        raise ValueError(f'"{written}" has bits set behind the prefix; write "{meant}"')
    raise ValueError(f'"{written}" is no network; write "192.0.2.0/24" or one address')


def allowed(address: str, networks: Iterable[Network]) -> bool:
    """Whether an IP address lies in one of the networks; an IPv4 address that came in by an IPv6 socket
    ("::ffff:192.0.2.1") counts as itself."""
    peer = ip_address(address)
    if peer.version == 6 and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return any(peer.version == network.version and peer in network for network in networks)
