"""The words of a message: a template, or a text in place, with its variables filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.config.model import Template, Wording
from gateway.values.parameters import filled
from gateway.values.variables import render


def worded(template: Template, language: str) -> tuple[Wording, str]:
    """The template's words in that language, else in its main one ("de" of "de-AT"), else as they stand; and
    which language that is."""
    wanted = language.replace("_", "-")
    for tag in (wanted, wanted.partition("-")[0]):
        if tag == template.language:
            break
        if tag in template.languages:
            return template.languages[tag], tag
    own = Wording(text=template.text, voice=template.voice, wav=template.wav, app=template.app)
    return own, template.language


def checked(name: str, template: Template, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables with the defaults of its parameters.  Raises BadInput naming the parameter that is
    missing, or wrong."""
    if not template.parameters:
        return variables
    # checked in its type, said as it was given: 12.50 is not 12.5
    return {**filled(template.parameters, variables, of=f"template {name}", field="variables"), **variables}


def render_sms(source: Wording | str, variables: Mapping[str, Any]) -> str:
    """The text of an SMS; "" when there is none.  Raises UnknownVariable."""
    return render(source if isinstance(source, str) else source.text, variables)


def render_voice(source: Wording | str, variables: Mapping[str, Any]) -> str:
    """The words to speak: those for the voice, else the text.  Raises UnknownVariable.

    Where there is a `wav`, that is played and the words are not needed: they are "" then.
    """
    if isinstance(source, str):
        return render(source, variables)
    return "" if source.wav else render(source.voice or source.text, variables)


def render_app(source: Wording, variables: Mapping[str, Any]) -> str:
    """The body for an app, else the text.  Raises UnknownVariable."""
    return render(source.app or source.text, variables)
