"""Answers that nothing is remembered of (RFC 3261 section 8.2.7): refusals that cost next to nothing."""

from __future__ import annotations

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.message import Request, reply_address, respond, stamp, via_address
from gateway.protocol.sip.transaction import Datagram

_QUOTE_SAFE = {ord('"'): "'", ord("\\"): "/"}


class Stateless:
    """`host` is what peers see of us; nobody outside knows the salt."""

    def __init__(self, host: str, salt: int) -> None:
        self._host = host
        self._salt = salt

    def answer(
        self, request: Request, source: Address, status: int, reason: str, retry_after: int
    ) -> Datagram:
        """The To tag is the same for each repetition of the request.  `reason` tells what a 400 is for,
        `retry_after` is in seconds and belongs to a 503."""
        stamp(request, source)
        mark = hash((self._salt, request.via.branch, request.call_id, request.from_tag))
        headers = [("Retry-After", str(retry_after))] if status == 503 else []
        if status == 400 and reason.isascii() and reason.isprintable():
            headers.append(("Warning", f'399 {self._host} "{reason.translate(_QUOTE_SAFE)}"'))
        response = respond(request, status, to_tag=f"{mark & (1 << 64) - 1:016x}", headers=headers)
        address = reply_address(request, source)
        return Datagram(bytes(response), address, None, otherwise(request, address))


def otherwise(request: Request, address: Address) -> Address | None:
    """Where a response goes when the connection of its request is gone."""
    return via_address(request, address) if address.reliable else None
