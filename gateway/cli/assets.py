"""gateway assets: the numbers, names, apps and keywords through which services work."""

from __future__ import annotations

import click

from gateway.cli.output import listing, print_json
from gateway.cli.settings import config_option, json_option, settings
from gateway.config.model import Gateway
from gateway.directory.assets import Held, held
from gateway.values.address import canonical
from gateway.values.errors import BadAddress

_KINDS = ("shortcode", "longcode", "phone-number", "sender-id", "app", "keyword")


@click.command(
    epilog="""\b
Example:
  $ gateway assets --service pizza
  12345   shortcode  GB  sms-mo, sms-mt  north, south  pizza  shared  active
  ORDER   keyword                                      pizza          active
"""
)
@click.option("--service", default="", metavar="NAME", help="Those of one service.")
@click.option("--kind", type=click.Choice(_KINDS), help="Those of one kind.")
@json_option
@config_option
def assets(service: str, kind: str | None, as_json: bool, config: str) -> None:
    """List the assets: kind, country, what each can do, who carries it, whose it is, its state."""
    gateway = settings(config)
    if service and service not in gateway.services:
        known = ", ".join(gateway.services) or "none"
        raise click.ClickException(f"no service is named {service!r} (there are: {known})")
    found = [
        (asset, _carriers(gateway, asset))
        for name, one in gateway.services.items()
        if not service or name == service
        for asset in held(name, one)
        if kind is None or asset.kind == kind
    ]
    if as_json:
        print_json([_json(asset, carriers) for asset, carriers in found])
        return
    columns = ("asset", "kind", "country", "can", "carriers", "service", "shared", "state")
    listing(columns, [_row(asset, carriers) for asset, carriers in found])


def _row(asset: Held, carriers: list[str]) -> tuple[str, ...]:
    name = f"{asset.address} on {asset.on}" if asset.on else asset.address
    return (
        name,
        asset.kind,
        asset.country,
        ", ".join(asset.capabilities),
        ", ".join(carriers),
        asset.service,
        "shared" if asset.shared and asset.kind != "keyword" else "",
        asset.state,
    )


def _json(asset: Held, carriers: list[str]) -> dict[str, object]:
    return {
        "asset": asset.address,
        "kind": asset.kind,
        "country": asset.country,
        "capabilities": list(asset.capabilities),
        "carriers": carriers,
        "service": asset.service,
        "shared": asset.shared,
        "state": asset.state,
        **({"number": asset.on} if asset.kind == "keyword" else {}),
    }


def _carriers(gateway: Gateway, asset: Held) -> list[str]:
    """The binds and trunks that name it, or that it names."""
    if asset.kind in ("app", "keyword"):
        return []
    found = [asset.carrier] if asset.carrier else []
    found += [name for name, bind in gateway.smpp.binds.items() if _among(asset.address, bind.addresses)]
    trunks = gateway.sip.trunks if gateway.sip is not None else {}
    found += [name for name, trunk in trunks.items() if _among(asset.address, trunk.numbers)]
    return list(dict.fromkeys(found))


def _among(address: str, written: list[str]) -> bool:
    for one in written:
        try:
            if canonical(one) == address:
                return True
        except BadAddress:
            continue
    return False
