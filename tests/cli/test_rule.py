import json
from typing import Any

import pytest

RULES = """\
    name = "Pizza"
    assets = ["12345"]
    [events.paid.parameters]
    amount = "number"
    [keywords.ORDER]
    reply = "?"
    [rules.cold]
    on = "sms.received"
    when = 'sms.text.contains("cold")'
    do = [{ reply = "Sorry!" }]
    [rules.missed]
    on = "call.missed"
    when = '!customer.opted_out'
    do = [{ reply = "We call back" }, { opt = "in" }]
    [rules.ended]
    on = "call.missed"
    active = false
    do = [{ reply = "x" }]
    [rules.much]
    on = "custom.paid"
    when = "custom.amount > 10 && has(customer.tier)"
    do = [{ profile = { rich = "true" } }]
    [rules.clicked]
    on = "link.clicked"
    when = 'click.link == "offer" && click.device == "ios" && !customer.opted_out'
    do = [{ opt = "in" }]
    [rules.failed]
    on = "sms.status"
    when = 'status.value == "failed"'
    do = [{ notify = "http://127.0.0.1/x" }]
    """


def told_of(place: Any, event: Any, *arguments: str) -> Any:
    place.write("services/pizza.toml", RULES)
    file = place.folder / "event.json"
    file.write_text(event if isinstance(event, str) else json.dumps(event))
    return place.run("rule", "test", str(file), *arguments)


def test_each_rule_says_whether_it_acts_and_why(place: Any) -> None:
    event = {"type": "call.missed", "from": "+447700900123", "to": "+442079460000"}
    result = told_of(place, event)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "The rule ended of pizza does not act: not active.",
        "The rule missed of pizza acts: its condition holds.",
        '  It replies "We call back".',
        "  It opts the sender in.",
    ]
    result = told_of(place, {**event, "customer": {"opted_out": True}})
    assert (result.exit_code, "its condition does not hold" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("event", "fired"),
    [
        (
            {"type": "link.clicked", "to": "+447700900123", "link": "offer", "device": "ios", "count": 1},
            ["clicked"],
        ),
        ({"type": "link.clicked", "to": "+447700900123", "link": "other"}, []),
        ({"type": "custom.paid", "parameters": {"amount": 20}, "customer": {"tier": "x"}}, ["much"]),
        ({"type": "custom.paid", "parameters": {"amount": 20}}, []),
        ({"type": "sms.status", "service": "pizza", "status": "failed"}, ["failed"]),
        ({"type": "sms.received", "from": "+447700900123", "to": "12345", "text": "so cold"}, ["cold"]),
    ],
)
def test_events_as_notify_urls_get_them(place: Any, event: dict[str, Any], fired: list[str]) -> None:
    found = json.loads(told_of(place, event, "--json").stdout)
    assert [rule["rule"] for rule in found["rules"] if rule["fired"]] == fired
    assert [action["rule"] for action in found["actions"]] == fired


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("order", 'The keyword ORDER of pizza takes "order" before any rule.'),
        ("stop", '"stop" is a reserved word, which no rule is asked about.'),
    ],
)
def test_what_comes_before_rules_is_said(place: Any, text: str, says: str) -> None:
    event = {"type": "sms.received", "from": "+447700900123", "to": "12345", "text": text}
    result = told_of(place, event)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, says)


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ("{", "Expecting property name"),
        ("[]", "the event must be a JSON object"),
        ({"type": "call.mised"}, 'did you mean "call.missed"?'),
        ({"type": "custom.payed", "service": "pizza"}, 'did you mean "paid"?'),
        ({"type": "custom.paid", "parameters": {}}, "event paid needs the parameter amount"),
        ({"type": "call.missed", "service": "piza"}, 'did you mean "pizza"?'),
        ({"type": "sms.received", "text": "x"}, "from: is missing"),
    ],
)
def test_what_is_no_event_is_refused(place: Any, event: Any, says: str) -> None:
    result = told_of(place, event)
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr
