from __future__ import annotations

from typing import Any

import pytest

from gateway.config.model import App, Asset, Chain, Parameter, Seconds, Service, Step, Template, Wording
from gateway.outbound.accept import MAX_TEXT, Counted, Planner, SendRequest
from gateway.store.base import Unit
from gateway.values.errors import BadInput, Throttled
from gateway.values.message import Form, Message, StepPlan, StepRecord
from gateway.values.outcome import Result, Status

BOB = "+447700900001"
PLANNER = Planner(
    {
        "alerts": Service(
            name="Alerts",
            assets=["12345", "44 20 7946 0000", "PIZZA"],
            apps={"shop": App(keep=Seconds(3600))},
            templates={
                "hello": Template(text="Hello $(name)", voice="Hello, $(name)!", language="de"),
                "jingle": Template(text="La la", wav="jingle.wav"),
            },
            chains={
                "alert": Chain(
                    steps=[
                        Step(
                            channel="sms",
                            via="north",
                            template="hello",
                            until="delivered",
                            within=Seconds(60),
                        ),
                        Step(channel="sms", sender="PIZZA", text="For $(to): $(what)"),
                        Step(channel="voice", template="hello", until="answered"),
                    ]
                ),
                "patient": Chain(
                    within=Seconds(600),
                    steps=[
                        Step(
                            channel="voice",
                            text="Listen",
                            until="answered",
                            retries=2,
                            retry_after=Seconds(120),
                            retry_on=["busy"],
                            skip_when='variables.level == "low"',
                        ),
                        Step(channel="sms", text="Read", skip_when="customer.opted_out"),
                    ],
                ),
                "shown": Chain(
                    steps=[
                        Step(channel="app", text="Look", until="read"),
                        Step(channel="app", text="Look", away="wait", within=Seconds(90)),
                        Step(channel="sms", text="Read"),
                        Step(channel="app", text="Look"),
                    ]
                ),
                "asked": Chain(
                    steps=[
                        Step(channel="voice", text="Fire.", until="confirmed", confirm="#"),
                        Step(
                            channel="voice",
                            text="Fire.",
                            until="confirmed",
                            ask="Press one.",
                            within=Seconds(9),
                        ),
                        Step(channel="voice", template="jingle", until="confirmed"),
                        Step(channel="voice", text="Fire.", until="answered"),
                    ]
                ),
                "given": Chain(steps=[Step(channel="sms"), Step(channel="voice", text="Listen")]),
            },
        ),
        "bare": Service(name="Bare", assets=["12345"]),
        "none": Service(name="None"),
        "off": Service(name="Off", status="suspended", assets=["12345"]),
    }
)


def plan(**fields: Any) -> Message:
    request = {"service": "alerts", "to": BOB, "text": "hi"} | fields
    return PLANNER.plan(SendRequest(**request), "m1", 5.0)


def test_a_plain_request_is_a_chain_of_one_step() -> None:
    message = plan(
        to="0044 7700 900001", correlationid="c1", notify_url="https://example.org", account="acme"
    )
    assert message == Message(
        id="m1",
        direction="mt",
        service="alerts",
        sender="12345",
        recipient=BOB,
        text="hi",
        status=Status.QUEUED,
        plan=(StepPlan(channel="sms", sender="12345", text="hi"),),
        steps=(StepRecord(),),
        correlationid="c1",
        notify_url="https://example.org",
        account="acme",
        created_at=5.0,
        updated_at=5.0,
    )


def test_octets_need_no_text() -> None:
    form = Form(raw=True, octets=b"\x01", data_coding=4)
    [step] = plan(text="", form=form).plan
    assert (step.text, step.form) == ("", form)


def test_a_request_may_say_how_far_and_how_long() -> None:
    [step] = plan(until=Result.DELIVERED, validity_seconds=90.0).plan
    assert (step.until, step.within_seconds) == (Result.DELIVERED, 90.0)


@pytest.mark.parametrize("text", ["costs $(5)", "$$(x)", "$(name)", "{name} $ %s"])
def test_a_text_is_sent_as_it_is(text: str) -> None:
    """It was read for variables: what a customer had texted could name one, or fail the answer."""
    assert plan(text=text, variables={"name": "Bob"}).text == text
    assert plan(text=text, chain="given").plan[0].text == text


def test_a_template_is_filled_in_for_its_channel() -> None:
    fill = {"text": "", "template": "hello", "variables": {"name": "Bob"}}
    assert plan(**fill).plan[0].text == "Hello Bob"
    [call] = plan(**fill, channel="voice").plan
    assert (call.channel, call.text, call.language) == ("voice", "Hello, Bob!", "de")
    [call] = plan(text="", template="jingle", channel="voice").plan
    assert (call.text, call.wav) == ("", "jingle.wav")


def test_a_call_goes_out_from_a_number() -> None:
    [call] = plan(channel="voice", wav="x.wav", text="").plan
    assert (call.sender, call.wav) == ("+442079460000", "x.wav")


def test_a_chain_brings_its_steps() -> None:
    message = plan(text="", chain="alert", variables={"name": "Bob", "what": "fire"})
    assert message.chain == "alert" and len(message.steps) == 3
    assert message.plan == (
        StepPlan(
            channel="sms",
            sender="12345",
            via="north",
            text="Hello Bob",
            language="de",
            until=Result.DELIVERED,
            within_seconds=60.0,
        ),
        StepPlan(channel="sms", sender="PIZZA", text=f"For {BOB}: fire"),
        StepPlan(
            channel="voice",
            sender="+442079460000",
            text="Hello, Bob!",
            language="de",
            until=Result.ANSWERED,
        ),
    )
    assert (message.sender, message.text) == ("12345", "Hello Bob")


def test_a_step_without_words_takes_those_of_the_request() -> None:
    assert [step.text for step in plan(chain="given", text="Fire").plan] == ["Fire", "Listen"]
    filled = plan(chain="given", text="", template="hello", variables={"name": "Bob"})
    assert [step.text for step in filled.plan] == ["Hello Bob", "Listen"]


@pytest.mark.parametrize("sender", ["12345", "+442079460000", "00442079460000", "PIZZA"])
def test_a_service_sends_from_what_it_holds(sender: str) -> None:
    assert plan(sender=sender).sender in ("12345", "+442079460000", "PIZZA")


def test_a_step_that_may_be_repeated_is_planned_so_many_times() -> None:
    first, again, more, last = plan(chain="patient", text="", variables={"level": "low"}).plan
    assert (first.again, first.pause_seconds, first.retry_on) == (0, 0.0, ())
    assert [(p.again, p.pause_seconds, p.retry_on) for p in (again, more)] == [
        (1, 120.0, ("busy",)),
        (2, 120.0, ("busy",)),
    ]
    assert (first.skip_when, first.variables) == ('variables.level == "low"', {"level": "low"})
    assert (last.again, last.skip_when, last.variables) == (0, "customer.opted_out", None)
    assert {p.chain_seconds for p in (first, again, more, last)} == {600.0}


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"service": "nobody"}, "service", "unknown_service"),
        ({"service": "off"}, "service", "suspended"),
        ({"to": "nonsense, this"}, "to", "bad_address"),
        ({"to": "12345"}, "to", "bad_address"),
        ({"sender": "99999"}, "from", "foreign_sender"),
        ({"sender": "not an address"}, "from", "bad_address"),
        ({"service": "none"}, "from", "no_sender"),
        ({"service": "bare", "channel": "voice"}, "from", "no_sender"),
        ({"text": ""}, "text", "empty"),
        ({"text": "x" * (MAX_TEXT + 1)}, "text", "too_long"),
        ({"text": "", "template": "hallo"}, "template", "unknown_template"),
        ({"text": "", "template": "hello"}, "variables", "missing_variable"),
        ({"chain": "alarm"}, "chain", "unknown_chain"),
        ({"chain": "alert", "variables": {"name": "Bob"}}, "variables", "missing_variable"),
    ],
)
def test_a_bad_request_is_refused_and_its_field_named(fields: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        plan(**fields)
    assert (refused.value.field, refused.value.code) == (field, code)


def test_the_longest_text_passes() -> None:
    assert len(plan(text="x" * MAX_TEXT).text) == MAX_TEXT


class Accepting:
    """Accepts for everybody but the service "bare"."""

    def check_room(self) -> None:
        raise Throttled("there is no room")

    def check(self, request: SendRequest) -> None:
        PLANNER.plan(request, "", 0.0)

    def accept(self, unit: Unit, request: SendRequest) -> Message:
        if request.service == "bare":
            raise BadInput("no", field="service")
        return PLANNER.plan(request, "m1", 0.0)


def test_who_asks_is_counted_once_what_was_accepted_is_durable() -> None:
    counted: list[str] = []
    accepting = Counted(Accepting(), counted.append)
    unit = Unit()
    assert accepting.accept(unit, SendRequest(service="alerts", to=BOB, text="hi")).id == "m1"
    with pytest.raises(BadInput):
        accepting.accept(unit, SendRequest(service="bare", to=BOB, text="hi"))
    assert counted == []
    for act in unit.acts:
        act()
    assert counted == ["alerts"]
    with pytest.raises(Throttled):
        accepting.check_room()
    with pytest.raises(BadInput):
        accepting.check(SendRequest(service="alerts", to="nobody", text="hi"))


def worded(**fields: Any) -> Message:
    templates = {
        "bill": Template(
            text="$(amount) due",
            app="Bill: $(amount)",
            parameters={"amount": Parameter(type="number")},
            languages={"de": Wording(text="$(amount) offen")},
        )
    }
    registry = {"54321": Asset(state="suspended")}
    service = Service(
        name="S", assets=["54321", "12345"], apps={"shop": App()}, registry=registry, templates=templates
    )
    planner = Planner({"s": service}, lambda service, address: "de" if address == BOB else "")
    given = {"variables": {"amount": "12.50"}, "template": "bill", "to": BOB, **fields}
    return planner.plan(SendRequest(service="s", **given), "m", 0.0)


@pytest.mark.parametrize(
    ("fields", "text", "sender"),
    [
        ({}, "12.50 offen", "12345"),
        ({"language": "en"}, "12.50 due", "12345"),
        ({"to": "+447700900002"}, "12.50 due", "12345"),
        ({"to": "+447700900002", "language": "de-AT"}, "12.50 offen", "12345"),
        ({"channel": "app", "language": "en"}, "Bill: 12.50", "shop"),
    ],
)
def test_a_template_speaks_the_language_of_request_or_customer(
    fields: dict[str, Any], text: str, sender: str
) -> None:
    message = worded(**fields)
    assert (message.text, message.sender) == (text, sender)


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"variables": {}}, "variables.amount", "missing_variable"),
        ({"variables": {"amount": "much"}}, "variables.amount", "bad_parameter"),
        ({"sender": "54321"}, "from", "unfit_sender"),
        ({"sender": "99999"}, "from", "foreign_sender"),
        ({"channel": "voice", "sender": "12345"}, "from", "unfit_sender"),
        ({"channel": "voice"}, "from", "no_sender"),
    ],
)
def test_what_a_service_cannot_say_or_send_from_is_refused(
    fields: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        worded(**fields)
    assert (refused.value.field, refused.value.code) == (field, code)


def test_what_an_app_shows_waits_for_an_installation_but_never_for_ever() -> None:
    first, patient, text, last = plan(text="", chain="shown").plan
    assert (first.away, first.within_seconds) == ("", 60.0)
    assert (patient.away, patient.within_seconds) == ("wait", 90.0)
    assert (text.away, text.within_seconds) == ("", 0.0)
    assert (last.away, last.within_seconds) == ("last", 3600.0)
    [alone] = plan(channel="app").plan
    assert (alone.away, alone.within_seconds) == ("last", 3600.0)
    [brief] = plan(channel="app", validity_seconds=5.0).plan
    assert (brief.away, brief.within_seconds) == ("last", 5.0)
    [now] = plan(channel="app", hold=False).plan
    assert (now.away, now.within_seconds) == ("", 3600.0)


def test_a_call_that_is_to_be_confirmed_asks_for_its_key_and_ends_some_time() -> None:
    key, own, sound, plain = plan(text="", chain="asked").plan
    assert (key.text, key.confirm, key.within_seconds) == ("Fire. Press # to confirm.", "#", 300.0)
    assert (own.text, own.confirm, own.within_seconds) == ("Fire. Press one.", "1", 9.0)
    assert (sound.text, sound.wav, sound.confirm) == ("", "jingle.wav", "1")
    assert (plain.text, plain.confirm, plain.within_seconds) == ("Fire.", "", 0.0)
