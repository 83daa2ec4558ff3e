"""/resources/v1/messaging: send, and ask for the status, in the form of the platform whose clients move here.

    {"deliverychannel": "sms", "channels": {"sms": {"text": "Hello", "senderid": "12345", "type": "1"}},
     "destination": [{"msisdn": ["447700900123"], "correlationid": "4711"}],
     "message": {"template": "hello", "parameters": {"name": "Ann"}},
     "notifyurl": "https://example.org/dlr", "callbackData": "x", "expiry": "2026-12-24T18:00:00Z"}

Each destination is a message of its own, as POST /v2/messages makes them; its notifications have that
platform's form too (inbound.delivery_info).
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

from gateway.http import submission, v1
from gateway.http.body import decode
from gateway.http.deps import DEPS, Deps
from gateway.http.models import MAX_CORRELATIONID, MAX_URL, BinaryIn, MessageIn
from gateway.http.problem import answer
from gateway.http.v1 import V1Item, V1Reply
from gateway.outbound.accept import SendRequest
from gateway.values.errors import BadInput
from gateway.values.ids import message_of
from gateway.values.message import Form, Message, StepState
from gateway.values.outcome import Result, Status

PATH = "/resources/v1/messaging"
LIMIT_OCTETS = 256 * 1024
LIMIT_PAYLOAD = 5 * 1024  # of `channels` and `message`
MAX_DESTINATIONS = 1_000
MAX_CALLBACK = 1_000
_CHANNELS = {"sms": "sms", "voice": "voice", "appmessaging": "app", "rt": "app"}
_MSISDN = re.compile(r"[1-9][0-9]{6,14}")
_TEXT, _FLASH, _BINARY, _UNICODE = "1", "2", "3", "4"

# What went wrong with a call, in the words of that platform
_CALLS = {Result.NO_ANSWER: "no answer", Result.BUSY: "busy", Result.REJECTED: "rejected"}
_TEXTS = {Status.READ: "delivered", Status.IN_DOUBT: "failed"}
_NAMES = {"sms": "SMS", "voice": "voice", "app": "appmessaging"}


class SmsV1(Struct, frozen=True, kw_only=True):
    type: Annotated[str | int, Meta(description="1 text, 2 flash, 3 binary, 4 unicode")] = _TEXT
    text: str = ""
    body: Annotated[str, Meta(description="Of type 3: octets as hexadecimal digits")] = ""
    media_path: Annotated[str, Meta(description="Follows the text")] = field(default="", name="media-path")
    senderid: str = ""


class VoiceV1(Struct, frozen=True, kw_only=True):
    promptid: Annotated[str, Meta(description="The name of a template of the service")] = ""
    callflowid: str = ""
    text: Annotated[str, Meta(description="To be spoken")] = ""
    cli: Annotated[str, Meta(description="The number that is shown")] = ""


class AppV1(Struct, frozen=True, kw_only=True):
    text: str = ""
    appid: Annotated[str, Meta(description="An app of the service; default: its first")] = ""


class SmartLinkV1(Struct, frozen=True, kw_only=True):
    linkid: Annotated[str, Meta(description="The name of a smart link: $(link.NAME) in the text")]


class ChannelsV1(Struct, frozen=True, kw_only=True):
    sms: SmsV1 = SmsV1()
    voice: VoiceV1 = VoiceV1()
    appmessaging: AppV1 = AppV1()
    smartlinks: list[SmartLinkV1] = []


class TemplateV1(Struct, frozen=True, kw_only=True):
    template: str = ""
    parameters: dict[str, Any] = {}


class DestinationV1(Struct, frozen=True, kw_only=True):
    msisdn: list[str] | str = []
    customerid: list[str] | str = []
    correlationid: Annotated[str, Meta(max_length=MAX_CORRELATIONID)] = ""


RawChannels = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/ChannelsV1"})]
RawTemplate = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/TemplateV1"})]


def _nothing() -> Raw:
    return Raw(b"{}")


class MessagingV1(Struct, frozen=True, kw_only=True):
    deliverychannel: Annotated[str, Meta(description="sms, voice or appmessaging")]
    channels: RawChannels = field(default_factory=_nothing)
    message: RawTemplate = field(default_factory=_nothing)
    destination: Annotated[list[DestinationV1], Meta(min_length=1, max_length=MAX_DESTINATIONS)]
    correlationid: Annotated[str, Meta(max_length=MAX_CORRELATIONID)] = ""
    notifyurl: Annotated[str, Meta(max_length=MAX_URL)] = ""
    callbackData: Annotated[
        str, Meta(max_length=MAX_CALLBACK, description="Comes back with each notification")
    ] = ""
    expiry: Annotated[str, Meta(description="Nothing is sent after that moment (UTC)")] = ""
    priority: Annotated[str | int, Meta(description="1 low, 2 medium, 3 high")] = ""


class StatusV1(Struct, frozen=True, kw_only=True):
    transactionid: str
    api_version: str = "v1"
    type: Annotated[str, Meta(description="outbound-api, or inbound")]
    sender: str = field(name="from")
    to: str
    body: str
    channel: str
    status: Annotated[
        str,
        Meta(
            description="sms: queued, sent, delivered, failed, expired; "
            "voice: queued, answered, no answer, rejected, busy, others"
        ),
    ]
    date_created: Annotated[str, Meta(examples=["Mon, 16 Aug 2010 03:45:01 UTC"])]
    last_updated: str
    error_code: str | None
    error_message: str | None


def routes() -> list[web.RouteDef]:
    return [
        web.post(PATH, send),
        web.post(f"{PATH}/", send),
        web.get(f"{PATH}/status/{{transid}}", show),
    ]


async def send(request: web.Request) -> web.Response:
    """Each destination is judged by itself; the good ones become durable together."""
    service = v1.caller(request)
    if isinstance(service, web.Response):
        return service
    deps = request.app[DEPS]
    if deps.services[service].status != "live":
        item = V1Item(code=v1.SUSPENDED, description=f"service {service!r} is suspended")
        return answer(V1Reply([item]), 403)
    try:
        body = decode(await v1.read(request, LIMIT_OCTETS), MessagingV1)
        if len(body.channels) + len(body.message) > LIMIT_PAYLOAD:
            raise BadInput(f"a message may take {LIMIT_PAYLOAD} octets", code="too_large")
        wanted = _request(body, service, deps)
        to = _destinations(body, service, deps)
    except BadInput as error:
        return v1.unread(error)
    requests = [
        replace(wanted, to=address, correlationid=correlationid)
        for address, correlationid in to
        if not isinstance(address, BadInput)
    ]
    told = iter(await _submitted(requests, deps))
    items = [
        _item(address if isinstance(address, BadInput) else next(told), correlationid)
        for address, correlationid in to
    ]
    deps.metrics.accepted(service, sum(bool(item.transid) for item in items))
    return answer(V1Reply(items), 200 if any(item.transid for item in items) else 400)


async def show(request: web.Request) -> web.Response:
    """An array of the one transaction."""
    service = v1.caller(request)
    if isinstance(service, web.Response):
        return service
    id = request.match_info["transid"]
    message = await request.app[DEPS].store.message(message_of(id) or id)
    if message is None or message.service != service:
        item = V1Item(code="7004", description=f"service {service!r} has no transaction {id!r}")
        return answer(V1Reply([item]), 404)
    return answer([_status(message)])


def _request(body: MessagingV1, service: str, deps: Deps) -> SendRequest:
    """What is wanted of each destination.  Raises BadInput, naming the field."""
    channel = _CHANNELS.get(body.deliverychannel)
    if channel is None:
        reason = f"{body.deliverychannel!r} is none of {', '.join(_CHANNELS)}"
        raise BadInput(reason, field="deliverychannel")
    if str(body.priority) not in ("", "1", "2", "3"):
        raise BadInput("1 is low, 2 medium, 3 high", field="priority")
    channels, template = decode(body.channels, ChannelsV1), decode(body.message, TemplateV1)
    known = deps.services[service].links
    for link in channels.smartlinks:
        if link.linkid not in known:
            reason = f"service {service!r} has no link {link.linkid!r} (it has: {', '.join(known) or 'none'})"
            raise BadInput(reason, field="channels.smartlinks.linkid")
    form = {"sms": _sms, "voice": _voice, "app": _app}[channel](channels)
    if template.template:
        form = replace(form, text="", template=template.template)
    if not (form.text or form.template or form.binary):
        raise BadInput(f"param 'text' is missing for {body.deliverychannel}", field="channels", code="empty")
    expires = v1.moment(body.expiry)
    left = expires - deps.clock.now() if expires else 0.0
    if left < 0:
        raise BadInput("is over", field="expiry")
    form = replace(form, variables=template.parameters, notify=body.notifyurl, validity=left)
    request = submission.read(form, service, deps)
    if channel == "sms" and body.priority:
        flag = int(body.priority) - 1  # of SMPP: 0 is the lowest
        request = replace(request, form=replace(request.form or Form(), priority_flag=flag))
    return replace(request, callback=body.callbackData)


def _sms(channels: ChannelsV1) -> MessageIn:
    sms = channels.sms
    form = MessageIn(to="", sender=sms.senderid, text=" ".join(filter(None, (sms.text, sms.media_path))))
    match str(sms.type):
        case "1" | "4":  # the text itself says whether it needs Unicode
            return form
        case "2":
            return replace(form, flash=True)
        case "3":
            if not sms.body:
                raise BadInput("type 3 needs octets", field="channels.sms.body", code="empty")
            return MessageIn(to="", sender=sms.senderid, binary=BinaryIn(octets=sms.body))
    raise BadInput("1 is text, 2 flash, 3 binary, 4 unicode", field="channels.sms.type")


def _voice(channels: ChannelsV1) -> MessageIn:
    voice = channels.voice
    if voice.callflowid and not voice.promptid:
        reason = "a call begins a flow by a call list, a rule or a flow; here it says a template, `promptid`"
        raise BadInput(reason, field="channels.voice.callflowid")
    text = "" if voice.promptid else voice.text
    return MessageIn(to="", channel="voice", sender=voice.cli, text=text, template=voice.promptid)


def _app(channels: ChannelsV1) -> MessageIn:
    return MessageIn(
        to="", channel="app", sender=channels.appmessaging.appid, text=channels.appmessaging.text
    )


def _destinations(body: MessagingV1, service: str, deps: Deps) -> list[tuple[str | BadInput, str]]:
    """Numbers, or why there is none, each with its correlationid.  Raises BadInput."""
    found = list[tuple[str | BadInput, str]]()
    for index, destination in enumerate(body.destination):
        correlationid = destination.correlationid or body.correlationid
        numbers, ids = _several(destination.msisdn), _several(destination.customerid)
        if not numbers and not ids:
            reason = "any one of [customerid, msisdn] is mandatory"
            raise BadInput(reason, field=f"destination[{index}]", code="empty")
        found += [(_international(number), correlationid) for number in numbers]
        for id in ids:
            address = deps.customers.address(service, id)
            unknown = BadInput(f"nobody has the customerid {id!r}", field="destination.customerid")
            found.append((address or unknown, correlationid))
    if len(found) > MAX_DESTINATIONS:
        raise BadInput(f"{len(found)}; {MAX_DESTINATIONS} is the most", field="destination")
    return found


def _several(given: list[str] | str) -> list[str]:
    return [given] if isinstance(given, str) else given


def _international(msisdn: str) -> str:
    """There numbers come with their country code and without a plus sign."""
    return f"+{msisdn}" if _MSISDN.fullmatch(msisdn) else msisdn


async def _submitted(requests: list[SendRequest], deps: Deps) -> list[Message | BadInput]:
    if not requests:
        return []
    done: asyncio.Future[list[Message | BadInput]] = asyncio.get_running_loop().create_future()

    def told(results: list[Message | BadInput] | BaseException) -> None:
        if done.done():  # the request was cancelled
            return
        if isinstance(results, BaseException):
            done.set_exception(results)
        else:
            done.set_result(results)

    deps.submit_soon(requests, told)
    return await done


def _item(what: Message | BadInput, correlationid: str) -> V1Item:
    if isinstance(what, BadInput):
        return v1.refused(what, correlationid)
    return V1Item(code="1001", description="Queued", transid=what.id, correlationid=correlationid)


def _status(message: Message) -> StatusV1:
    channel = message.plan[max(message.step, 0)].channel if message.plan else "sms"
    failed = message.status in (Status.FAILED, Status.EXPIRED, Status.IN_DOUBT)
    return StatusV1(
        transactionid=message.id,
        type="outbound-api" if message.direction == "mt" else "inbound",
        sender=message.sender,
        to=message.recipient,
        body=message.text,
        channel=_NAMES[channel],
        status=_of_call(message) if channel == "voice" else _TEXTS.get(message.status, str(message.status)),
        date_created=_date(message.created_at),
        last_updated=_date(message.updated_at),
        error_code=(message.code or None) if failed else None,
        error_message=(message.reason or None) if failed else None,
    )


def _of_call(message: Message) -> str:
    if message.status in (Status.QUEUED, Status.ANSWERED):
        return str(message.status)
    step = message.steps[message.step] if message.step >= 0 else None
    if step is not None and step.state is StepState.FAILED and step.result in set(Result):
        return _CALLS.get(Result(step.result), "others")
    return "sent" if message.status is Status.SENT else "others"


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
