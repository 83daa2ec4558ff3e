"""Sessions on calls: what a flow decides is done on its call, and a hang-up reaches it wherever it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from gateway.config.model import Number
from gateway.content.otp import Codes
from gateway.flows.call_effects import Play
from gateway.inbound.live import Arrival, LiveCalls
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import CallCancelled, CallState, Direction, IncomingCall, SipEvent
from gateway.store.base import Unit
from gateway.values.call import Call
from gateway.values.dialogue import Ask, HungUp, Taped, Taping, Utterance
from gateway.values.errors import GatewayError
from gateway.values.outcome import Result
from gateway.values.work import Effect
from tests.inbound.test_runs import start, texted

OURS, CALLER = "+442079460000", "+447700900123"
SHOP = f"""
name = "Shop"
assets = ["12345", "{OURS}"]
[numbers."{OURS}"]
policy = "answer"
flow = "ivr"
"""


def ivr(**nodes: str) -> str:
    """The flow "ivr", which begins with the first node."""
    written = "".join(f"[flows.ivr.nodes.{name}]\n{text}\n" for name, text in nodes.items())
    return f'{SHOP}\n[flows.ivr]\nstart = "{next(iter(nodes))}"\n{written}'


SAY = 'type = "say"\ntext = "Hello"\non = { done = "%s", hangup = "end:11", error = "end:90" }'
KEYS = 'type = "collect"\ntext = "Keys"\non = { digits = "end", hangup = "end:12", error = "end:90" }'
NOTE = 'type = "send-sms"\nfrom = "12345"\ntext = "Hi"\non = { success = "%s", error = "end:91" }'


class FakeLeg:
    """Does what it is asked when the test says so."""

    def __init__(self, transid: str) -> None:
        self.transid = transid
        self.heard: tuple[str, str, float] | None = None
        self.refusal = 486
        self.rings = 0
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.did: list[str] = []
        self.events: list[SipEvent] = []
        self.ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        return self.gone.done()

    def event(self, event: SipEvent) -> None:
        self.events.append(event)
        self.ended()

    def ended(self, why: str = "the caller hung up") -> None:
        if not self.over:
            self.gone.set_result(why)

    def finishes(self, result: Any = None) -> None:
        """What it is doing now comes to this; an exception is raised."""
        ready, self.ready = self.ready, asyncio.get_running_loop().create_future()
        ready.set_exception(result) if isinstance(result, Exception) else ready.set_result(result)

    async def answer(self) -> None:
        await self._wait("answer")

    async def _wait(self, what: str) -> Any:
        self.did.append(what)
        if self.over:
            raise HungUp(self.gone.result())
        ready = self.ready
        either: list[asyncio.Future[Any]] = [ready, self.gone]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            return ready.result()
        raise HungUp(self.gone.result())

    def ring(self) -> None:
        self.rings += 1

    async def play(self, prompt: Sequence[Utterance], *, barge_in: bool, early: bool = False) -> str:
        words = " ".join(one.text or one.wav for one in prompt)
        return str(await self._wait(f"{'early ' if early else ''}play {words}") or "")

    async def wait_with(self, sound: Utterance) -> None:
        self.did.append(f"wait with {sound.wav or 'ringing'}")

    def stop_waiting(self) -> None:
        self.did.append("stop waiting")

    async def collect(
        self, prompt: Sequence[Utterance], invalid: Sequence[Utterance], ask: Ask
    ) -> tuple[str, str, int]:
        outcome: tuple[str, str, int] = await self._wait("collect")
        return outcome

    async def record(self, prompt: Sequence[Utterance], taping: Taping) -> Taped:
        made: Taped = await self._wait("record")
        return made

    async def detect(self) -> tuple[str, str, float]:
        found: tuple[str, str, float] = await self._wait("detect")
        self.heard = found
        return found

    async def transfer(self, to: str) -> tuple[str, int]:
        told: tuple[str, int] = await self._wait(f"transfer {to}")
        return told

    async def patch(self, other: FakeLeg) -> float:
        try:
            return float(await self._wait(f"patch {other.transid}"))
        finally:
            other.hang_up()

    def hang_up(self) -> None:
        if not self.over:
            self.did.append("hang up")
            self.ended("we hung up")

    async def finish(self) -> None:
        self.hang_up()


class Exchange:
    """A World (conftest) with calls."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.legs: list[FakeLeg] = []
        self.full = False
        self._wire()

    def _wire(self) -> None:
        world = self.world
        self.live = world.runs.on_calls.calls = LiveCalls(
            clock=world.clock,
            sessions=world.runs,
            receive=self._receive,
            room=lambda trunk: not self.full,
            refusal=world.consents.refusal,
            record=world.outbound.record,
        )

    def _receive(self, arrival: Arrival) -> FakeLeg:
        self.legs.append(FakeLeg(arrival.record.id))
        return self.legs[-1]

    async def call(self, flow: str = "ivr", caller: str = CALLER) -> FakeLeg:
        """Somebody rings."""
        peer = Address("127.0.0.1", 5060)
        sip = self.sip = SipCall("sip", Direction.INBOUND, CallState.INCOMING, caller, OURS, peer, "east")
        record = Call(
            id=self.world.new_id(),
            direction="in",
            service="shop",
            trunk="east",
            caller=caller,
            called=OURS,
            started_at=self.world.clock.now(),
        )
        event = IncomingCall(sip, caller, OURS, peer, "east", b"")
        self.live.incoming(Arrival(event, Number(policy="answer", flow=flow), record))
        await self.settled()
        return self.legs[-1]

    async def finishes(self, leg: FakeLeg, result: Any = None) -> None:
        leg.finishes(result)
        await self.settled()

    async def hangs_up(self, leg: FakeLeg) -> None:
        leg.ended()
        await self.settled()

    async def restart(self) -> None:
        """As after a kill: the calls are gone, and nobody has told the sessions."""
        for task in list(self.live._tasks.values()):
            task.cancel()
        await asyncio.sleep(0)
        await self.world.stop()
        self.world._build()
        self._wire()
        await self.world.start()
        await self.world.runs.recover(self.world.store)
        await self.settled()

    async def settled(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            await self.world.settled()

    async def results(self) -> list[tuple[int, str]]:
        return [
            (run.result, run.reason)
            for id in await self.sessions()
            if (run := await self.world.store.run(id)) and run.state == "ended"
        ]

    async def sessions(self) -> list[str]:
        refs = [leg.transid for leg in self.legs]
        return [e["run"] for ref in refs for e in await self.world.events(ref, "session.started")]

    async def effects(self) -> list[Effect]:
        found: list[Effect] = await self.world.store.effects()
        return found


@pytest.fixture
async def exchange(open_world: Any) -> AsyncIterator[Callable[..., Any]]:
    async def open_one(shop: str) -> Exchange:
        return Exchange(await open_world(shop=shop))

    yield open_one


async def test_a_session_acts_on_its_call_and_ends_with_it(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "keys", keys=KEYS))
    leg = await it.call()
    assert leg.rings == 1 and len(it.live) == 1 and it.live.busy["east"] == 1
    assert leg.did == ["play Hello"]
    await it.finishes(leg)
    assert leg.did == ["play Hello", "collect"]
    await it.finishes(leg, ("digits", "7", 1))
    assert leg.did[-1] == "hang up"
    assert await it.results() == [(0, "keys: digits")]
    [id] = await it.sessions()
    run = await it.world.store.run(id)
    assert run.data["keys.digits"] == "7" and run.data["call.from"] == CALLER
    assert (run.customer, run.number) == (CALLER, OURS)
    assert await it.effects() == [] and len(it.live) == 0
    await it.settled()
    assert it.live.busy["east"] == 0


async def test_an_act_is_in_the_store_before_it_is_carried_out(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    it.world.store.refuses = "later"
    leg = await it.call()
    assert leg.did == []
    it.world.store.refuses = ""
    while not leg.did:
        await it.settled()
    [effect] = await it.effects()
    assert (effect.kind, effect.data["act"]) == ("call", "play")


async def test_it_is_carried_out_once_however_often_it_is_asked_for(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    leg = await it.call()
    [effect] = await it.effects()
    [id] = await it.sessions()
    it.live.carry_out(id, Play(key=effect.key, prompt=()))
    await it.settled()
    assert leg.did == ["play Hello"]


@pytest.mark.parametrize(("steps", "result"), [(0, 11), (1, 12)])
async def test_a_caller_who_hangs_up_takes_the_hangup_edge_of_the_node(
    exchange: Any, steps: int, result: int
) -> None:
    it = await exchange(ivr(hello=SAY % "keys", keys=KEYS))
    leg = await it.call()
    for _ in range(steps):
        await it.finishes(leg)
    await it.hangs_up(leg)
    assert [code for code, _ in await it.results()] == [result]
    assert "hang up" not in leg.did


async def test_a_hang_up_in_another_node_is_known_at_the_next_that_acts_on_the_call(exchange: Any) -> None:
    it = await exchange(ivr(note=NOTE % "keys", keys=KEYS))
    leg = await it.call()
    await it.hangs_up(leg)
    assert await it.results() == [], "the text has its own time"
    await it.world.outcome(it.world.sms.sent[0], Result.ACCEPTED)
    await it.settled()
    assert await it.results() == [(12, "keys: hangup")]


async def test_a_call_that_the_flow_never_answers_ends_with_the_session(exchange: Any) -> None:
    it = await exchange(ivr(note=NOTE % "end"))
    leg = await it.call()
    assert leg.did == []
    await it.world.outcome(it.world.sms.sent[0], Result.ACCEPTED)
    await it.settled()
    assert leg.did == ["hang up"]


async def test_a_fault_of_the_flow_hangs_up(exchange: Any) -> None:
    text = 'type = "say"\ntext = "$(session.nobody)"\non = { done = "end", error = "end:7" }'
    it = await exchange(ivr(hello=text))
    leg = await it.call()
    assert await it.results() == [(7, "hello: error")]
    assert leg.did == ["hang up"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GatewayError("no RTP port is free"), "no RTP port is free"),
        (ZeroDivisionError(), "it failed here: ZeroDivisionError"),
    ],
)
async def test_what_fails_is_an_error_of_the_node(exchange: Any, error: Exception, reason: str) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    leg = await it.call()
    await it.finishes(leg, error)
    assert await it.results() == [(90, "hello: error")]
    [id] = await it.sessions()
    assert (await it.world.store.run(id)).data["hello.reason"] == reason
    assert leg.did[-1] == "hang up"


async def test_a_stop_from_outside_hangs_up_and_leaves_nothing_behind(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    leg = await it.call()
    unit = Unit()
    it.world.runs.stop(unit, (await it.sessions())[0], "enough")
    it.world.outbound.record(unit)
    await it.settled()
    assert leg.did == ["play Hello", "hang up"]
    assert await it.results() == [(197, "enough")] and await it.effects() == []


async def test_several_callers_do_not_disturb_each_other(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "keys", keys=KEYS))
    first, second = await it.call(), await it.call(caller="+447700900124")
    await it.finishes(second)
    await it.hangs_up(first)
    assert (first.did, second.did) == (["play Hello"], ["play Hello", "collect"])
    assert len(it.live) == 1


async def test_a_trunk_that_is_full_begins_no_session(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    it.full = True
    leg = await it.call()
    assert leg.did == ["hang up"] and await it.sessions() == []


async def test_a_flow_that_is_gone_refuses_the_call(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    leg = await it.call(flow="other")
    assert leg.did == ["hang up"]


async def test_news_of_sip_go_to_the_call_that_they_are_about(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    leg = await it.call()
    assert it.live.event(CallCancelled(it.sip, ""))
    await it.settled()
    assert len(leg.events) == 1 and [code for code, _ in await it.results()] == [11]
    assert not it.live.event(CallCancelled(it.sip, "")), "it is forgotten"


async def test_after_a_crash_each_session_is_told_once_that_its_call_is_gone(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "keys", keys=KEYS))
    await it.call()
    second = await it.call(caller="+447700900124")
    await it.finishes(second)
    await it.restart()
    assert sorted(code for code, _ in await it.results()) == [11, 12]
    assert await it.effects() == []
    [id, _] = await it.sessions()
    assert (await it.world.store.run(id)).data[
        "hello.reason"
    ] == "the gateway was restarted while the call was up"
    await it.restart()
    assert len(await it.results()) == 2


async def test_after_a_crash_the_next_node_finds_no_call(exchange: Any) -> None:
    it = await exchange(ivr(note=NOTE % "keys", keys=KEYS))
    await it.call()
    message = it.world.sms.sent[0]
    await it.restart()
    await it.world.outcome(message, Result.ACCEPTED)
    await it.settled()
    assert await it.results() == [(12, "keys: hangup")]


async def test_a_recording_is_told_in_the_log_of_its_call(exchange: Any) -> None:
    record = 'type = "record"\non = { stored = "end", hangup = "end:13", error = "end:90" }'
    it = await exchange(ivr(tape=record))
    leg = await it.call()
    await it.finishes(leg, Taped("a.wav", 2.5, "silence"))
    [told] = await it.world.events(leg.transid, "call.recorded")
    assert (told["file"], told["seconds"], told["cause"]) == ("a.wav", 2.5, "silence")
    assert await it.results() == [(0, "tape: stored")]


@pytest.mark.parametrize(
    ("made", "result"), [(Taped("a.wav", 1.0, "hangup"), 13), (Taped("", 0.0, "error"), 90)]
)
async def test_a_recording_that_ends_otherwise(exchange: Any, made: Taped, result: int) -> None:
    record = 'type = "record"\non = { stored = "end", hangup = "end:13", error = "end:90" }'
    it = await exchange(ivr(tape=record))
    leg = await it.call()
    await it.finishes(leg, made)
    assert [code for code, _ in await it.results()] == [result]


async def test_a_call_that_the_session_placed_is_its_call(exchange: Any) -> None:
    ring = f'type = "call"\nfrom = "{OURS}"\non = {{ answered = "keys", error = "end:90" }}'
    it = await exchange(ivr(ring=ring, keys=KEYS))
    await start(it.world, "ivr", texted())
    await it.settled()
    [message] = it.world.voice.sent
    assert message.plan[0].keep == "call" and not message.plan[0].text
    leg = FakeLeg(message.id)
    it.live.adopt(message.run, leg, "call")
    await it.world.outcome(message, Result.ANSWERED)
    await it.settled()
    assert leg.did == ["collect"]
    late = FakeLeg("late")
    it.live.adopt("ended long ago", late, "call")
    assert late.did == ["hang up"]


async def test_stopping_hangs_up_and_tells_the_sessions(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    leg = await it.call()
    it.live.stop()
    await it.settled()
    assert leg.did[-1] == "hang up" and [code for code, _ in await it.results()] == [11]


async def test_without_telephony_a_node_on_a_call_is_left_by_error(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    it.world.runs.on_calls.calls = None
    await start(it.world, "ivr", texted())
    [id] = [e["run"] for e in await it.world.events("ref", "session.started")]
    run = await it.world.store.run(id)
    assert (run.result, run.data["hello.reason"]) == (90, "the gateway has no telephony")


async def test_a_flow_that_is_called_acts_on_the_call_of_the_one_that_calls_it(exchange: Any) -> None:
    part = 'type = "call-flow"\nflow = "part"\non = { done = "keys", error = "end:92" }'
    inner = '[flows.part]\nstart = "hello"\n[flows.part.nodes.hello]\n' + SAY % "end"
    it = await exchange(ivr(part=part, keys=KEYS) + inner)
    leg = await it.call()
    assert leg.did == ["play Hello"]
    await it.finishes(leg)
    assert leg.did == ["play Hello", "collect"], "the call outlives the flow that was called"


async def test_a_second_call_with_the_session_key_of_another_is_refused(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end").replace("[flows.ivr]", '[flows.ivr]\nkey = "$(call.from)"'))
    first, second = await it.call(), await it.call()
    assert (first.did, second.did) == (["play Hello"], ["hang up"])


async def test_a_second_call_of_a_session_takes_the_place_of_its_first(exchange: Any) -> None:
    ring = 'type = "call"\non = {{ answered = "{}", error = "end:90" }}'
    it = await exchange(
        ivr(ring=ring.format("hello"), hello=SAY % "again", again=ring.format("keys"), keys=KEYS)
    )
    await start(it.world, "ivr", texted())
    await it.settled()
    legs = []
    for _ in range(2):
        message = it.world.voice.sent[-1]
        legs.append(FakeLeg(message.id))
        it.live.adopt(message.run, legs[-1], message.plan[0].keep)
        await it.world.outcome(message, Result.ANSWERED)
        await it.settled()
        if len(legs) == 1:
            await it.finishes(legs[0])
    assert legs[0].did == ["play Hello", "hang up"] and legs[1].did == ["collect"]


async def test_a_call_of_a_suspended_service_s_session_goes_on_to_its_end(exchange: Any) -> None:
    """The session stood still, and the person who had answered heard nothing."""
    ring = f'type = "call"\nfrom = "{OURS}"\non = {{ answered = "keys", error = "end:90" }}'
    it = await exchange(ivr(ring=ring, keys=KEYS))
    await start(it.world, "ivr", texted())
    await it.settled()
    [message] = it.world.voice.sent
    leg = FakeLeg(message.id)
    it.live.adopt(message.run, leg, "call")
    it.world.suspend("shop")
    await it.world.outcome(message, Result.ANSWERED)
    await it.settled()
    assert leg.did == ["collect"]


async def test_a_machine_is_told_from_a_person(exchange: Any) -> None:
    ring = 'type = "call"\ndetect = true\non = { answered = "end:1", machine = "end:2", error = "end:90" }'
    it = await exchange(ivr(ring=ring))
    await start(it.world, "ivr", texted())
    await it.settled()
    [message] = it.world.voice.sent
    leg = FakeLeg(message.id)
    it.live.adopt(message.run, leg, message.plan[0].keep)
    await it.world.outcome(message, Result.ANSWERED)
    await it.settled()
    assert leg.did == ["detect"]
    await it.finishes(leg, ("machine", "beep", 4.2))
    run = await it.world.store.run(message.run)
    assert (run.result, run.data["ring.answerer"], leg.did[-1]) == (2, "machine", "hang up")
    assert (run.data["ring.answerer_cause"], run.data["ring.answerer_seconds"]) == ("beep", 4.2)


PATCH = 'type = "patch"\nto = "+447700900999"\n' + (
    f'from = "{OURS}"\non = {{ done = "keys", busy = "end:31", no-answer = "end:32", hangup = "end:33", '
    'error = "end:90" }'
)


async def patching(exchange: Any) -> tuple[Exchange, FakeLeg, FakeLeg, Any]:
    """A caller, and the call that is placed for him and rings."""
    it = await exchange(ivr(connect=PATCH, keys=KEYS))
    leg = await it.call()
    await it.finishes(leg)
    assert leg.did[-1] == "wait with ringing"
    [message] = it.world.voice.sent
    assert (message.recipient, message.plan[0].keep) == ("+447700900999", "patch")
    second = FakeLeg(message.id)
    it.live.adopt(message.run, second, "patch")
    return it, leg, second, message


async def test_two_are_connected_until_the_second_hangs_up(exchange: Any) -> None:
    it, leg, second, message = await patching(exchange)
    await it.world.outcome(message, Result.ANSWERED)
    await it.settled()
    assert leg.did[-1] == f"patch {message.id}"
    await it.finishes(leg, 7.5)
    assert leg.did[-1] == "collect" and second.over
    [id] = await it.sessions()
    run = await it.world.store.run(id)
    assert (run.data["connect.seconds"], run.data["connect.transid"]) == (7.5, message.id)


async def test_the_second_is_hung_up_with_the_first(exchange: Any) -> None:
    it, leg, second, message = await patching(exchange)
    await it.world.outcome(message, Result.ANSWERED)
    await it.settled()
    await it.hangs_up(leg)
    assert second.did == ["hang up"]
    assert [code for code, _ in await it.results()] == [33]


async def test_nobody_s_phone_goes_on_ringing_for_one_who_has_hung_up(exchange: Any) -> None:
    it, leg, second, message = await patching(exchange)
    await it.hangs_up(leg)
    assert second.did == ["hang up"]
    await it.world.outcome(message, Result.NO_ANSWER, code="caller-gone")
    await it.settled()
    assert [code for code, _ in await it.results()] == [33]


async def test_one_who_cannot_be_reached_leaves_the_first_where_he_is(exchange: Any) -> None:
    it, leg, second, message = await patching(exchange)
    second.ended("busy")
    await it.world.outcome(message, Result.BUSY)
    await it.settled()
    assert [code for code, _ in await it.results()] == [31]
    assert leg.did[-2:] == ["stop waiting", "hang up"]


async def test_there_is_nobody_to_patch_without_a_call(exchange: Any) -> None:
    it = await exchange(ivr(hello=SAY % "end"))
    leg = await it.call()
    [id] = await it.sessions()
    await it.hangs_up(leg)
    second = FakeLeg("second")
    it.live.adopt(id, second, "patch")
    assert second.did == ["hang up"]


async def test_a_call_is_given_away(exchange: Any) -> None:
    on = '{ transferred = "end:51", busy = "keys", error = "end:90" }'
    node = f'type = "transfer"\nto = "+447700900999"\non = {on}'
    it = await exchange(ivr(give=node, keys=KEYS))
    leg = await it.call()
    await it.finishes(leg)
    assert leg.did[-1] == "transfer +447700900999"
    await it.finishes(leg, ("busy", 486))
    [id] = await it.sessions()
    assert leg.did[-1] == "collect" and (await it.world.store.run(id)).data["give.code"] == "486"


async def test_a_one_time_password_is_spoken_and_stored_nowhere(exchange: Any) -> None:
    code = 'type = "otp-generate"\non = { success = "hello", error = "end:102" }'
    it = await exchange(ivr(code=code, hello=SAY.replace("Hello", "Your code: $(code.code)") % "end"))
    leg = await it.call()
    [session] = await it.sessions()
    otp = it.world.otps.latest("shop", CALLER, session)
    said = Codes(b"key").of(otp)
    assert leg.did == [f"play Your code: {', '.join(said)}"]
    stored = f"{await it.effects()}{await it.world.store.events(session)}{await it.world.store.run(session)}"
    assert said not in stored and ", ".join(said) not in stored
