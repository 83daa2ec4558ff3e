"""What POST /v2/messages and /v2/messages/batch ask for, from the octets of a body to those of the answer.

Callbacks instead of coroutines, so that http.front needs no task per request; http.messages calls the same
functions for requests that aiohttp has read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from gateway.channels.segmentation import raw_segments
from gateway.content.smart_link import named
from gateway.http import models
from gateway.http.body import decode
from gateway.http.deps import Deps
from gateway.http.form import form_of
from gateway.http.models import Accepted, BatchIn, BatchOut, MessageIn, Refused, ToCustomer, TypedBatch
from gateway.http.problem import encode, problem_of
from gateway.outbound.accept import SendRequest
from gateway.outbound.webhook.target import target
from gateway.values.duration import seconds
from gateway.values.errors import BadInput
from gateway.values.message import Message
from gateway.values.outcome import Result
from gateway.values.variables import INTEGER_BITS, storable

LIMIT_OCTETS = 256 * 1024
BATCH_LIMIT_OCTETS = 5 * 1024 * 1024
MAX_SEGMENTS = 255
_MAX_DEPTH = 16  # of a variable's value
_SURELY_FITS = 255 * 67 // 2  # characters, each two UTF-16 units

# What a channel can reach, its default first
_UNTIL = {
    "sms": (Result.ACCEPTED, Result.DELIVERED),
    "voice": (Result.ANSWERED, Result.ACCEPTED, Result.CONFIRMED),
    "app": (Result.ACCEPTED, Result.DELIVERED, Result.READ),
}

# Status and body of the answer, or the error that there is to answer
Answer = tuple[int, bytes] | BaseException
Answered = Callable[[Answer], None]


def one(octets: bytes, service: str, deps: Deps, answered: Answered) -> None:
    """Accept one message.  Raises BadInput or Throttled; other errors come as the answer."""
    wanted = read(decode(octets, MessageIn), service, deps)

    def answer(results: list[Message | BadInput]) -> tuple[int, bytes]:
        [result] = results
        if isinstance(result, BadInput):
            raise result
        deps.metrics.accepted(service)
        return 202, encode(_accepted(result, deps))

    deps.submit_soon([wanted], _told(answer, answered))


def batch(octets: bytes, service: str, deps: Deps, answered: Answered) -> None:
    """Accept many messages.  Each is judged by itself; the good ones become durable together.

    Raises BadInput or Throttled when that concerns all of them; other errors come as the answer.
    """
    read_so_far = _read_batch(octets, service, deps)
    wanted = [what for what in read_so_far if not isinstance(what, BadInput)]

    def answer(results: list[Message | BadInput]) -> tuple[int, bytes]:
        rest = iter(results)
        outcomes = [what if isinstance(what, BadInput) else next(rest) for what in read_so_far]
        messages = [_item(i, outcome, deps) for i, outcome in enumerate(outcomes)]
        accepted = sum(isinstance(outcome, Message) for outcome in outcomes)
        deps.metrics.accepted(service, accepted)
        body = BatchOut(accepted=accepted, refused=len(outcomes) - accepted, messages=messages)
        return 202 if accepted else 400, encode(body)

    if wanted:
        deps.submit_soon(wanted, _told(answer, answered))
    else:
        answered(answer([]))


def read(body: MessageIn, service: str, deps: Deps) -> SendRequest:
    """What the body asks for.  Raises BadInput, naming the field."""
    until, validity_seconds = _goal(body)
    form = None
    if body.binary is not None or body.message_class is not None or body.flash:
        form = form_of(body)
    if body.text and body.template:
        raise BadInput("`text` and `template` exclude each other", field="template", code="contradiction")
    if not (body.text or body.template or body.chain or body.binary):
        raise BadInput("a message needs `text`, `template` or `chain`", field="text", code="empty")
    if len(body.text) > _SURELY_FITS and (count := deps.segments(body.text, "")) > MAX_SEGMENTS:
        raise BadInput(
            f"the text takes {count} segments; {MAX_SEGMENTS} is the most", field="text", code="too_long"
        )
    if body.variables and not _flat_enough(body.variables, _MAX_DEPTH + 1):
        raise BadInput(f"nested deeper than {_MAX_DEPTH}", field="variables")
    if body.variables and not storable(body.variables):
        raise BadInput(f"a whole number has {INTEGER_BITS} bits at most", field="variables")
    if body.notify:
        _check_url(body.notify)
    if "$(link." in body.text and (links := deps.services[service].links):
        for name in named(body.text):
            if name not in links:
                reason = f"service {service!r} has no link {name!r} (it has: {', '.join(links)})"
                raise BadInput(reason, field="text", code="unknown_link")
    return SendRequest(
        service=service,
        to=body.to if isinstance(body.to, str) else _address(body.to, service, deps),
        sender=body.sender,
        text=form.octets.hex() if form is not None and form.raw else body.text,
        form=form,
        template=body.template,
        language=body.language,
        variables=body.variables,
        chain=body.chain,
        channel=body.channel,
        until=until,
        validity_seconds=validity_seconds,
        correlationid=body.correlationid,
        notify_url=body.notify,
    )


def _address(to: ToCustomer, service: str, deps: Deps) -> str:
    """Raises BadInput."""
    address = deps.customers.address(service, to.customerid)
    if not address:
        raise BadInput(f"nobody has the customerid {to.customerid!r}", field="to", code="unknown_customer")
    return address


def _read_batch(octets: bytes, service: str, deps: Deps) -> list[SendRequest | BadInput]:
    bodies: Sequence[MessageIn | msgspec.Raw]
    try:
        bodies = decode(octets, TypedBatch).messages
    except BadInput:  # of one message, it may be: then it spoils no other
        bodies = decode(octets, BatchIn).messages
    found = list[SendRequest | BadInput]()
    for body in bodies:
        try:
            typed = decode(body, MessageIn) if isinstance(body, msgspec.Raw) else body
            found.append(read(typed, service, deps))
        except BadInput as error:
            found.append(error)
    return found


def _told(
    answer: Callable[[list[Message | BadInput]], tuple[int, bytes]], answered: Answered
) -> Callable[[list[Message | BadInput] | BaseException], None]:
    """Passes on what `answer` makes of results, or the error; whatever fails, somebody is told."""

    def told(results: list[Message | BadInput] | BaseException) -> None:
        if isinstance(results, BaseException):
            answered(results)
            return
        made: Answer
        try:
            made = answer(results)
        except Exception as error:
            made = error
        answered(made)

    return told


def _goal(body: MessageIn) -> tuple[Result, float]:
    """What counts as success, and within how many seconds."""
    if body.chain:
        given = {"channel": body.channel != "sms", "until": body.until, "validity": body.validity}
        for name, value in given.items():
            if value:
                raise BadInput("the steps of the chain say that", field=name, code="contradiction")
    possible = _UNTIL[body.channel]
    if body.until and body.until not in possible:
        raise BadInput(
            f"{body.channel} knows {' and '.join(possible)}, not {body.until}", field="until", code="invalid"
        )
    try:
        within = seconds(body.validity) if body.validity else 0.0
    except ValueError as error:
        raise BadInput(str(error), field="validity") from None
    return Result(body.until) if body.until else possible[0], within


def _flat_enough(value: object, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not inner or (depth > 0 and all(_flat_enough(what, depth - 1) for what in inner))


def _check_url(url: str) -> None:
    """Whether a notification could go there."""
    try:
        if " " in url or not url.isprintable():
            raise BadInput("a blank or a character that is not printed")
        target(url)
    except BadInput:
        raise BadInput(f"{url!r} is no http:// or https:// URL", field="notify", code="bad_url") from None


def _item(index: int, what: Message | BadInput, deps: Deps) -> Accepted | Refused:
    if isinstance(what, Message):
        return _accepted(what, deps)
    body = problem_of(what).body
    return Refused(body.code, body.reason, body.field, body.id, index=index)


def _accepted(message: Message, deps: Deps) -> Accepted:
    first = message.plan[0]
    if first.channel != "sms":
        return models.accepted(message, 0)
    form = first.form
    if form is not None and form.raw:
        return models.accepted(message, raw_segments(form))
    return models.accepted(message, deps.segments(first.text, message.steps[0].carrier))
