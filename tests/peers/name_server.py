"""A DNS server on loopback that knows what it is given."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import dns.message
import dns.rcode
import dns.rrset

Zone = Mapping[tuple[str, str], tuple[int | str, ...]]  # (name, type): TTL in seconds, records


class _Server(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(), question.rdtype.name
        reply = dns.message.make_response(query)
        if (records := self._zone.get((name, kind))) is not None:
            reply.answer.append(dns.rrset.from_text(question.name, records[0], "IN", kind, *records[1:]))
        elif not any(name == known for known, _ in self._zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(reply.to_wire(), addr)


@contextlib.asynccontextmanager
async def name_server(zone: Zone) -> AsyncIterator[str]:
    """Its ADDRESS:PORT.  A zone that changes is answered from as it is then."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Server(zone), local_addr=("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn
