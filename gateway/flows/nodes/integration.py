"""A method of one of the service's integrations as a node of its own.

[integrations.crm]
url = "https://crm.example/api"
auth = "crm"
[integrations.crm.methods.lookup]
path = "/customers/$(msisdn)"
inputs = ["msisdn"]
map = { name = "$.name" }

[flows.greet.nodes.who]
type = "crm.lookup"
with = { msisdn = "$(customer.address)" }
on = { success = "hello", error = "end:102" }      # $(who.name)
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field
from msgspec.structs import replace

from gateway.config.model import Integration, Method
from gateway.flows.nodes.base import Act, Context, Kind, Leave, Node, Resumed, Step, leaves
from gateway.flows.nodes.http import OUTPUTS, answered, mistaken, request
from gateway.values.variables import names


class IntegrationNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `map` of the method finds are outputs.  Texts of the method see its inputs and nothing else."""

    type: ClassVar[str] = "integration"
    kind: ClassVar[Kind] = Kind.EXTERNAL
    waits: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = ("success", "error", "timeout")
    optional: ClassVar[tuple[str, ...]] = ("timeout",)
    outputs: ClassVar[tuple[str, ...]] = OUTPUTS
    hidden: ClassVar[tuple[str, ...]] = ("integration", "method")

    integration: Integration
    method: Method
    given_inputs: dict[str, str] = field(default_factory=dict, name="with")

    def outcomes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.events, *(rule.event for rule in self.method.outcomes))))

    def fields(self) -> tuple[str, ...]:
        return (*OUTPUTS, *self.method.map)

    def mistakes(self) -> list[tuple[str, str]]:
        method = self.method
        found = [("with", f"{name} is missing") for name in method.inputs if name not in self.given_inputs]
        for name in self.given_inputs:
            if name not in method.inputs:
                known = ", ".join(method.inputs) or "none"
                found.append((f"with.{name}", f"the method has no such input (it has: {known})"))
        texts = [method.path, *method.headers.values(), *leaves(method.body)]
        unknown = [v for text in texts for v in names(text) if v.partition(".")[0] not in method.inputs]
        if unknown:
            found.append(("type", f"$({unknown[0]}) in the method is none of its inputs"))
        if not self.integration.url.startswith(("http://", "https://")):
            found.append(("type", "the integration's url must begin with http:// or https://"))
        return found + [("type", f"{where}: {what}") for where, what in mistaken(method.map, method.outcomes)]

    def texts(self) -> list[tuple[str, str]]:
        return [(f"with.{name}", text) for name, text in self.given_inputs.items()]

    def refers(self) -> list[tuple[str, str, str]]:
        return [("type", "auth", self.integration.auth)] if self.integration.auth else []

    def enter(self, context: Context) -> Step:
        given: dict[str, Any] = {name: context.text(text) for name, text in self.given_inputs.items()}
        inside = replace(context, run=replace(context.run, data=given))
        method, integration = self.method, self.integration
        return Act(
            request(
                inside,
                method=method.method,
                url=integration.url.rstrip("/") + method.path,
                headers={**integration.headers, **method.headers},
                body=method.body,
                timeout_seconds=float(method.timeout),
                auth=integration.auth,
                retries=method.retries,
                retry_seconds=float(method.retry_after),
            )
        )

    def resume(self, context: Context, input: Resumed) -> Step:
        left = answered(input, self.method.map, self.method.outcomes)
        return Leave(left.event, {**left.outputs, **left.variables}, note=left.note)
