"""Notifications by HTTP, signed with the service's hub secret:

    X-Hub-Id: 0193...                               the same at every attempt: receivers drop repeats by it
    X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body>
    X-Hub-Timestamp: 1763906709                     Unix seconds, of this attempt
    X-Hub-Timestamp-Signature-256: sha256=<hex HMAC-SHA256 of timestamp, ".", body>

The last is for receivers that take nothing which is older than some minutes: whoever plays a POST again could
put another time beside the signature of the body.  While a secret is being replaced the one before signs, as
receivers know it, and the new one signs besides:

    X-Hub-Signature-256-Next: sha256=<hex>          what X-Hub-Signature-256 will be
    X-Hub-Timestamp-Signature-256-Next: sha256=<hex>

To a service that takes several in one POST they go as a JSON array, also when it is only one.  The signatures
are of the whole array, and in place of X-Hub-Id each element has its own `hub_id`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Sequence

from gateway.outbound.webhook.client import Client
from gateway.outbound.webhook.target import post, target
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.work import Done, Notification


def sign(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def sign_at(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Hub-Timestamp-Signature-256."""
    return sign(secret, timestamp.encode() + b"." + body)


class Hub:
    """`secret(service)` is the hub secret, "" = unsigned; `previous(service)` the one before it, "" once it
    holds no more; `batch(service)` how many go in one POST at most,
    1 = no array.  All raise LookupError for a service that is no more."""

    def __init__(
        self,
        secret: Callable[[str], str],
        clock: Clock,
        batch: Callable[[str], int] = lambda service: 1,
        client: Client | None = None,
        previous: Callable[[str], str] = lambda service: "",
    ) -> None:
        self._secret = secret
        self._previous = previous
        self._clock = clock
        self._batch = batch
        self._client = client or Client()

    def together(self, notification: Notification) -> int:
        try:
            return self._batch(notification.service)
        except LookupError:
            return 1

    def send(self, notifications: Sequence[Notification], done: Done) -> None:
        """See notifier.Post."""
        first = notifications[0]
        try:
            to = target(first.url)
            request = post(to, *self._signed(notifications))
        except BadInput as error:
            asyncio.get_running_loop().call_soon(done, str(error), False)
            return
        except LookupError:
            reason = f"service {first.service!r}, whose secret would sign it, is not configured any more"
            asyncio.get_running_loop().call_soon(done, reason, False)
            return

        def answered(status: int, reason: str) -> None:
            if status:
                reason = "" if 200 <= status < 300 else f"HTTP {status}"
            done(reason, False)

        self._client.send(to, request, answered)

    async def close(self) -> None:
        await self._client.close()

    def _signed(self, notifications: Sequence[Notification]) -> tuple[str, bytes]:
        """The header lines and the body."""
        first = notifications[0]
        if self._batch(first.service) == 1:
            body, headers = first.body, f"X-Hub-Id: {first.id}\r\n"
        else:
            body, headers = b"[" + b",".join(map(_element, notifications)) + b"]", ""
        secret, previous = self._secret(first.service), self._previous(first.service)
        if secret:
            timestamp = str(int(self._clock.now()))
            headers += f"X-Hub-Timestamp: {timestamp}\r\n"
            headers += _signatures(previous or secret, timestamp, body, "")
            if previous:
                headers += _signatures(secret, timestamp, body, "-Next")
        return headers, body


def _signatures(secret: str, timestamp: str, body: bytes, next: str) -> str:
    return (
        f"X-Hub-Signature-256{next}: {sign(secret, body)}\r\n"
        f"X-Hub-Timestamp-Signature-256{next}: {sign_at(secret, timestamp, body)}\r\n"
    )


def _element(notification: Notification) -> bytes:
    rest = notification.body[1:]  # an object's
    return b'{"hub_id":"%b"%b%b' % (notification.id.encode(), b"" if rest == b"}" else b",", rest)
