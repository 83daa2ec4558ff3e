"""gateway service: keys of the Messaging API and hub secrets, made and replaced."""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any

import click

from gateway.cli.output import print_json
from gateway.cli.rotate import read_file, replace_file, rotated
from gateway.cli.settings import config_option, json_option, service_of, settings
from gateway.config.secrets import SOURCES
from gateway.outbound.notify.hub import sign, sign_at
from gateway.values.duration import seconds
from gateway.values.service_key import hashed, is_hashed

_OCTETS = 32


class _Duration(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_rotate = click.option(
    "--rotate", is_flag=True, help="Put it into the file; the one before holds for a while."
)
_overlap = click.option(
    "--overlap",
    type=_Duration(),
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long the one before still holds.",
)


@click.group(
    epilog="""\b
Example:
  gateway service key alerts --rotate --overlap 24h
"""
)
def service() -> None:
    """Services, their keys and hub secrets."""


@service.command(
    epilog="""\b
Example:
  $ gateway service key alerts --rotate --overlap 24h
  A new key for the service alerts, shown only here:
    3q2-7wXJ...
  conf/services/alerts.toml holds its hash; the key before holds until 2026-12-01 18:00:00 UTC.
  Both hold from the next reload on: systemctl reload gateway
"""
)
@click.argument("name")
@_rotate
@_overlap
@json_option
@config_option
def key(name: str, rotate: bool, overlap: float, as_json: bool, config: str) -> None:
    """Make a key for the HTTP API of service NAME.

    The key is shown once; the service's file holds its hash.  With --rotate this command puts it there, and
    clients have --overlap to change to it.  Without, it changes nothing and says which line to write.
    """
    made = secrets.token_urlsafe(_OCTETS)
    current = str(service_of(settings(config), name).key)
    file = _file(config, name)
    if rotate:
        old = (
            current
            if is_hashed(current) or current.startswith(SOURCES)
            else hashed(current)
            if current
            else ""
        )
        until = _put(file, "key", hashed(made), old, overlap)
        if as_json:
            print_json({"service": name, "key": made, "file": str(file), "previous_until": _iso(until, old)})
            return
        click.echo(f"A new key for the service {name}, shown only here:")
        click.echo(f"  {made}")
        holds = f"; the key before holds until {until:%Y-%m-%d %H:%M:%S} UTC" if old else ""
        click.echo(f"{file} holds its hash{holds}.")
        click.echo(f"{'Both hold' if old else 'It holds'} from the next reload on: systemctl reload gateway")
        return
    if as_json:
        print_json(
            {"service": name, "key": made, "hash": hashed(made), "file": str(file), "replaces": bool(current)}
        )
        return
    where = "in place of its key" if current else "at its top"
    click.echo(f"A new key for the service {name}, shown only here:")
    click.echo(f"  {made}")
    click.echo(f"Put its hash into {file} {where}, then reload: systemctl reload gateway")
    click.echo(f'  key = "{hashed(made)}"')
    click.echo("Or let --rotate do so: the key before then holds for another day.")
    click.echo(f"Clients send it in the header: key: {made}")


@service.command(
    "hub-secret",
    epilog="""\b
Example:
  $ gateway service hub-secret alerts --rotate --overlap 48h
  A new hub secret for the service alerts:
    9dK3...
  conf/services/alerts.toml holds it.
  Until 2026-12-02 18:00:00 UTC notifications are signed with the one before, and with this one in ...
""",
)
@click.argument("name")
@_rotate
@_overlap
@json_option
@config_option
def hub_secret(name: str, rotate: bool, overlap: float, as_json: bool, config: str) -> None:
    """Make a secret that signs the notifications of service NAME.

    With --rotate this command puts it into the service's file.  During --overlap notifications are signed
    with both: X-Hub-Signature-256 with the one before, X-Hub-Signature-256-Next with the new one.
    """
    made = secrets.token_urlsafe(_OCTETS)
    current = str(service_of(settings(config), name).hub_secret)
    file = _file(config, name)
    until = None
    if rotate:
        until = _put(file, "hub_secret", made, current, overlap)
    if as_json:
        until_told = _iso(until, current) if until else None
        print_json({"service": name, "hub_secret": made, "file": str(file), "previous_until": until_told})
        return
    click.echo(f"A new hub secret for the service {name}:")
    click.echo(f"  {made}")
    if until is None:
        click.echo(f'Put this line into {file}, then reload: hub_secret = "{made}"')
        click.echo("Or let --rotate do so: notifications are then signed with both for another day.")
        return
    click.echo(f"{file} holds it.")
    if current:
        both = "notifications are signed with the one before, and with this one in X-Hub-Signature-256-Next"
        click.echo(f"Until {until:%Y-%m-%d %H:%M:%S} UTC {both}.")
    click.echo("It holds from the next reload on: systemctl reload gateway")


@service.command(
    epilog="""\b
Example:
  $ gateway service verify alerts sha256=1f0d... < body.json
  right: of the body, with the hub secret of the service alerts
"""
)
@click.argument("name")
@click.argument("signature")
@click.option("--timestamp", default="", metavar="SECONDS", help="The X-Hub-Timestamp that came with it.")
@config_option
def verify(name: str, signature: str, timestamp: str, config: str) -> None:
    """Check a SIGNATURE of a notification to service NAME; its body comes by standard input, octet by octet
    as it was received.

    SIGNATURE is what X-Hub-Signature-256 said, or with --timestamp what X-Hub-Timestamp-Signature-256 did.
    """
    of = service_of(settings(config), name)
    body = sys.stdin.buffer.read()
    secrets_of = {"hub secret": str(of.hub_secret), "hub secret before": str(of.previous_hub_secret)}
    if not any(secrets_of.values()):
        raise click.ClickException(f"the service {name} has no hub_secret: its notifications are not signed")
    for which, secret in secrets_of.items():
        right = sign_at(secret, timestamp, body) if timestamp else sign(secret, body)
        if secret and compare_digest(right.encode(), signature.strip().encode()):
            what = "the timestamp and the body" if timestamp else "the body"
            click.echo(f"right: of {what}, with the {which} of the service {name}")
            return
    raise click.ClickException(
        f"not a signature of these {len(body)} octets by the service {name}: were they changed on the way, "
        "say by a program that reads and writes the JSON again, or is a line break more at their end?"
    )


def _put(file: Path, what: str, new: str, old: str, overlap_seconds: float) -> datetime:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=overlap_seconds)
    text, table = read_file(file)
    before = table.get(f"previous_{what}_until")
    if old and isinstance(before, datetime) and before > datetime.now(UTC):
        end = f"it would have held until {before:%Y-%m-%d %H:%M:%S} UTC"
        click.echo(
            f"Warning: {file} had a previous_{what} already; {end}, and goes with the reload.", err=True
        )
    try:
        replace_file(file, rotated(text, what, new, old, until))
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}; write it by hand") from None
    return until


def _iso(until: datetime, old: str) -> str | None:
    return until.isoformat().replace("+00:00", "Z") if old else None


def _file(config: str, name: str) -> Path:
    return Path(config).parent / "services" / f"{name}.toml"
