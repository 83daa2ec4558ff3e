import json
from typing import Any

import pytest

ALERTS = """\
    name = "Alerts"
    key = "alerts-key"
    assets = ["12345"]
    [templates.bill]
    text = "$(who), you owe $(amount)€"
    voice = "You owe $(amount)"
    app = "Bill: $(amount)"
    [templates.bill.parameters]
    amount = "number"
    who = { default = "Friend" }
    [templates.bill.languages.de]
    text = "$(who), Sie schulden $(amount) Ω世"
    [[chains.alert.steps]]
    channel = "sms"
    template = "bill"
    """


@pytest.fixture(autouse=True)
def written(place: Any) -> None:
    place.write("services/alerts.toml", ALERTS)


def test_what_a_template_says_by_each_channel(place: Any) -> None:
    result = place.run("template", "preview", "alerts", "bill", "--set", "amount=12.50")
    assert result.stdout.splitlines() == [
        "sms (en): GSM 7 bit, 1 segment",
        "  Friend, you owe 12.50€",
        "voice (en):",
        "  You owe 12.50",
        "app (en):",
        "  Bill: 12.50",
        "sms (de): UCS-2, 1 segment",
        "  Friend, Sie schulden 12.50 Ω世",
        "voice (de):",
        "  Friend, Sie schulden 12.50 Ω世",
    ]


def test_one_language_as_json(place: Any) -> None:
    result = place.run(
        "template", "preview", "alerts", "bill", "--set", "amount=1", "--language", "de-AT", "--json"
    )
    [shown] = json.loads(result.stdout)
    assert (shown["language"], shown["sms"]["coding"], shown["sms"]["segments"]) == ("de", "ucs2", 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["alerts", "bill"], "variables.amount: template bill needs the parameter amount"),
        (["alerts", "bill", "--set", "amount=much"], "variables.amount: must be a number"),
        (["alerts", "bil"], 'did you mean "bill"?'),
        (["alarms", "bill"], "no service is named 'alarms'"),
        (["alerts", "bill", "--set", "amount=1", "--bind", "west"], "no bind is named 'west'"),
        (["alerts", "bill", "--set", "amount"], "write it as NAME=VALUE"),
    ],
)
def test_what_cannot_be_shown(place: Any, arguments: list[str], says: str) -> None:
    result = place.run("template", "preview", *arguments)
    assert result.exit_code and says in result.stderr


def test_templates_are_listed(place: Any) -> None:
    assert place.run("template", "list").stdout == "alerts\tbill\tamount, who\ten, de\tsms, voice, app\n"
    [found] = json.loads(place.run("template", "list", "--service", "alerts", "--json").stdout)
    assert found["parameters"]["amount"] == {"type": "number", "mandatory": True, "default": None}
