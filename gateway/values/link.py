"""Smart links: a short URL in a message, made for one customer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct


class Link(Struct, frozen=True, gc=False, kw_only=True):
    """Where one customer's link leads: by the device that opens it, or after its time elsewhere.

    It leads on as it was made, whatever has become of the service's settings since.
    """

    token: str
    number: int  # from which the token was made
    service: str
    name: str
    address: str  # whose it is, canonical
    ref: str  # the message or session that it was made for
    android: str  # URLs; "" = `other`
    ios: str
    other: str
    after: str  # once it has expired; "" = a page that says so
    created_at: float
    expires_at: float
    clicks: int = 0  # by people
    previews: int = 0  # by programs that look at a link before a person does
    clicked_at: float = 0.0  # the last time


def variables(names: Iterable[str]) -> dict[str, Any]:
    """The group `link` of a service with links of these names.

    In a text each stands for itself until a message with it is accepted, which has links of its own.
    """
    return {"link": {name: f"$(link.{name})" for name in names}} if names else {}


class LinkCounts(Struct, frozen=True):
    """What has become of the links of one name."""

    name: str
    sent: int
    clicked: int  # links that were opened at all
    clicks: int
    previews: int
