"""gateway template: what a template says, by each channel, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gateway.channels.segmentation import terms_of
from gateway.cli.output import clean, listing, print_json
from gateway.cli.settings import config_option, json_option, service_of, settings
from gateway.cli.text import counted
from gateway.config.model import Gateway, Template, Wording
from gateway.content.template import checked, render_app, render_sms, render_voice, worded
from gateway.protocol.sms.preview import PLAIN, Preview, preview
from gateway.values import link
from gateway.values.errors import BadInput
from gateway.values.fault import nearest


@click.group(
    epilog="""\b
Example:
  gateway template preview alerts alert --set what=fire
"""
)
def template() -> None:
    """Templates and what they say."""


@template.command(
    "list",
    epilog="""\b
Example:
  gateway template list --service alerts
""",
)
@click.option("--service", default="", metavar="NAME", help="Those of one service.")
@json_option
@config_option
def list_(service: str, as_json: bool, config: str) -> None:
    """List the templates: parameters, languages, channels."""
    gateway = settings(config)
    if service:
        service_of(gateway, service)
    found = [
        (owner, name, one)
        for owner, settings_of in gateway.services.items()
        if not service or owner == service
        for name, one in settings_of.templates.items()
    ]
    if as_json:
        print_json([_described(owner, name, one) for owner, name, one in found])
        return
    rows = [
        (owner, name, ", ".join(one.parameters), ", ".join(_languages(one)), ", ".join(_channels(one)))
        for owner, name, one in found
    ]
    listing(("service", "template", "parameters", "languages", "channels"), rows)


@template.command(
    "preview",
    epilog="""\b
Example:
  $ gateway template preview alerts alert --set "what=the server room is at 41 C"
  sms (en): GSM 7 bit, 1 segment
    ALERT: the server room is at 41 C
  voice (en):
    This is an alert. the server room is at 41 C. I repeat: ...
""",
)
@click.argument("service")
@click.argument("name")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated.")
@click.option("--language", default="", metavar="TAG", help='Such as "de"; default: each one it has.')
@click.option("--bind", default="", metavar="NAME", help="Count segments by the settings of this bind.")
@json_option
@config_option
def show(
    service: str, name: str, given: tuple[str, ...], language: str, bind: str, as_json: bool, config: str
) -> None:
    """Say what template NAME of SERVICE says by each channel, in which alphabet and how many segments.

    Fails, naming it, when a parameter is missing or of the wrong type, as sending would.
    """
    gateway = settings(config)
    one = _template(gateway, service, name)
    variables = dict(map(_pair, given))
    shown = []
    for tag in [language] if language else _languages(one):
        wording, found = worded(one, tag)
        shown.append(_spoken(gateway, service, name, one, wording, variables, bind) | {"language": found})
    if as_json:
        print_json(shown)
        return
    for each in shown:
        if "sms" in each:
            click.echo(f"sms ({each['language']}): {each['sms']['on_air']}")
            click.echo(clean(f"  {each['sms']['text']}"))
        for channel in ("voice", "app"):
            if channel in each:
                click.echo(f"{channel} ({each['language']}):")
                click.echo(clean(f"  {each[channel]}"))


def _spoken(
    gateway: Gateway,
    service: str,
    name: str,
    one: Template,
    wording: Wording,
    given: Mapping[str, Any],
    bind: str,
) -> dict[str, Any]:
    links = link.variables(gateway.services[service].links)
    try:
        variables = {**links, "to": "+447700900123", **checked(name, one, given)}
        found: dict[str, Any] = {}
        if wording.text:
            on_air = _preview(gateway, bind, render_sms(wording, variables))
            found["sms"] = {
                "text": on_air.now.text,
                "coding": on_air.now.coding.name.lower(),
                "segments": on_air.now.segments,
                "on_air": counted(on_air.now),
            }
        if wording.wav:
            found["voice"] = f"plays {wording.wav}"
        elif wording.voice or wording.text:
            found["voice"] = render_voice(wording, variables)
        if wording.app:
            found["app"] = render_app(wording, variables)
        return found
    except BadInput as error:
        raise click.ClickException(str(error)) from None


def _preview(gateway: Gateway, bind: str, text: str) -> Preview:
    if bind and bind not in gateway.smpp.binds:
        known = ", ".join(gateway.smpp.binds) or "none"
        raise click.ClickException(f"no bind is named {bind!r} (there are: {known})")
    return preview(text, terms_of(gateway.smpp.binds[bind]) if bind else PLAIN)


def _template(gateway: Gateway, service: str, name: str) -> Template:
    templates = service_of(gateway, service).templates
    if name not in templates:
        near = nearest(name, templates) or f" (it has: {', '.join(templates) or 'none'})"
        raise click.ClickException(f"service {service} has no template {name!r}{near}")
    return templates[name]


def _pair(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--set {written}: write it as NAME=VALUE")
    return name, value


def _languages(one: Template) -> list[str]:
    return list(dict.fromkeys([one.language, *one.languages]))


def _channels(one: Template) -> list[str]:
    words = [one, *one.languages.values()]
    found = {
        "sms": any(w.text for w in words),
        "voice": any(w.voice or w.wav for w in words),
        "app": any(w.app for w in words),
    }
    return [channel for channel, there in found.items() if there]


def _described(service: str, name: str, one: Template) -> dict[str, object]:
    return {
        "service": service,
        "template": name,
        "parameters": {
            key: {"type": p.type, "mandatory": p.mandatory and p.default is None, "default": p.default}
            for key, p in one.parameters.items()
        },
        "languages": _languages(one),
        "channels": _channels(one),
    }
