import json
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("text", "status", "lines"),
    [
        (
            "order 2",
            0,
            [
                "12345 belongs to alerts and pizza.",
                'The text reads as "order 2".',
                "The whole text is no keyword.",
                'Its first word is the keyword ORDER (followed by "2"): service pizza starts the flow order.',
            ],
        ),
        (
            "it was cold",
            0,
            [
                "12345 belongs to alerts and pizza.",
                'The text reads as "it was cold".',
                "The whole text is no keyword.",
                'Its first word "it" is no keyword.',
                "Neither the text nor its first word is an alias.",
                "No default is set either: no service answers.",
                "The rule cold of pizza acts: its condition holds.",
                'Service pizza replies "Sorry!", by its rule cold.',
                "Service pizza notifies http://127.0.0.1/cold, by its rule cold.",
            ],
        ),
        (
            "Stop",
            0,
            [
                "12345 belongs to alerts and pizza.",
                'The text reads as "stop".',
                'It is the reserved word for "stop", which comes before every keyword.',
                "It opts the sender out of alerts, pizza and gets the built-in reply.",
            ],
        ),
        (
            "what?",
            1,
            [
                "12345 belongs to alerts and pizza.",
                'The text reads as "what".',
                "The whole text is no keyword.",
                'Its first word "what" is no keyword.',
                "Neither the text nor its first word is an alias.",
                "No default is set either: no service answers.",
                "The rule cold of pizza does not act: its condition does not hold.",
                "Nothing takes it: no keyword, rule or default of alerts, pizza took it.",
            ],
        ),
    ],
)
def test_which_takes_a_text_and_why(place: Any, text: str, status: int, lines: list[str]) -> None:
    result = place.run("keyword", "test", "12345", text)
    assert result.stdout.splitlines() == lines
    assert result.exit_code == status


def test_a_number_of_nobody(place: Any) -> None:
    result = place.run("keyword", "test", "99999", "ORDER")
    assert result.exit_code == 1
    assert "99999 is no asset of any service" in result.stdout


def test_rules_may_ask_who_texts(place: Any) -> None:
    place.write(
        "services/pizza.toml",
        """\
        name = "Pizza"
        assets = ["12345"]
        [rules.anne]
        on = "sms.received"
        when = 'sms.from == "+447700900001"'
        do = [{ opt = "in" }]
        """,
    )
    assert place.run("keyword", "test", "12345", "x").exit_code == 1
    result = place.run("keyword", "test", "12345", "x", "--from", "07700 900001 ".replace("0", "+44", 1))
    assert "Service pizza opts the sender in, by its rule anne." in result.stdout


def test_a_default_takes_what_nothing_else_takes(place: Any) -> None:
    place.write("services/alerts.toml", 'name = "A"\nassets = ["12345"]\ndefault.reply = "Hello"')
    found = json.loads(place.run("keyword", "test", "12345", "what?", "--json").stdout)
    assert (found["took"], found["service"]) == ("service-default", "alerts")
    assert found["rules"] == [
        {"service": "pizza", "rule": "cold", "fired": False, "why": "its condition does not hold"}
    ]


@pytest.mark.parametrize(
    ("text", "took"), [("ORDER", "keyword ORDER"), ("cold", "rules cold"), ("help", "help"), ("x", "nothing")]
)
def test_as_json(place: Any, text: str, took: str) -> None:
    assert json.loads(place.run("keyword", "test", "12345", text, "--json").stdout)["took"] == took


def test_a_text_to_no_number(place: Any) -> None:
    result = place.run("keyword", "test", "+1", "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "neither an E.164 number" in result.stderr


def test_a_waiting_session_takes_what_is_neither_reserved_nor_global(place: Any) -> None:
    def took(text: str) -> str:
        result = place.run("keyword", "test", "12345", text, "--session", "--json")
        return str(json.loads(result.stdout)["took"])

    assert (took("ORDER"), took("stop")) == ("session", "stop")
    pizza = (place.folder / "conf/services/pizza.toml").read_text()
    place.write("services/pizza.toml", pizza.replace('flow = "order"', 'flow = "order"\nglobal = true'))
    assert took("ORDER") == "keyword ORDER"


def test_a_text_to_a_suspended_service_is_parked(place: Any) -> None:
    pizza = (place.folder / "conf/services/pizza.toml").read_text()
    place.write("services/pizza.toml", f'status = "suspended"\n{pizza}')
    result = place.run("keyword", "test", "12345", "ORDER")
    assert (
        result.stdout.splitlines()[-1] == "Service pizza is suspended: the text waits until it is live again."
    )


def test_an_app_is_named_with_its_service(place: Any) -> None:
    file = place.folder / "conf/services/pizza.toml"
    file.write_text(file.read_text().replace("[keywords", "[apps.shop]\n[keywords", 1))
    found = place.run("keyword", "test", "pizza/shop", "order two")
    assert (found.exit_code, found.output.splitlines()[0]) == (0, "pizza/shop belongs to pizza.")
