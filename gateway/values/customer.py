"""What is known of a customer, and that something has been raised about one, as it is stored."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Customer(Struct, frozen=True, gc=False, kw_only=True):
    """The profile that a service keeps of a customer: plain values by name."""

    service: str
    address: str  # canonical
    customerid: str = ""  # the client's own id
    attributes: dict[str, Any] = {}
    updated_at: float


class Device(Struct, frozen=True, gc=False, kw_only=True):
    """A customer's app, known by its token, of which only the SHA-256 digest is kept."""

    digest: str  # hex
    service: str
    app: str
    address: str  # the customer's
    created_at: float
    expires_at: float


class Raised(Struct, frozen=True, gc=False, kw_only=True):
    """A custom event that its sender gave a correlationid: it is not raised again by the same."""

    service: str
    correlationid: str
    id: str  # its transid
    at: float
