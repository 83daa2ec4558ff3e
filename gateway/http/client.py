"""Whose request it is: that of the connection, or of whom a proxy that we trust names in X-Forwarded-For."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from aiohttp import web

from gateway.config.endpoint import allowed, network

LOOPBACK = ("127.0.0.0/8", "::1")


class Proxies:
    """`trusted` are networks and addresses.  Raises ValueError."""

    def __init__(self, trusted: Iterable[str] = LOOPBACK) -> None:
        self._trusted = [network(written) for written in trusted]

    def client(self, connection: str, forwarded: str) -> str:
        """The address of the client: of `forwarded`, "CLIENT, PROXY", what the last trusted proxy says.

        Each proxy adds at the end whom it was connected by; before an address that is no trusted proxy's
        stands only what a client may have written itself.
        """
        found = connection
        for named in reversed(forwarded.split(",")):
            try:
                if not allowed(found, self._trusted):
                    break
                found = str(ip_address(named.strip().strip("[]")))
            except ValueError:
                break
        return found


PROXIES = web.AppKey("proxies", Proxies)


def client_of(request: web.Request) -> str:
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    return request.app[PROXIES].client(request.remote or "", forwarded)
