"""What rules, conditions and flows know to be wrong with services; `config.load.load` takes it as `lint`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from gateway.config.model import Service
from gateway.flows import calls, definition
from gateway.flows.lint import Surroundings
from gateway.rules import skip
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Ruleset
from gateway.text import language as languages
from gateway.values.fault import Fault


def lint(services: Mapping[str, Service]) -> list[Fault]:
    """`services` by file name; paths from "services.NAME" on."""
    # a suspended service has no rules to run, but its file is to be right on the day it comes back
    live = {name: replace(service, status="live") for name, service in services.items()}
    flows = [
        Fault(f"services.{name}.{fault.path}", fault.what)
        for name, service in services.items()
        for flow, table in service.flows.items()
        for fault in definition.faults(
            flow, definition.bundled(table, service.integrations), _around(service)
        )
    ]
    flows += [fault for name, service in services.items() for fault in _callless(name, service)]
    deaf = [
        Fault(f"services.{name}.nlp.stages", languages.MISSING)
        for name, service in services.items()
        if languages.missing(service)
    ]
    rules = [*Ruleset.build(live).faults, *skip.faults(services)]
    return [*Keywords.build(services).conflicts(), *rules, *flows, *deaf]


def _around(service: Service) -> Surroundings:
    """What its flows may refer to."""
    nodes = {name: flow.get("nodes", {}) for name, flow in service.flows.items()}
    return Surroundings(
        flows={name: list(inner) if isinstance(inner, dict) else [] for name, inner in nodes.items()},
        chains=list(service.chains),
        auths=list(service.auths),
        events=list(service.events),
        logbooks={name: list(book.columns) for name, book in service.logbooks.items()},
        sms_sender=service.assets[0] if service.assets else "",
    )


def _callless(name: str, service: Service) -> Iterator[Fault]:
    """Flows that need a call, and are begun by something that brings none."""
    on_call = {
        flow: _on_call(flow, definition.bundled(table, service.integrations))
        for flow, table in service.flows.items()
    }
    starters = {f"keywords.{word}.flow": keyword.flow for word, keyword in service.keywords.items()}
    if service.default is not None:
        starters["default.flow"] = service.default.flow
    for rule, settings in service.rules.items():
        starters |= {f"rules.{rule}.do[{n}].flow": action.flow for n, action in enumerate(settings.do)}
    for path, flow in starters.items():
        if node := on_call.get(flow):
            what = f'node {node} of flow {flow} acts on a call, and none is up: policy = "answer" of a number'
            yield Fault(f"services.{name}.{path}", f"{what} brings one, or a call node before it")


def _on_call(flow: str, table: Mapping[str, Any]) -> str:
    try:
        read = definition.read(flow, table)
    except definition.BadFlow:
        return ""  # which is said already
    return calls.uncalled(read.start, read.nodes)
