"""gateway flow: the flows of the configuration, and what a session of one did."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from gateway.cli import flow_nodes, flow_sessions, flow_versions
from gateway.cli.flow_versions import place_of
from gateway.cli.lint import lint as faults_of
from gateway.cli.lint import tests_of, without_tests
from gateway.cli.output import clean, listing, print_json
from gateway.cli.picture import mermaid, tree
from gateway.cli.settings import config_option, json_option, service_of, settings
from gateway.config.load import load
from gateway.config.model import Gateway
from gateway.flows.definition import BadFlow, Flow, bundled, read
from gateway.flows.schema import document
from gateway.flows.trial import Verdict, edges_of
from gateway.values.fault import Fault


@click.group(
    commands=[*flow_nodes.COMMANDS, *flow_versions.COMMANDS, *flow_sessions.COMMANDS],
    epilog="""\b
Examples:
  gateway flow list
  gateway flow show pizza/order
  gateway flow trace 019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55
""",
)
def flow() -> None:
    """Flows: list, look at, check, and follow a session through one."""


@flow.command(
    "list",
    epilog="""\b
Example:
  gateway flow list --json
""",
)
@json_option
@config_option
def list_(as_json: bool, config: str) -> None:
    """List the flows of all services as their files have them; `gateway flow versions` tells what is live."""
    flows = list(_flows(settings(config)))
    if as_json:
        print_json(
            [
                {
                    "service": service,
                    "flow": f.name,
                    "version": f.version,
                    "start": f.start,
                    "nodes": len(f.nodes),
                }
                for service, f in flows
            ]
        )
        return
    listing(
        ("service", "flow", "version", "start", "nodes"),
        [(service, f.name, f.version, f.start, str(len(f.nodes))) for service, f in flows],
    )


@flow.command(
    epilog="""\b
Examples:
  gateway flow show order
  gateway flow show pizza/order --mermaid > order.mmd
"""
)
@click.argument("name")
@click.option("--mermaid", "as_mermaid", is_flag=True, help="As a Mermaid flowchart, for documents.")
@config_option
def show(name: str, as_mermaid: bool, config: str) -> None:
    """Show a flow: its nodes, and where each of their events leads.

    NAME is FLOW, or SERVICE/FLOW where two services have a flow of that name.
    """
    found = _find(settings(config), name)
    click.echo("\n".join(mermaid(found) if as_mermaid else tree(found)))


@flow.command(
    epilog="""\b
Example:
  gateway flow lint && git commit
"""
)
@json_option
@config_option
def lint(as_json: bool, config: str) -> None:
    """Check the flows of all services; exit with 1 if one of them cannot run.

    `gateway check` checks the whole configuration, flows included.
    """
    loaded = load(config, environ=os.environ, lint=faults_of, secrets=False)
    faults = [fault for fault in loaded.faults if fault.path.startswith("flows.") or fault.path == ""]
    if as_json:
        print_json([{"file": f.file, "line": f.line, "path": f.path, "what": f.what} for f in faults])
    else:
        for fault in faults:
            click.echo(str(fault))
        if not faults:
            click.echo("no findings in the flows")
    click.get_current_context().exit(1 if any(not fault.warning for fault in faults) else 0)


@flow.command(
    epilog="""\b
Examples:
  gateway flow test
  gateway flow test survey --json
"""
)
@click.argument("name", required=False, default="")
@json_option
@config_option
def test(name: str, as_json: bool, config: str) -> None:
    """Run the tests that stand beside the flows, on a clock of their own; exit with 1 if one fails.

    NAME is FLOW, SERVICE/FLOW or SERVICE/; all flows without it.  Says which ways no test has taken, too.
    """
    gateway = settings(config, lint=without_tests)
    service, slash, short = name.rpartition("/")
    if slash:
        service_of(gateway, service)
    elif name:
        _find(gateway, name)
    results = []
    for service_name, found in gateway.services.items():
        if service and service != service_name:
            continue
        for tested, verdicts, faults in tests_of(service_name, found):
            if not short or tested.name == short:
                results.append((service_name, tested, verdicts, faults))
    failed = any(faults or any(v.failures for v in verdicts) for _, _, verdicts, faults in results)
    if as_json:
        print_json([_report(*result) for result in results])
    else:
        for result in results:
            _told(*result)
    click.get_current_context().exit(1 if failed else 0)


def _report(service: str, flow: Flow, verdicts: list[Verdict], faults: list[Fault]) -> dict[str, object]:
    edges, missed = _covered(flow, verdicts)
    return {
        "service": service,
        "flow": flow.name,
        "version": flow.version,
        "tests": [{"name": v.name, "passed": not v.failures, "failures": list(v.failures)} for v in verdicts],
        "faults": [str(fault) for fault in faults],
        "edges": {"all": edges, "taken": edges - len(missed), "missed": missed},
    }


def _told(service: str, flow: Flow, verdicts: list[Verdict], faults: list[Fault]) -> None:
    edges, missed = _covered(flow, verdicts)
    passed = sum(not verdict.failures for verdict in verdicts)
    covered = f"{edges - len(missed)} of {edges} edges taken"
    tests = f"{passed} of {len(verdicts)} tests passed" if verdicts else "no tests"
    click.echo(f"{service}/{flow.name}: {tests}, {covered}")
    for fault in faults:
        click.echo(f"  {fault}")
    for verdict in verdicts:
        for failure in verdict.failures:
            click.echo(clean(f"  {verdict.name}: {failure}"))
    if verdicts and missed:
        click.echo(f"  no test takes: {', '.join(missed)}")


def _covered(flow: Flow, verdicts: list[Verdict]) -> tuple[int, list[str]]:
    """How many edges there are, and those that no test has taken, as "NODE EVENT"."""
    edges = edges_of(flow)
    taken = {edge for verdict in verdicts for edge in verdict.edges}
    return len(edges), [f"{node} {event}" for name, node, event in edges if (name, node, event) not in taken]


@flow.command(
    epilog="""\b
Example:
  gateway flow schema > flow.schema.json
"""
)
def schema() -> None:
    """Print the JSON Schema of a flow's table, for editors and other programs."""
    print_json(document())


def _flows(gateway: Gateway) -> Iterable[tuple[str, Flow]]:
    for name, service in gateway.services.items():
        for flow_name, written in service.flows.items():
            try:
                yield name, read(flow_name, bundled(written, service.integrations))
            except BadFlow:
                continue  # a draft that cannot run yet: gateway flow lint says why


def _find(gateway: Gateway, name: str) -> Flow:
    service, flow = place_of(gateway, name)
    settings = gateway.services[service]
    try:
        return read(flow, bundled(settings.flows[flow], settings.integrations))
    except BadFlow as error:  # a draft
        raise click.ClickException("\n".join(map(str, error.faults))) from None
