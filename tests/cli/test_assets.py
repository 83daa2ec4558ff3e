import json
from typing import Any

PIZZA = """\
    name = "Pizza"
    country = "GB"
    [assets."12345"]
    [assets.PIZZA]
    carrier = "north"
    state = "requested"
    [keywords.ORDER]
    number = "12345"
    reply = "?"
    """


def test_assets_are_listed_with_who_carries_and_holds_them(place: Any) -> None:
    place.write("services/pizza.toml", PIZZA)
    result = place.run("assets")
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows == [
        ["12345", "shortcode", "", "sms-mo, sms-mt", "north", "alerts", "shared", "active"],
        [
            "+442079460000",
            "phone-number",
            "GB",
            "sms-mo, sms-mt, voice-in, voice-out",
            "east",
            "alerts",
            "",
            "active",
        ],
        ["12345", "shortcode", "GB", "sms-mo, sms-mt", "north", "pizza", "shared", "active"],
        ["PIZZA", "sender-id", "GB", "sms-mt", "north", "pizza", "", "requested"],
        ["ORDER on 12345", "keyword", "", "", "", "pizza", "", "active"],
    ]


def test_one_service_one_kind_as_json(place: Any) -> None:
    place.write("services/pizza.toml", PIZZA)
    [found] = json.loads(place.run("assets", "--service", "pizza", "--kind", "keyword", "--json").stdout)
    assert (found["asset"], found["number"], found["service"]) == ("ORDER", "12345", "pizza")
    result = place.run("assets", "--service", "piza")
    assert (result.exit_code, "no service is named" in result.stderr) == (1, True)
