"""gateway links: what has become of the smart links of a service."""

from __future__ import annotations

import time

import click

from gateway.cli.output import listing, print_json
from gateway.cli.settings import config_option, json_option, look, service_of, settings


@click.command(
    epilog="""\b
Examples:
  gateway links shop
  gateway links shop --days 7 --json
"""
)
@click.argument("service")
@click.option("--days", default=30, show_default=True, metavar="N", help="Links that were made so lately.")
@json_option
@config_option
def links(service: str, days: int, as_json: bool, config: str) -> None:
    """Count the smart links of SERVICE by name: sent, opened, clicks, and previews, which are no clicks.

    Reads the store beside the running gateway.
    """
    service_of(settings(config), service)
    since = time.time() - days * 86_400.0
    found = look(config, lambda store: store.link_counts(service, since))
    if as_json:
        print_json(
            [
                {
                    "name": c.name,
                    "sent": c.sent,
                    "clicked": c.clicked,
                    "clicks": c.clicks,
                    "previews": c.previews,
                }
                for c in found
            ]
        )
        return
    listing(
        ("link", "sent", "opened", "clicks", "previews"),
        [(c.name, str(c.sent), str(c.clicked), str(c.clicks), str(c.previews)) for c in found],
    )
