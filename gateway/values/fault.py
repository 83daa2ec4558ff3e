"""What is wrong with something that a person wrote: a service file, a flow, a keyword."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import Struct

_LONGEST = 64  # characters: no known word is near so long, and the search for a very long one takes its time


class Fault(Struct, frozen=True, order=True):
    """`path` is the dotted key inside the file, such as "flows.order.nodes.ask.text"; `what` a sentence
    with the remedy.  A `warning` is likely a mistake, but nothing that keeps the gateway from running."""

    path: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {'warning: ' if self.warning else ''}{self.what}"


def serious(faults: Iterable[Fault]) -> list[Fault]:
    """Those that are no mere warning."""
    return [fault for fault in faults if not fault.warning]


def nearest(word: str, known: Iterable[str]) -> str:
    """'; did you mean "window"?', or "" when no known word is near."""
    if len(word) > _LONGEST:
        return ""
    close = get_close_matches(word, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
