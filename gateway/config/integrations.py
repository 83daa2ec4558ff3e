"""Settings of what flows use beside messages and calls: HTTP APIs, how to show who we are there, Logbooks."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from gateway.config.written import Seconds, Secret


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a flow's HTTP requests show who we are: secrets stand here, not in flows."""

    kind: Literal["none", "basic", "bearer", "oauth2-client", "hmac"] = "none"
    user: str = ""  # basic
    password: Secret = Secret("")  # basic
    token: Secret = Secret("")  # bearer
    # oauth2-client (RFC 6749 section 4.4): asked for at token_url, kept until it ends
    token_url: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    scope: str = ""
    # hmac: X-Timestamp, and X-Signature = hex of HMAC-SHA256 over "TIMESTAMP.METHOD.TARGET.BODY"
    secret: Secret = Secret("")


class Outcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an answer to an HTTP request comes to: the first whose condition holds is the node's event."""

    when: str  # CEL over status, body, json
    event: str


class Method(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of an integration: the node type INTEGRATION.METHOD."""

    path: str = ""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    inputs: list[str] = field(default_factory=list)  # what `with` gives, $(NAME) in the texts here
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)  # sent as JSON
    timeout: Seconds = Seconds(10)
    retries: int = 0
    retry_after: Seconds = Seconds(1)
    map: dict[str, str] = field(default_factory=dict)  # outputs by JSONPath
    outcomes: list[Outcome] = field(default_factory=list)


class Integration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An HTTP API by name, whose methods are node types of the service's flows."""

    url: str
    auth: str = ""  # one of [auths]
    headers: dict[str, str] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)


class Trace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is recorded of the service's sessions, for `gateway flow trace`, replay and compare."""

    # 1: how they began, what kind of input came, how they ended; 2: nodes and their events too; 3: what was
    # said too, sealed, without which none can be replayed or compared
    level: Literal[1, 2, 3] = 3
    details: Seconds = Seconds(30 * 86400)  # what was said can be read for so long after the session's end


class Logbook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that flows write rows to."""

    columns: dict[str, Literal["text", "number", "boolean", "time"]]
    retention: Seconds = Seconds(90 * 86400)  # rows go when they are so old
