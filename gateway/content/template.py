"""The words of a message: a template, or a text in place, with its variables filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.config.model import Template
from gateway.values.variables import render


def render_sms(source: Template | str, variables: Mapping[str, Any]) -> str:
    """The text of an SMS; "" when the template has none.  Raises UnknownVariable."""
    return render(source if isinstance(source, str) else source.text, variables)


def render_voice(source: Template | str, variables: Mapping[str, Any]) -> str:
    """The words to speak; a template's `voice`, else its `text`.  Raises UnknownVariable.

    Where the template has a `wav`, that is played and the words are not needed: they are "" then.
    """
    if isinstance(source, str):
        return render(source, variables)
    return "" if source.wav else render(source.voice or source.text, variables)
