"""gateway messages: what the store holds, newest first."""

from __future__ import annotations

from typing import Any

import click
from msgspec.structs import replace

from gateway.cli.output import listing, moment, print_json
from gateway.cli.settings import config_option, json_option, look
from gateway.store.base import MessageQuery, Store
from gateway.values.address import canonical
from gateway.values.clock import iso
from gateway.values.errors import BadAddress
from gateway.values.message import Message
from gateway.values.outcome import Status

_PAGE = 500


class Address(click.ParamType[str]):
    """A number, shortcode or sender ID; comes out canonical."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return canonical(value)
        except BadAddress as error:
            self.fail(error.reason, param, ctx)


limit_option = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
)


@click.command(
    epilog="""\b
Examples:
  gateway messages --status failed --limit 20
  gateway messages --to +447700900123 --direction mt --json
"""
)
@click.option("--status", type=click.Choice([str(s) for s in Status]), help="Only in this status.")
@click.option("--to", "recipient", type=Address(), default=None, metavar="N", help="Only to this address.")
@click.option("--from", "sender", type=Address(), default=None, metavar="N", help="Only from this address.")
@click.option("--service", default="", metavar="NAME", help="Only of this service.")
@click.option("--correlationid", default="", metavar="ID", help="Only with the client's own id.")
@click.option("--direction", type=click.Choice(["mo", "mt"]), help="mo: from customers; mt: to them.")
@limit_option
@json_option
@config_option
def messages(
    status: str | None,
    recipient: str | None,
    sender: str | None,
    service: str,
    correlationid: str,
    direction: str | None,
    limit: int,
    as_json: bool,
    config: str,
) -> None:
    """Search the messages, newest first.

    Reads the store beside the running gateway.  Times are UTC.  `gateway why ID` tells the story of one.
    """
    query = MessageQuery(
        service=service,
        direction=direction or "",
        status=status or "",
        correlationid=correlationid,
        limit=limit,
    )
    found = look(config, lambda store: _search(store, query, recipient or "", sender or ""))
    if as_json:
        print_json([message_json(message) for message in found])
        return
    listing(
        ("time", "dir", "from", "to", "status", "carrier", "service", "text", "reason", "id"),
        [
            (
                moment(message.created_at),
                message.direction,
                message.sender,
                message.recipient,
                str(message.status),
                message.carrier,
                message.service,
                message.text,
                message.reason or message.code,
                message.id,
            )
            for message in found
        ],
    )


async def _search(store: Store, query: MessageQuery, recipient: str, sender: str) -> list[Message]:
    """The store knows an address as either side; which side is sorted out here, page by page."""
    wanted = query.limit
    query = replace(query, address=recipient or sender, limit=_PAGE if recipient or sender else wanted)
    found: list[Message] = []
    while len(found) < wanted:
        page = await store.messages(query)
        found += [m for m in page if recipient in ("", m.recipient) and sender in ("", m.sender)]
        if len(page) < query.limit:
            break
        query = replace(query, before=page[-1].id)
    return found[:wanted]


def message_json(message: Message) -> dict[str, object]:
    """The names of the Messaging API."""
    return {
        "transid": message.id,
        "direction": message.direction,
        "service": message.service,
        "from": message.sender,
        "to": message.recipient,
        "text": message.text,
        "status": str(message.status),
        "final": message.status.final,
        "reason": message.reason,
        "code": message.code,
        "carrier": message.carrier,
        "chain": message.chain,
        "correlationid": message.correlationid,
        "session": message.run,
        "created": iso(message.created_at),
        "updated": iso(message.updated_at),
    }
