"""gateway flow trace|replay|compare: what sessions did, again step by step, and on another version."""

from __future__ import annotations

import click
import msgspec
from msgspec import Struct

from gateway.cli.flow_versions import place_of
from gateway.cli.journal import Veil, journal_of, opened
from gateway.cli.output import clean, listing, moment, print_json
from gateway.cli.settings import config_option, json_option, look, settings
from gateway.flows import comparison, definition
from gateway.flows.comparison import Difference
from gateway.flows.definition import BadFlow, Flow
from gateway.flows.effects import SendApp, SendSms
from gateway.flows.inputs import EffectDone, MessageIn, Recorded, Start, TimeUp
from gateway.flows.replay import recorded, replay
from gateway.flows.simulation import Simulation, World
from gateway.observe.why import sentence
from gateway.store.base import Store
from gateway.values.clock import iso
from gateway.values.event import Event
from gateway.values.work import FlowState, FlowVersion, Run

# Fields of events that tell nothing of what was said
_BARE = ("flow", "version", "kind", "key", "node", "event", "to", "type", "when", "id", "result", "limit")
_NODES = ("node.entered", "node.left", "log")
_INPUTS = ("session.started", "session.input")


class _Found(Struct):
    """A session, its record, and the version that it is on."""

    run: Run
    events: list[Event]
    version: FlowVersion | None


@click.command(
    epilog="""\b
Examples:
  gateway flow trace 019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55
  gateway flow trace 019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55 --level 1
"""
)
@click.argument("run_id")
@click.option(
    "--level",
    type=click.IntRange(1, 3),
    default=3,
    show_default=True,
    help="1: how it began, what came in, how it ended; 2: the nodes too; 3: what was said, and its data.",
)
@json_option
@config_option
def trace(run_id: str, level: int, as_json: bool, config: str) -> None:
    """Follow a session through its flow: inputs, nodes, events, and the session data as it is now.

    RUN_ID is the session ID.  Reads the store beside the running gateway.  Level 3 is sealed in the store: it
    needs the gateway's secret, which its user can read.
    """
    found = _found(config, run_id)
    run, veil = found.run, Veil(found.run, found.events)
    events = _with_texts(found) if level == 3 else found.events
    events = [event for event in events if level > 1 or event.type not in _NODES]
    if level < 3:
        events = [_bare(event) for event in events]
    data = {name: veil.value(name, value) for name, value in sorted(run.data.items())} if level == 3 else {}
    if as_json:
        print_json(
            {
                "session": run.id,
                "service": run.service,
                "flow": run.flow,
                "version": run.version,
                "state": run.state,
                "node": run.node,
                "result": run.result,
                "data": data,
                "events": [{"at": iso(e.at), "type": e.type, "data": veil.value("", e.data)} for e in events],
            }
        )
        return
    click.echo(f"{run.service}/{run.flow} version {run.version}, {run.state} at {run.node or 'no node'}")
    rows = [(moment(e.at), *_step(e)) for e in events]
    listing(("time", "node", "what"), [(at, node, veil.text(what)) for at, node, what in rows])
    for name, value in data.items():
        click.echo(clean(f"$({name}) = {msgspec.json.encode(value).decode()}"))


@click.command(
    epilog="""\b
Examples:
  gateway flow replay 019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55
  gateway flow replay 019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55 --at 3
  gateway flow replay 019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55 --at 3 --with "small"
"""
)
@click.argument("run_id")
@click.option("--at", type=click.IntRange(min=0), help="Stop after that input, and show the data as it was.")
@click.option(
    "--with", "text", help="Let the customer write this in the place of that input (or the last text)."
)
@config_option
def replay_(run_id: str, at: int | None, text: str | None, config: str) -> None:
    """Run a recorded session again, step by step: nothing is sent.

    Inputs are numbered from 0, how it began.  With --with the session forks: what follows is on a clock of
    its own, where texts are sent and calls answered.
    """
    found = _found(config, run_id)
    inputs, veil = _inputs(found), Veil(found.run, found.events)
    flow = _flow(found)
    if text is not None and at is None:
        written = [n for n, item in enumerate(inputs) if isinstance(item.input, MessageIn)]
        if not written:
            raise click.ClickException("the customer has written nothing; say --at which input")
        at = written[-1]
    if at is not None and at >= len(inputs):
        raise click.ClickException(f"the last input is number {len(inputs) - 1}")
    if text is not None and not at:
        raise click.ClickException("input 0 is how it began; fork at a later one")
    until = len(inputs) - 1 if at is None else at - (text is not None)
    steps = replay(flow, inputs[: until + 1])
    for n, (item, step) in enumerate(zip(inputs, steps, strict=False)):
        click.echo(clean(veil.text(f"{n}  {moment(item.at)}  {_spoken(item)}")))
        for line in step.log:
            click.echo(clean(veil.text(f"     {line}")))
        for effect in step.effects:
            if isinstance(effect, SendSms | SendApp):
                click.echo(clean(veil.text(f'     Sends "{effect.text}"')))
    run = steps[-1].run
    if text is not None:
        assert at is not None
        world = World()
        simulation = Simulation(flow, {flow.name: flow}, world)
        simulation.resume(run, inputs[at].at)
        simulation.text(text)
        run = simulation.run
        click.echo(clean(f'{at}  with "{text}"'))
        for advance in simulation.advances:
            for line in advance.log:
                click.echo(clean(veil.text(f"     {line}")))
        for sent in world.texts:
            click.echo(clean(veil.text(f'     Sends "{sent}"')))
    if at is not None:
        for name, value in sorted(run.data.items()):
            shown = msgspec.json.encode(veil.value(name, value)).decode()
            click.echo(clean(f"$({name}) = {shown}"))


@click.command(
    epilog="""\b
Examples:
  gateway flow compare order --draft --last 1000
  gateway flow compare order --version 4
"""
)
@click.argument("name")
@click.option("--draft", is_flag=True, help="With the draft, or with the file where it is not taken up yet.")
@click.option("--version", "number", type=int, help="With this version.")
@click.option("--last", type=click.IntRange(min=1), default=1000, show_default=True, help="So many sessions.")
@json_option
@config_option
def compare(name: str, draft: bool, number: int | None, last: int, as_json: bool, config: str) -> None:
    """Run recorded sessions of a flow on another version, and report what would be different.

    Texts, edges, results and segments.  The customer does the same at the same times; effects come out as
    they did where the other version decides on the same, else well.
    """
    if draft == (number is not None):
        raise click.ClickException("say with what: --draft, or --version N")
    gateway = settings(config)
    service, flow_name = place_of(gateway, name)
    journal = journal_of(config)

    async def ask(
        store: Store,
    ) -> tuple[list[FlowVersion], list[FlowState], list[_Found]]:
        versions = await store.flow_versions(service, flow_name)
        runs = await store.runs_of(service, flow_name, limit=last)
        by_hash = {version.version: version for version in versions}
        found = [_Found(run, await opened(store, journal, run), by_hash.get(run.version)) for run in runs]
        return versions, await store.flow_states(), found

    versions, states, sessions = look(config, ask)
    state = next((s for s in states if (s.service, s.flow) == (service, flow_name)), None)
    settings_of = gateway.services[service]
    flows = {}
    for other, table in settings_of.flows.items():
        try:
            flows[other] = definition.read(other, definition.bundled(table, settings_of.integrations))
        except BadFlow:
            continue
    wanted = number if number is not None else state.draft if state is not None else 0
    chosen = next((version for version in versions if version.number == wanted), None)
    try:
        if chosen is not None:
            candidate = definition.read(flow_name, chosen.definition)
        elif draft:
            whole = definition.bundled(settings_of.flows[flow_name], settings_of.integrations)
            candidate = definition.read(flow_name, whole)
        else:
            numbers = ", ".join(str(version.number) for version in versions)
            raise click.ClickException(f"there is no version {number} (there are: {numbers})")
    except BadFlow as error:
        raise click.ClickException("\n".join(map(str, error.faults))) from None
    found, skipped = _compared(sessions, candidate, flows)
    _report(found, skipped, candidate, as_json)


def _compared(
    sessions: list[_Found], candidate: Flow, flows: dict[str, Flow]
) -> tuple[list[Difference], int]:
    found, skipped = [], 0
    for session in sessions:
        try:
            inputs, original = recorded(session.events), _flow(session)
            before = comparison.course(original, inputs)
            after = comparison.again(candidate, flows, original, inputs)
        except (KeyError, ValueError, BadFlow, click.ClickException):
            skipped += 1  # its inputs are sealed with another secret, or its version is gone
            continue
        found.append(comparison.compared(session.run.id, before, after))
    return found, skipped


def _report(found: list[Difference], skipped: int, candidate: Flow, as_json: bool) -> None:
    different = [each for each in found if each.what]
    segments = sum(each.segments for each in found)
    if as_json:
        print_json(
            {
                "version": candidate.version,
                "sessions": len(found),
                "skipped": skipped,
                "different": [{"session": d.session, "what": list(d.what)} for d in different],
                "segments": segments,
            }
        )
        return
    for each in different:
        for what in each.what:
            click.echo(clean(f"{each.session}  {what}"))
    more = f", {segments:+d} segments" if segments else ""
    left = f"; {skipped} could not be replayed" if skipped else ""
    click.echo(f"{len(different)} of {len(found)} sessions differ on version {candidate.version}{more}{left}")


def _found(config: str, run_id: str) -> _Found:
    journal = journal_of(config)

    async def ask(store: Store) -> _Found | None:
        run = await store.run(run_id)
        if run is None:
            return None
        version = await store.flow_version(run.service, run.flow, run.version)
        return _Found(run, await opened(store, journal, run), version)

    found = look(config, ask)
    if found is None:
        raise click.ClickException(f"no session has the id {run_id}; gateway why tells of messages and calls")
    return found


def _inputs(found: _Found) -> list[Recorded]:
    try:
        return recorded(found.events)
    except KeyError:
        reason = "what was said is sealed: it needs the gateway's secret, which its user can read"
        if not found.run.seal:
            reason = "what was said was not recorded, or is kept no more, as [trace] of the service says"
        raise click.ClickException(reason) from None


def _with_texts(found: _Found) -> list[Event]:
    """The record, and in it as events `sends` what was texted: that is not recorded, but follows from it.

    Without the gateway's secret, or the version, it is left out.
    """
    try:
        advances = iter(replay(_flow(found), recorded(found.events)))
    except (KeyError, ValueError, BadFlow, click.ClickException):
        return found.events
    told: list[Event] = []
    texts: list[Event] = []  # of the input that is being told
    for event in found.events:
        if event.type in _INPUTS:
            told += texts
            advance = next(advances)
            texts = [
                Event(
                    ref=event.ref,
                    type="sends",
                    service=event.service,
                    at=event.at,
                    data={"node": advance.run.node, "to": effect.recipient, "text": effect.text},
                )
                for effect in advance.effects
                if isinstance(effect, SendSms | SendApp)
            ]
        told.append(event)
    return told + texts


def _flow(found: _Found) -> Flow:
    if found.version is None:
        raise click.ClickException(
            f"version {found.run.version} of flow {found.run.flow} is not in the store"
        )
    return definition.stored(found.run.flow, found.version.definition)


def _spoken(item: Recorded) -> str:
    match item.input:
        case Start():
            return "begins"
        case MessageIn(data):
            return f'the customer writes "{data.get("text", "")}"'
        case TimeUp():
            return "the time is up"
        case EffectDone(key, event):
            return f"act {key} comes out as {event}"
        case other:
            return type(other).__name__


def _bare(event: Event) -> Event:
    """Without what was said."""
    data = {name: value for name, value in event.data.items() if name in _BARE}
    return Event(ref=event.ref, type=event.type, service=event.service, at=event.at, data=data)


def _step(event: Event) -> tuple[str, str]:
    match event.type:
        case "node.entered":
            return event.data.get("node", ""), f"entered ({event.data.get('type')})"
        case "sends":
            return event.data["node"], f'sends "{event.data["text"]}" to {event.data["to"]}'
        case "node.left":
            note = f" ({event.data['note']})" if event.data.get("note") else ""
            return event.data.get("node", ""), f"{event.data.get('event')} -> {event.data.get('to')}{note}"
        case _:
            return "", sentence(event)


replay_.name = "replay"
COMMANDS = (trace, replay_, compare)
