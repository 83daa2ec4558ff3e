"""From "please send" to a message with its plan: validated, authorised, addresses canonical."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from gateway.config.model import Chain, Service, Step
from gateway.content.template import checked, render_app, render_sms, render_voice, worded
from gateway.directory.assets import held
from gateway.store.base import Unit
from gateway.values import link
from gateway.values.address import canonical, subscriber
from gateway.values.errors import BadAddress, BadInput
from gateway.values.message import Form, Message, StepPlan, StepRecord
from gateway.values.otp import taken_out
from gateway.values.outcome import Result
from gateway.values.variables import UnknownVariable

CANCELLED = "cancelled"  # the code of a message that was taken back
MAX_TEXT = 255 * 153  # characters: what 255 segments of GSM text hold


class SendRequest(Struct, frozen=True, gc=False, kw_only=True):
    """One message to one destination.  `text` (sent as it is) or `template`, or `chain`; `form` joins a text,
    which a raw one needs not have."""

    service: str
    to: str
    id: str = ""  # transid; default: a new one
    sender: str = ""
    text: str = ""
    form: Form | None = None
    template: str = ""
    variables: Mapping[str, object] = {}
    chain: str = ""
    channel: str = "sms"
    wav: str = ""
    language: str = ""  # of a text to speak, "" = English; and in which one a template is wanted
    keep: str = ""  # voice: nothing is said, the call stays up for the run, as its "call" or for a "patch"
    until: Result = Result.ACCEPTED
    not_before: float = 0.0  # Unix seconds: held until then
    validity_seconds: float = 0.0  # give up when no carrier has taken it after so long; 0 = never
    hold: bool = True  # app: it waits for an installation that is away
    correlationid: str = ""
    notify_url: str = ""
    callback: str | None = None  # as in StepPlan, like the next
    hops: int = 0
    account: str = ""
    receipt_wanted: int = 0  # registered_delivery
    part_receipts: bytes = b""  # the same of each segment that the account has sent
    run: str = ""
    run_key: str = ""
    consent_exempt: bool = False


class Accepting(Protocol):
    """What the inside of the gateway sees of the outbound side."""

    def check_room(self) -> None:
        """Raises Throttled while too many messages wait for carriers."""
        ...

    def check(self, request: SendRequest) -> None:
        """Raises BadInput where `accept` would."""
        ...

    def accept(self, unit: Unit, request: SendRequest) -> Message:
        """Decide on a request; the message becomes durable with `unit` and goes out after it.

        Raises BadInput (and nothing has been added to the unit).
        """
        ...


class Counted:
    """The outbound side as one of its users sees it, who is counted: `count(service)` is told of each message
    that has become durable."""

    def __init__(self, accepting: Accepting, count: Callable[[str], None]) -> None:
        self._accepting = accepting
        self._count = count

    def check(self, request: SendRequest) -> None:
        self._accepting.check(request)

    def check_room(self) -> None:
        self._accepting.check_room()

    def accept(self, unit: Unit, request: SendRequest) -> Message:
        message = self._accepting.accept(unit, request)
        unit.acts.append(lambda: self._count(message.service))
        return message


class Change(Struct, frozen=True, gc=False, kw_only=True):
    """What is to be different in a message that waits; the rest stays as it is."""

    text: str | UnsetType = UNSET
    form: Form | UnsetType | None = UNSET
    receipt_wanted: int | UnsetType = UNSET  # of each of its segments
    validity_seconds: float | UnsetType = UNSET  # from the moment at which it goes out
    not_before: float | UnsetType = UNSET  # Unix seconds


class Changing(Protocol):
    """Second thoughts about messages that no carrier has been handed yet (outbound.control).

    Both raise StoreError or Throttled; then nothing has changed.  False: it is too late.
    """

    async def cancel(self, id: str, reason: str) -> bool:
        """Take a message back: it has failed, with code CANCELLED."""
        ...

    async def replace(self, id: str, change: Change) -> bool:
        """Change a message of one step."""
        ...


class Owing(Protocol):
    """What the inside of the gateway sees of notifications."""

    def owe(self, unit: Unit, *, service: str, ref: str, url: str, body: Mapping[str, Any]) -> None:
        """A POST to `url` becomes durable with `unit` and goes out after it."""
        ...


# that an app which is connected may take to say that it has a message, where other steps come after it
_APP_SECONDS = 60.0
_CONFIRM_SECONDS = 300.0  # that a call takes until somebody has confirmed, at most
# the only step of a message without a chain
_SINGLE = {channel: Step(channel=channel) for channel in ("sms", "voice", "app")}


class Planner:
    """Turns requests into messages, by the services' settings."""

    def __init__(
        self,
        services: Mapping[str, Service],
        language: Callable[[str, str], str] = lambda service, address: "",
    ) -> None:
        """`language(service, address)`: that of a customer, "" = not known."""
        self._services = services
        self._language = language
        self._refusals = {
            name: {
                channel: {
                    asset.address: asset.refusal(channel)
                    for asset in held(name, service)
                    if asset.kind != "keyword" and (asset.kind == "app") == (channel == "app")
                }
                for channel in ("sms", "voice", "app")
            }
            for name, service in services.items()
        }

    def plan(self, request: SendRequest, id: str, now: float) -> Message:
        """Raises BadInput, naming the field."""
        service = self._services.get(request.service)
        if service is None:
            raise BadInput(
                f"no service is named {request.service!r}", field="service", code="unknown_service"
            )
        if service.status != "live" and not request.consent_exempt:
            raise BadInput(f"service {request.service!r} is suspended", field="service", code="suspended")
        if not request.to:
            reason = "is empty; a caller whose number is withheld cannot be sent anything"
            raise BadAddress(reason, field="to")
        try:
            to = subscriber(request.to, service.country)
        except BadAddress as error:
            raise BadAddress(error.reason, field="to") from None
        plan = self._chain(request, service, to) if request.chain else (self._single(request, service, to),)
        if request.callback is not None or request.hops:
            plan = (replace(plan[0], callback=request.callback, hops=request.hops), *plan[1:])
        return Message(
            id=id,
            direction="mt",
            service=request.service,
            sender=plan[0].sender,
            recipient=to,
            text=plan[0].text,
            plan=plan,
            steps=(StepRecord(),) * len(plan),
            chain=request.chain,
            account=request.account,
            receipt_wanted=request.receipt_wanted,
            part_receipts=request.part_receipts,
            correlationid=request.correlationid,
            notify_url=request.notify_url,
            run=request.run,
            run_key=request.run_key,
            consent_exempt=request.consent_exempt,
            created_at=now,
            updated_at=now,
        )

    def sender(self, service: str, wanted: str, channel: str, *, field: str = "from") -> str:
        """The canonical sender: `wanted` if the service holds it, else its first fitting asset."""
        assets = self._refusals[service][channel]
        if assets.get(wanted) == "":
            return wanted
        if wanted:
            try:
                address = wanted if channel == "app" else canonical(wanted)
            except BadAddress as error:
                raise BadAddress(error.reason, field=field) from None
            if address not in assets:
                held, what = ", ".join(assets) or "none", "app" if channel == "app" else "asset"
                raise BadInput(
                    f"{wanted!r} is not an {what} of service {service!r} (it holds: {held})",
                    field=field,
                    code="foreign_sender",
                )
            if assets[address]:
                raise BadInput(assets[address], field=field, code="unfit_sender")
            return address
        for address, refusal in assets.items():
            if not refusal:
                return address
        raise BadInput(
            f"service {service!r} has no asset to send {channel} from", field=field, code="no_sender"
        )

    def _single(self, request: SendRequest, service: Service, to: str) -> StepPlan:
        step = _SINGLE[request.channel]
        planned = self._step(request, service, to, step, request.until, request.validity_seconds)
        return _patient(planned, service, "last" if request.hold else "", last=True)

    def _chain(self, request: SendRequest, service: Service, to: str) -> tuple[StepPlan, ...]:
        chain: Chain | None = service.chains.get(request.chain)
        if chain is None:
            known = ", ".join(service.chains) or "none"
            raise BadInput(
                f"service {request.service!r} has no chain {request.chain!r} (it has: {known})",
                field="chain",
                code="unknown_chain",
            )
        return tuple(
            planned
            for step in chain.steps
            for planned in self._tries(
                request, service, to, step, float(chain.within), last=step is chain.steps[-1]
            )
        )

    def _tries(
        self, request: SendRequest, service: Service, to: str, step: Step, chain_seconds: float, *, last: bool
    ) -> Iterator[StepPlan]:
        """A step of a chain, and its repetitions."""
        planned = self._step(request, service, to, step, Result(step.until), float(step.within))
        away = "wait" if step.away == "wait" else "last" if last else ""
        planned = _patient(planned, service, away, last=last)
        if chain_seconds:
            planned = replace(planned, chain_seconds=chain_seconds)
        if step.skip_when:
            planned = replace(planned, skip_when=step.skip_when)
        if "variables" in step.skip_when:
            planned = replace(planned, variables=dict(request.variables))
        yield planned
        for again in range(1, step.retries + 1):
            yield replace(
                planned,
                again=again,
                pause_seconds=float(step.retry_after),
                retry_on=tuple(step.retry_on),
            )

    def _step(
        self,
        request: SendRequest,
        service: Service,
        to: str,
        step: Step,
        until: Result,
        within_seconds: float,
    ) -> StepPlan:
        # a request's text is what it says: variables are for templates and the texts of chains
        text = request.text
        name = step.template or ("" if text else request.template)
        wav, language = request.wav, request.language or "en"
        try:
            if step.text:
                text = render_sms(step.text, _variables(request, service))
            elif name:
                variables = _variables(request, service)
                template = service.templates.get(name)
                if template is None:
                    known = ", ".join(service.templates) or "none"
                    raise BadInput(
                        f"service {request.service!r} has no template {name!r} (it has: {known})",
                        field="template",
                        code="unknown_template",
                    )
                wanted = request.language
                if template.languages and not wanted:
                    wanted = self._language(request.service, to)
                wording, language = worded(template, wanted)
                values = checked(name, template, variables)
                if step.channel == "voice":
                    text, wav = render_voice(wording, values), wording.wav
                elif step.channel == "app":
                    text = render_app(wording, values)
                else:
                    text = render_sms(wording, values)
        except UnknownVariable as error:
            raise BadInput(str(error), field="variables", code="missing_variable") from None
        form = request.form
        if not text and not wav and not request.keep and not (form is not None and form.raw):
            raise BadInput("a message needs `text`, `template` or `chain`", field="text", code="empty")
        if len(text) > MAX_TEXT:
            raise BadInput(f"{len(text)} characters; {MAX_TEXT} is the most", field="text", code="too_long")
        confirm = step.confirm if until is Result.CONFIRMED else ""
        if confirm and not wav:
            text = f"{text} {step.ask or f'Press {confirm} to confirm.'}"
        if confirm:  # a call that a crash has ended is over then at the latest
            within_seconds = within_seconds or _CONFIRM_SECONDS
        text, code = taken_out(text)
        return StepPlan(
            channel=step.channel,
            sender=self.sender(request.service, step.sender or request.sender, step.channel),
            via=step.via,
            text=text,
            wav=wav,
            language=language,
            keep=request.keep,
            until=until,
            within_seconds=within_seconds,
            code=code,
            form=form,
            confirm=confirm,
        )


def _patient(planned: StepPlan, service: Service, away: str, *, last: bool) -> StepPlan:
    """The step of an app with how it waits for an installation that is away; none waits for ever."""
    if planned.channel != "app":
        return planned
    keep = float(service.apps[planned.sender].keep) if last else _APP_SECONDS
    return replace(planned, away=away, within_seconds=planned.within_seconds or keep)


def _variables(request: SendRequest, service: Service) -> dict[str, Any]:
    return {**link.variables(service.links), **request.variables, "to": request.to}
