"""One tree of errors.  A class tells the caller's next move; the raw status rides along."""

from __future__ import annotations


class GatewayError(Exception):
    """Anything the gateway raises on purpose."""

    retryable = False


class BadInput(GatewayError):
    """The caller's input is wrong: say so, naming the field.  `code` is the API's stable error code."""

    def __init__(self, reason: str, *, field: str = "", code: str = "invalid") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason, self.field, self.code = reason, field, code


class BadAddress(BadInput):
    """Text that is no phone number, shortcode or sender ID."""

    def __init__(self, reason: str, *, field: str = "") -> None:
        super().__init__(reason, field=field, code="bad_address")


class Throttled(GatewayError):
    """Too much at once: try again after `wait_seconds`."""

    retryable = True

    def __init__(self, reason: str, *, wait_seconds: float = 1.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class StoreError(GatewayError):
    """The store could not record what it was given (disk full, locked, damaged): nothing was accepted."""

    retryable = True


class Unstorable(StoreError):
    """A record that no attempt will ever store: a defect of ours."""

    retryable = False


class StoreUnusable(GatewayError):
    """The store cannot be opened at all; the text names the file and the way out."""
