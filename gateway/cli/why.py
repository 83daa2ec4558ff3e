"""gateway why: the story of one message, call, session, one-time password or custom event."""

from __future__ import annotations

import click
from msgspec.structs import replace

from gateway.cli.journal import Veil, journal_of, opened
from gateway.cli.output import clean, print_json
from gateway.cli.settings import config_option, json_option, look
from gateway.config.load import places
from gateway.content.journal import Journal
from gateway.observe.system import SystemClock
from gateway.observe.why import Line, of_call, of_event, of_message, of_otp, of_run
from gateway.store.base import MessageQuery, Store
from gateway.values.clock import iso
from gateway.values.ids import message_of
from gateway.values.message import Message
from gateway.values.otp import Otp

_PAGE = 500  # messages to a customer that are looked through for a code


@click.command(
    epilog="""\b
Example:
  $ gateway why 019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55
  14:05:09.120  A message of alerts from 12345 to +447700900123: "ALERT: ..."
  14:05:09.120  Accepted with the chain alert: sms, then sms, then voice.
  14:05:09.120  Step 1 (sms by north) begins.  [conf/services/alerts.toml:21]
"""
)
@click.argument("id")
@json_option
@config_option
def why(id: str, as_json: bool, config: str) -> None:
    """Tell what happened to a message, a call, a session, a one-time password or a custom event, step by
    step, and which setting decided.

    ID is the whole transaction or session ID, as `gateway messages`, the API or the log print it, or the one
    that an SMPP account was answered.  Reads the store beside the running gateway.  Times are UTC.
    """
    journal = journal_of(config)
    story = look(config, lambda store: _story(store, journal, id))
    if story is None:
        raise click.ClickException(f"no message, call, session, one-time password or event has the id {id}")
    place = places(config)
    if as_json:
        print_json(
            [{"at": iso(line.at), "text": line.text, "setting": place(line.setting)} for line in story]
        )
        return
    click.echo(iso(story[0].at)[:10])
    for line in story:
        setting = place(line.setting)
        click.echo(f"{iso(line.at)[11:-1]}  {clean(line.text)}{f'  [{setting}]' if setting else ''}")


async def _story(store: Store, journal: Journal, id: str) -> list[Line] | None:
    if message := await store.message(message_of(id) or id):
        return of_message(message, await store.events(message.id), await store.segments(message.id))
    if call := await store.call(id):
        return of_call(call, await store.events(call.message or id))
    if run := await store.run(id):
        events = await opened(store, journal, run)
        veil = Veil(run, events)
        return [replace(line, text=veil.text(line.text)) for line in of_run(run, events)]
    if otp := next((otp for otp in await store.otps() if otp.id == id), None):
        return of_otp(otp, await _sent(store, otp), SystemClock().now())
    if events := await store.events(id):
        return of_event(events)
    return None


async def _sent(store: Store, otp: Otp) -> list[Message]:
    """The messages that its code went out with."""
    query = MessageQuery(service=otp.service, direction="mt", address=otp.address, limit=_PAGE)
    found = await store.messages(query)
    return [m for m in reversed(found) if any(s.code is not None and s.code.otp == otp.id for s in m.plan)]
