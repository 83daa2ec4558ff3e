"""`skip_when` of a chain's step: whether a step whose turn has come is left out.

variables.NAME                      what the request brought
previous.result                     of the step tried before it: busy, rejected, ...; "" = none was
previous.code, previous.carrier, previous.channel
message.to, message.from, message.chain, message.correlationid
customer.*, service.name            as in a rule's condition
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.config.model import Service
from gateway.rules.conditions import BadCondition, compiled
from gateway.rules.known import Names, unknown
from gateway.rules.variables import Variables
from gateway.values.fault import Fault
from gateway.values.message import Message, StepPlan

_NAMES: Names = {
    "variables": None,
    "previous": ("result", "code", "carrier", "channel"),
    "message": ("to", "from", "chain", "correlationid"),
    "customer": None,
    "service": ("name",),
}


def faults(services: Mapping[str, Service]) -> Iterator[Fault]:
    """`services` by file name: every condition that does not parse, or names what there is not."""
    for name, service in services.items():
        for chain_name, chain in service.chains.items():
            for index, step in enumerate(chain.steps):
                if not step.skip_when:
                    continue
                path = f"services.{name}.chains.{chain_name}.steps[{index}].skip_when"
                try:
                    yield from unknown(path, compiled(step.skip_when), _NAMES, "a step")
                except BadCondition as error:
                    yield Fault(path, error.reason)


def skipped(message: Message, step: StepPlan, subject: Variables) -> str:
    """Why the step is left out, "" = it is not.  A condition that cannot be evaluated leaves nothing out."""
    verdict = compiled(step.skip_when).evaluate(subject | _variables(message, step))
    return f"skip_when holds: {step.skip_when}" if verdict.holds else ""


def _variables(message: Message, step: StepPlan) -> Variables:
    tried = [pair for pair in zip(message.plan, message.steps, strict=True) if pair[1].started_at]
    previous = {"result": "", "code": "", "carrier": "", "channel": ""}
    if tried:
        plan, record = tried[-1]
        previous = {
            "result": record.result,
            "code": record.code,
            "carrier": record.carrier,
            "channel": plan.channel,
        }
    return {
        "variables": dict(step.variables or {}),
        "previous": previous,
        "message": {
            "to": message.recipient,
            "from": message.sender,
            "chain": message.chain,
            "correlationid": message.correlationid,
        },
    }
