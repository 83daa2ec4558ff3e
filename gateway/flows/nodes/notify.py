"""notify: a signed notification to a URL, retried like any other; the flow goes on at once."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from gateway.flows.effects import Notify
from gateway.flows.nodes.base import Act, Context, Kind, Node, Resumed, Step, leaves, outcome


class NotifyNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "notify"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error")
    outputs: ClassVar[tuple[str, ...]] = ("reason",)

    url: str = ""  # default: the service's notify.inbound
    body: dict[str, Any] = field(default_factory=dict)  # beside type, service, session and timestamp

    def mistakes(self) -> list[tuple[str, str]]:
        if self.url and not self.url.startswith(("http://", "https://")):
            return [("url", "must begin with http:// or https://")]
        return []

    def texts(self) -> list[tuple[str, str]]:
        return [("body", text) for text in leaves(self.body)]

    def pauses(self) -> bool:
        return False  # it is owed at once; when it arrives is another matter

    def enter(self, context: Context) -> Step:
        return Act(Notify(key=context.key, url=self.url, body=context.filled(self.body)))

    def resume(self, context: Context, input: Resumed) -> Step:
        return outcome(self, input)
