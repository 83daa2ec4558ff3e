"""How settings are written that are more than a string or a number."""

from __future__ import annotations


class Seconds(float):
    """A duration in seconds."""


class Moment(float):
    """A moment, as Unix seconds; 0: none is set.  Written 2026-12-24T18:00:00Z."""


class Secret(str):
    """A resolved secret.  Its repr does not show it, and logs mask it."""

    def __repr__(self) -> str:
        return "Secret(***)"
