"""What rules, conditions and flows know to be wrong with services; `config.load.load` takes it as `lint`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.config.model import Service
from gateway.flows import definition
from gateway.flows.lint import Surroundings
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
    deaf = [
        Fault(f"services.{name}.nlp.stages", languages.MISSING)
        for name, service in services.items()
        if languages.missing(service)
    ]
    return [*Keywords.build(services).conflicts(), *Ruleset.build(live).faults, *flows, *deaf]


def _around(service: Service) -> Surroundings:
    """What its flows may refer to."""
    nodes = {name: flow.get("nodes", {}) for name, flow in service.flows.items()}
    return Surroundings(
        flows={name: list(inner) if isinstance(inner, dict) else [] for name, inner in nodes.items()},
        chains=list(service.chains),
        auths=list(service.auths),
        logbooks={name: list(book.columns) for name, book in service.logbooks.items()},
        sms_sender=service.assets[0] if service.assets else "",
    )
