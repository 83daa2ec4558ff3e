"""What rules, conditions and flows know to be wrong with services; `config.load.load` takes it as `lint`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from gateway.config.check_nlp import nlp_faults
from gateway.config.model import Nlp, Service
from gateway.flows import calls, definition, trial
from gateway.flows.definition import Flow
from gateway.flows.lint import Surroundings
from gateway.flows.simulation import Reading
from gateway.flows.trial import Verdict
from gateway.rules import skip
from gateway.rules.keywords import Keywords
from gateway.rules.ruleset import Ruleset
from gateway.text import language as languages
from gateway.text.pipeline import Reader, reads
from gateway.values.fault import Fault, serious


def lint(services: Mapping[str, Service]) -> list[Fault]:
    """`services` by file name; paths from "services.NAME" on."""
    return _found(services, tests=True)


def without_tests(services: Mapping[str, Service]) -> list[Fault]:
    """The same, for those who run the tests of flows themselves."""
    return _found(services, tests=False)


def _found(services: Mapping[str, Service], *, tests: bool) -> list[Fault]:
    # a suspended service has no rules to run, but its file is to be right on the day it comes back
    live = {name: replace(service, status="live") for name, service in services.items()}
    flows = [
        Fault(f"services.{name}.{fault.path}", fault.what, warning=fault.warning)
        for name, service in services.items()
        for fault in flow_faults(name, service, tests=tests)
    ]
    flows += [fault for name, service in services.items() for fault in _callless(name, service)]
    deaf = [
        Fault(f"services.{name}.nlp.stages", languages.MISSING)
        for name, service in services.items()
        if reads(service) and languages.missing(service)
    ]
    rules = [*Ruleset.build(live).faults, *skip.faults(services)]
    return [*Keywords.build(services).conflicts(), *rules, *flows, *deaf]


def tests_of(
    name: str, service: Service, around: Surroundings | None = None
) -> Iterator[tuple[Flow, list[Verdict], list[Fault]]]:
    """Each flow that can run, with what came of its tests and what is wrong with how they are written."""
    flows = {}
    for flow, table in service.flows.items():
        whole = definition.bundled(table, service.integrations)
        if not serious(definition.faults(flow, whole, around or surroundings(service))):
            flows[flow] = definition.read(flow, whole)
    reading = _reading(service) if flows else None
    for flow, read in flows.items():
        trials, faults = trial.read(f"flows.{flow}.tests", service.flows[flow].get("tests", []))
        yield read, trial.tried(read, flows, trials, name, reading), faults


def _reading(service: Service) -> Reading | None:
    """How its flows' tests read texts, each stage in as much time as it takes."""
    if not reads(service) or languages.missing(service) or list(nlp_faults("nlp", service.nlp or Nlp())):
        return None
    reader = Reader(service, lambda: 0.0)
    return lambda text, now, stages: reader.read(text, now, stages).variables


def flow_faults(name: str, service: Service, *, tests: bool) -> Iterator[Fault]:
    """What is wrong with a service's flows, and the tests of theirs that fail; paths from "flows" on.  Of a
    draft it is a warning: it may be incomplete."""
    around = surroundings(service)
    for flow, table in service.flows.items():
        for fault in definition.faults(flow, definition.bundled(table, service.integrations), around):
            yield replace(fault, warning=fault.warning or table.get("draft") is True)
    for read, verdicts, faults in tests_of(name, service, around) if tests else ():
        draft = service.flows[read.name].get("draft") is True
        yield from (replace(fault, warning=draft) for fault in faults)
        for n, verdict in enumerate(verdicts):
            for failure in verdict.failures:
                what = f'"{verdict.name}" fails: {failure}'
                yield Fault(f"flows.{read.name}.tests[{n}]", what, warning=draft)


def surroundings(service: Service) -> Surroundings:
    """What its flows may refer to."""
    nodes = {name: flow.get("nodes", {}) for name, flow in service.flows.items()}
    return Surroundings(
        flows={name: list(inner) if isinstance(inner, dict) else [] for name, inner in nodes.items()},
        chains=list(service.chains),
        auths=list(service.auths),
        links=list(service.links),
        secrets=list(service.secrets),
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
