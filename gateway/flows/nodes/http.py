"""http: ask a web server and keep its answer.

type = "http"
url = "https://api.example.org/orders/$(order)"
auth = "orders"                                  # one of the service's [auths]
retries = 2
map = { total = "$.total" }                      # session variables by JSONPath
outcomes = [{ when = "status == 404", event = "unknown" }, { when = "json.open", event = "open" }]

Values are made safe for where they go: percent-encoded in `url`, without line breaks in `headers`, as JSON
where `body` is a table.  In a `body` that is a text they stand as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import msgspec
from msgspec import field

from gateway.config.model import Outcome, Seconds
from gateway.flows.effects import HttpRequest
from gateway.flows.inputs import EffectDone
from gateway.flows.jsonpath import BadPath, find, path_of
from gateway.flows.nodes.base import (
    LIMIT_TEXT,
    Act,
    Context,
    Kind,
    Leave,
    Node,
    Resumed,
    Step,
    leaves,
    uncompiled,
)
from gateway.rules.conditions import compiled

LIMIT_JSON_DEPTH = 32
LIMIT_RETRIES = 10
OUTPUTS = ("status", "body", "json", "reason")


class HttpNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`success` is a 2xx, unless one of `outcomes` says otherwise.  `$(node.status)`, `$(node.body)` (cut at
    20,000 characters), `$(node.json.field)` when the body is JSON, and `$(node.reason)` when there was no
    answer."""

    type: ClassVar[str] = "http"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error", "timeout")
    optional: ClassVar[tuple[str, ...]] = ("timeout",)
    outputs: ClassVar[tuple[str, ...]] = OUTPUTS

    url: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | dict[str, Any] = ""  # a table is sent as JSON
    timeout: Seconds = Seconds(10)
    auth: str = ""
    retries: int = 0  # when there was no answer, or 408, 425, 429, 5xx
    retry_after: Seconds = Seconds(1)  # doubles each time
    map: dict[str, str] = field(default_factory=dict)  # "" where the answer has nothing there
    rules: list[Outcome] = field(default_factory=list, name="outcomes")

    def outcomes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.events, *(rule.event for rule in self.rules))))

    def mistakes(self) -> list[tuple[str, str]]:
        found = [] if self.timeout > 0 else [("timeout", "must be longer than 0")]
        if not self.url.startswith(("http://", "https://")):
            found.append(("url", "must begin with http:// or https://"))
        if not 0 <= self.retries <= LIMIT_RETRIES:
            found.append(("retries", f"must be 0 to {LIMIT_RETRIES}"))
        return found + mistaken(self.map, self.rules)

    def texts(self) -> list[tuple[str, str]]:
        headers = [(f"headers.{name}", text) for name, text in self.headers.items()]
        return [("url", self.url), *headers, *(("body", text) for text in leaves(self.body))]

    def assigns(self) -> list[tuple[str, str]]:
        return [(f"map.{name}", name) for name in self.map]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("auth", "auth", self.auth)] if self.auth else []

    def enter(self, context: Context) -> Step:
        return Act(
            request(
                context,
                method=self.method,
                url=self.url,
                headers=self.headers,
                body=self.body,
                timeout_seconds=float(self.timeout),
                auth=self.auth,
                retries=self.retries,
                retry_seconds=float(self.retry_after),
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        return answered(input, self.map, self.rules)


def request(
    context: Context, *, url: str, headers: dict[str, str], body: str | dict[str, Any], **rest: Any
) -> HttpRequest:
    """With its variables filled in.  Raises BadInput."""
    filled = {name: context.text(text, escape=_one_line) for name, text in headers.items()}
    if isinstance(body, str):
        sent = context.text(body)
    else:
        sent = msgspec.json.encode(context.filled(body)).decode()
        if not any(name.lower() == "content-type" for name in filled):
            filled["Content-Type"] = "application/json"
    return HttpRequest(
        key=context.key,
        url=context.text(url, escape=lambda value: quote(value, safe="")),
        headers=filled,
        body=sent,
        **rest,
    )


def answered(input: Resumed, mapping: dict[str, str], rules: Sequence[Outcome]) -> Leave:
    """What an answer comes to: its event, the outputs, the variables by JSONPath."""
    assert isinstance(input, EffectDone)
    status, body = input.data.get("status", 0), str(input.data.get("body", ""))
    reason = input.data.get("reason", "")
    outputs = {"status": status, "body": body[:LIMIT_TEXT], "json": "", "reason": reason}
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        value = ""
    notes = []
    if deeper(value, LIMIT_JSON_DEPTH):
        notes.append(f"the JSON is nested deeper than {LIMIT_JSON_DEPTH} levels and was not kept")
        value = ""
    outputs["json"] = value
    found = {name: find(path, value) for name, path in mapping.items()}
    variables = {name: some[0] if some else "" for name, some in found.items()}
    ok = isinstance(status, int) and 200 <= status < 300
    event = "success" if ok else "timeout" if input.event == "timeout" else "error"
    for rule in rules if status else ():
        verdict = compiled(rule.when).evaluate({"status": status, "body": body, "json": value})
        if verdict.holds:
            event = rule.event
            break
        if verdict.error:
            notes.append(f"{rule.event}: {verdict.error}")
    return Leave(event, outputs, variables, note="; ".join(notes))


def mistaken(mapping: dict[str, str], rules: Sequence[Outcome]) -> list[tuple[str, str]]:
    """(field, what is wrong) with what is made of an answer."""
    found = uncompiled({f"outcomes[{n}].when": rule.when for n, rule in enumerate(rules)})
    for n, rule in enumerate(rules):
        if not rule.event:
            found.append((f"outcomes[{n}].event", "must not be empty"))
    for name, path in mapping.items():
        try:
            path_of(path)
        except BadPath as error:
            found.append((f"map.{name}", str(error)))
    return found


def deeper(value: Any, levels: int) -> bool:
    """Whether tables and lists are nested deeper than so many levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(deeper(item, levels - 1) for item in inner)


def _one_line(value: str) -> str:
    return " ".join(value.split())
