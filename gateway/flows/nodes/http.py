"""http: ask a web server and keep its answer.

Values are made safe for where they go: percent-encoded in `url`, without line breaks in `headers`, as JSON
where `body` is a table.  In a `body` that is a text they stand as they are.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import quote

import msgspec
from msgspec import field

from gateway.config.model import Seconds
from gateway.flows.effects import HttpRequest
from gateway.flows.inputs import EffectDone, MessageIn, TimeUp
from gateway.flows.nodes.base import LIMIT_TEXT, Act, Context, Kind, Leave, Node, Step

LIMIT_JSON_DEPTH = 32


class HttpNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`success` is a 2xx.  `$(node.status)`, `$(node.body)` (cut at 20,000 characters), `$(node.json.field)`
    when the body is JSON, and `$(node.reason)` when there was no answer."""

    type: ClassVar[str] = "http"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error", "timeout")
    optional: ClassVar[tuple[str, ...]] = ("timeout",)
    outputs: ClassVar[tuple[str, ...]] = ("status", "body", "json", "reason")

    url: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | dict[str, Any] = ""  # a table is sent as JSON
    timeout: Seconds = Seconds(10)

    def mistakes(self) -> list[tuple[str, str]]:
        found = [] if self.timeout > 0 else [("timeout", "must be longer than 0")]
        if not self.url.startswith(("http://", "https://")):
            found.append(("url", "must begin with http:// or https://"))
        return found

    def texts(self) -> list[tuple[str, str]]:
        bodies = _leaves(self.body)
        headers = [(f"headers.{name}", text) for name, text in self.headers.items()]
        return [("url", self.url), *headers, *(("body", text) for text in bodies)]

    def enter(self, context: Context) -> Step:
        headers = {name: context.text(text, escape=_one_line) for name, text in self.headers.items()}
        if isinstance(self.body, str):
            body = context.text(self.body)
        else:
            body = msgspec.json.encode(_filled(self.body, context)).decode()
            if not any(name.lower() == "content-type" for name in headers):
                headers["Content-Type"] = "application/json"
        return Act(
            HttpRequest(
                key=context.key,
                method=self.method,
                url=context.text(self.url, escape=lambda value: quote(value, safe="")),
                headers=headers,
                body=body,
                timeout_seconds=float(self.timeout),
            )
        )

    def resume(self, context: Context, input: MessageIn | TimeUp | EffectDone) -> Step:
        assert isinstance(input, EffectDone)
        status, body = input.data.get("status", 0), str(input.data.get("body", ""))
        outputs = {
            "status": status,
            "body": body[:LIMIT_TEXT],
            "json": "",
            "reason": input.data.get("reason", ""),
        }
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            value = ""
        note = ""
        if _deeper(value, LIMIT_JSON_DEPTH):
            note = f"the JSON is nested deeper than {LIMIT_JSON_DEPTH} levels and was not kept"
        else:
            outputs["json"] = value
        if isinstance(status, int) and 200 <= status < 300:
            return Leave("success", outputs, note=note)
        return Leave("timeout" if input.event == "timeout" else "error", outputs, note=note)


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _filled(value: Any, context: Context) -> Any:
    match value:
        case str():
            return context.text(value)
        case dict():
            return {name: _filled(inner, context) for name, inner in value.items()}
        case list():
            return [_filled(inner, context) for inner in value]
        case _:
            return value


def _leaves(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for inner in value.values() for text in _leaves(inner)]
        case list():
            return [text for inner in value for text in _leaves(inner)]
        case _:
            return []


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(item, levels - 1) for item in inner)
