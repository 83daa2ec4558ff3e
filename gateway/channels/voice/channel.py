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
        self._by_number: dict[str, str] = {}
        self._pace: dict[str, TokenBucket] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by effect key
        self.busy: Counter[str] = Counter()  # calls under way by trunk
        self._calls: dict[SipCall, OutboundCall] = {}
        self.configure(trunks)

    def configure(self, trunks: Mapping[str, Trunk]) -> None:
        """Take changed trunks; calls under way go on."""
        self._trunks = trunks
        self._by_number = {
            canonical(number): name for name, trunk in trunks.items() for number in trunk.numbers
        }
        now = self._line.clock.monotonic()
        for name, trunk in trunks.items():
            pace = self._pace.get(name)
            if pace is None or pace.rate != trunk.calls_per_second:
                self._pace[name] = TokenBucket(trunk.calls_per_second, now)

    def applicable(self, message: Message, step: StepPlan) -> str:
        if not self._trunk(step):
            return f"no trunk named {step.via!r}" if step.via else f"no trunk carries {step.sender!r}"
        return "" if message.consent_exempt else self._refusal(message.service, message.recipient)

    def available(self, message: Message, step: StepPlan) -> Carrier:
        name = self._trunk(step)
        if not name:
            return Carrier("", "no trunk")
        limit = self._trunks[name].max_calls
        return Carrier(name, f"{name} has {limit} calls, its max_calls" if self.busy[name] >= limit else "")

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
        task = asyncio.create_task(self._dial(message, index, carrier, trunk))
        self._tasks[key] = task
        task.add_done_callback(lambda task: self._over(message.id, index, carrier, task))
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

    async def _dial(self, message: Message, index: int, carrier: str, trunk: Trunk) -> None:
        step = message.plan[index]
        try:
            words = (
                Leg(message.id, self._prompts, lambda: call.hang_up())
                if step.keep
                else await self._prompt(message, step)
            )
            bucket = self._pace[carrier]
            while not bucket.take(now := self._line.clock.monotonic()):  # noqa: ASYNC110 - paced, not polled
                await asyncio.sleep(bucket.wait(now))
            await self._begin(f"{message.id}/{index}", carrier)
            media = await self._open_media()
        except GatewayError as error:  # no prompt, no port, or a store that refuses
            outcome = Outcome(Result.UNREACHABLE, str(error), carrier=carrier)
            self._report(message.id, index, outcome, ())
            return
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
                trunk,
                media,
                lambda outcome: self._report(message.id, index, outcome, ()),
                self._session_id(),
            )
            sip = call.dial()
            self._calls[sip] = call
            if isinstance(words, Leg):
                self._keep(message.run, words, step.keep)
            try:
                failure = await call.run(words)
            finally:
                del self._calls[sip]
            if failure is not None:
                self._report(message.id, index, failure, ())
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

    def _trunk(self, step: StepPlan) -> str:
        if step.via:
            return step.via if step.via in self._trunks else ""
        return self._by_number.get(step.sender, "")

    def _over(self, message: str, index: int, carrier: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(f"{message}/{index}", None)
        self.busy[carrier] -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            # a defect of ours; the chain must not wait for ever because of it
            log.error("call.failed", exc_info=error, extra={"transid": message, "trunk": carrier})
            reason = f"the call failed here: {type(error).__name__}"
            self._report(message, index, Outcome(Result.UNREACHABLE, reason, carrier=carrier), ())
        self._room(carrier)
