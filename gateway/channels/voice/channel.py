"""The voice channel: a step becomes an outbound call that plays a prompt and hangs up."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

from gateway.channels.base import Carrier, Report
from gateway.channels.voice.call import Line, Media, OutboundCall
from gateway.channels.voice.leg import Leg
from gateway.channels.voice.prompts import Prompt, PromptCache
from gateway.config.model import Trunk
from gateway.content.otp import Codes
from gateway.observe.about import concerning
from gateway.protocol.sip.address import Address
from gateway.protocol.sip.call import Call as SipCall
from gateway.protocol.sip.call import CallEvent, SipEvent
from gateway.protocol.smpp.pacing import TokenBucket
from gateway.values.address import canonical
from gateway.values.call import Call
from gateway.values.errors import GatewayError, StoreError, Throttled
from gateway.values.ids import NewId
from gateway.values.message import Message, StepPlan
from gateway.values.outcome import Outcome, Result

log = logging.getLogger(__name__)

_STORE_PAUSE_SECONDS = 1.0


class VoiceChannel:
    """`hand_over` makes an effect "begun", durably, before anything is dialled; `session_id` gives numbers
    for SDP's o= line; `room` is told of a trunk that may take calls again; `keep` is given the call of
    a run from its INVITE on, with how the run wants to have it."""

    def __init__(
        self,
        *,
        trunks: Mapping[str, Trunk],
        line: Line,
        open_media: Callable[[], Awaitable[Media]],
        prompts: PromptCache,
        new_id: NewId,
        refusal: Callable[[str, str], str],
        codes: Codes,
        hand_over: Callable[[str, str], Awaitable[None]],
        report: Report,
        session_id: Callable[[], int],
        room: Callable[[str], None],
        keep: Callable[[str, Leg, str], None],
    ) -> None:
        self._trunks = trunks
        self._line = line
        self._open_media = open_media
        self._prompts = prompts
        self._new_id = new_id
        self._refusal = refusal
        self._codes = codes
        self._hand_over = hand_over
        self._report = report
        self._session_id = session_id
        self._room = room
        self._keep = keep
        self._by_number: dict[str, list[str]] = {}  # trunks in the order of the configuration
        self._pace: dict[str, TokenBucket] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by effect key
        self._carrier: dict[str, str] = {}  # the trunk that it is at, by effect key
        self.busy: Counter[str] = Counter()  # calls under way by trunk
        self._calls: dict[SipCall, OutboundCall] = {}
        self.configure(trunks)

    def configure(self, trunks: Mapping[str, Trunk]) -> None:
        """Take changed trunks; calls under way go on."""
        self._trunks = trunks
        self._by_number = {}
        for name, trunk in trunks.items():
            for number in trunk.numbers:
                self._by_number.setdefault(canonical(number), []).append(name)
        now = self._line.clock.monotonic()
        for name, trunk in trunks.items():
            pace = self._pace.get(name)
            if pace is None or pace.rate != trunk.calls_per_second:
                self._pace[name] = TokenBucket(trunk.calls_per_second, now)

    def applicable(self, message: Message, step: StepPlan) -> str:
        if not self._carriers(step):
            return f"no trunk named {step.via!r}" if step.via else f"no trunk carries {step.sender!r}"
        return "" if message.consent_exempt else self._refusal(message.service, message.recipient)

    def available(self, message: Message, step: StepPlan) -> Carrier:
        names = self._carriers(step)
        reasons = [self._why_not(name) for name in names]
        if "" in reasons:
            return Carrier(names[reasons.index("")], "")
        return Carrier(names[0] if names else "", "; ".join(reasons) or "no trunk")

    def send(self, message: Message, index: int, carrier: str, done: Collection[int] = ()) -> bool:
        trunk = self._trunks.get(carrier)
        if trunk is None:  # removed from the configuration since
            outcome = Outcome(Result.UNREACHABLE, f"there is no trunk {carrier!r} any more", carrier=carrier)
            self._report(message.id, index, outcome, ())
            return True
        if self.busy[carrier] >= trunk.max_calls:
            return False
        key = f"{message.id}/{index}"
        self.busy[carrier] += 1
        self._carrier[key] = carrier
        with concerning(session=message.session, transid=message.id):
            task = asyncio.create_task(self._dial(message, index, key))
            task.add_done_callback(lambda task: self._over(message.id, index, task))
        self._tasks[key] = task
        return True

    def parts(self, message: Message, index: int, carrier: str) -> int:
        return 1

    def abandon(self, message: str, index: int) -> None:
        task = self._tasks.get(f"{message}/{index}")
        if task is not None:
            task.cancel()

    def event(self, event: SipEvent) -> bool:
        """What SIP says.  False: it is about no call of this channel."""
        call = self._calls.get(event.call) if isinstance(event, CallEvent) else None
        if call is None:
            return False
        call.event(event)
        return True

    def __len__(self) -> int:
        """Calls under way."""
        return len(self._tasks)

    async def stop(self) -> None:
        """Hang up what is up: BYE or CANCEL goes out for every call."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _dial(self, message: Message, index: int, key: str) -> None:
        """Call by one host and trunk after another, as far as their answers allow."""
        step = message.plan[index]
        carrier = self._carrier[key]
        failure: Outcome | None = None
        tried: dict[str, set[Address]] = {}
        try:
            prompt = None if step.keep else await self._prompt(message, step)
            while carrier:
                bucket = self._pace[carrier]
                while not bucket.take(now := self._line.clock.monotonic()):  # noqa: ASYNC110 - paced, not polled
                    await asyncio.sleep(bucket.wait(now))
                if failure is None:
                    await self._begin(key, carrier)
                failure = await self._attempt(
                    message, index, carrier, prompt, tried.setdefault(carrier, set())
                )
                if failure is None:
                    return
                carrier = self._next(step, failure, tried)
                if carrier:
                    log.info(
                        "call.fails_over",
                        extra={
                            "transid": message.id,
                            "from": failure.carrier,
                            "to": carrier,
                            "reason": failure.reason,
                        },
                    )
                    self._move(key, carrier)
        except GatewayError as error:  # no prompt, no port, no host, or a store that refuses
            failure = failure or Outcome(Result.UNREACHABLE, str(error), carrier=carrier)
        assert failure is not None
        self._report(message.id, index, failure, ())

    async def _attempt(
        self, message: Message, index: int, carrier: str, prompt: Prompt | None, tried: set[Address]
    ) -> Outcome | None:
        """One INVITE, to a host that is not in `tried` and is put there.  None: it was answered, and that has
        been reported.  Raises GatewayError."""
        step = message.plan[index]
        media = await self._open_media()
        try:
            record = Call(
                id=self._new_id(),
                direction="out",
                service=message.service,
                trunk=carrier,
                caller=step.sender,
                called=message.recipient,
                message=message.id,
                step=index,
                started_at=self._line.clock.now(),
            )

            call = OutboundCall(
                self._line,
                record,
                self._trunks[carrier],
                media,
                lambda outcome: self._report(message.id, index, outcome, ()),
                self._session_id(),
                step.confirm,
            )
            sip = call.dial(tried)
            tried.add(sip.peer)
            self._calls[sip] = call
            words = prompt or Leg(message.id, self._prompts, call.hang_up, call.refer)
            if isinstance(words, Leg):
                self._keep(message.run, words, step.keep)
            try:
                return await call.run(words)
            finally:
                del self._calls[sip]
        finally:
            media.close()

    async def _begin(self, key: str, carrier: str) -> None:
        """A store that refuses is asked again: the call waits, as a text for a carrier would."""
        while True:
            try:
                await self._hand_over(key, carrier)
            except (StoreError, Throttled) as error:
                log.warning("call.waits", extra={"trunk": carrier, "reason": str(error)})
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
            else:
                return

    async def _prompt(self, message: Message, step: StepPlan) -> Prompt:
        if step.wav:
            return await self._prompts.from_file(Path(step.wav))
        text = step.text
        if step.code is not None:
            text = self._codes.reveal(text, step.code, message.service, message.recipient, spoken=True)
        return await self._prompts.from_text(text, step.language)

    def _carriers(self, step: StepPlan) -> list[str]:
        """The trunks that a step may go out by, the one to try first first."""
        if step.via:
            return [step.via] if step.via in self._trunks else []
        return self._by_number.get(step.sender, [])

    def _why_not(self, name: str) -> str:
        """Why a trunk takes no call now; empty when it does."""
        limit = self._trunks[name].max_calls
        if self.busy[name] >= limit:
            return f"{name} has {limit} calls, its max_calls"
        reason = self._line.phone.why_not(name)
        return f"{name}: {reason}" if reason else ""

    def _next(self, step: StepPlan, failure: Outcome, tried: Mapping[str, set[Address]]) -> str:
        """Where a call that came to nothing is tried again: at another host of its trunk, else by the next
        trunk that was not tried; empty for nowhere.  Who was reached and declined is not rung twice."""
        last = failure.carrier
        if last not in self._trunks:
            return ""
        silent = failure.result is Result.UNREACHABLE and not failure.code
        if not silent and failure.code not in map(str, self._trunks[last].failover):
            return ""
        if not self._line.phone.why_not(last, tried[last]):
            return last
        others = (name for name in self._carriers(step) if name not in tried)
        return next((name for name in others if not self._why_not(name)), "")

    def _move(self, key: str, carrier: str) -> None:
        before, self._carrier[key] = self._carrier[key], carrier
        self.busy[before] -= 1
        self.busy[carrier] += 1
        if before != carrier:
            self._room(before)

    def _over(self, message: str, index: int, task: asyncio.Task[None]) -> None:
        self._tasks.pop(f"{message}/{index}", None)
        carrier = self._carrier.pop(f"{message}/{index}")
        self.busy[carrier] -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            # a defect of ours; the chain must not wait for ever because of it
            log.error("call.failed", exc_info=error, extra={"transid": message, "trunk": carrier})
            reason = f"the call failed here: {type(error).__name__}"
            self._report(message, index, Outcome(Result.UNREACHABLE, reason, carrier=carrier), ())
        self._room(carrier)
