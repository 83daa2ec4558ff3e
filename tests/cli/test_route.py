import json
from typing import Any

PIZZA = """\
    name = "Pizza"
    assets = ["54321"]
    [routes.uk]
    bind = "north"
    prefixes = ["+44"]
    cost = 0.03
    [routes.night]
    bind = "north"
    hours = "20:00-08:00"
    """


def test_each_route_and_why_not(place: Any) -> None:
    place.write("services/pizza.toml", PIZZA)
    result = place.run(
        "route", "explain", "+4915112345678", "--service", "pizza", "--at", "2026-12-01T12:00:00Z"
    )
    assert result.stdout.splitlines() == [
        "pizza, from 54321 to +4915112345678:",
        "  not uk by north: +4915112345678 does not begin with +44",
        "  not night by north: it is for 20:00-08:00 (UTC)",
        "  no route: it would not be sent",
    ]
    result = place.run("route", "explain", "+447700900123", "--at", "2026-12-01T22:00:00Z")
    assert result.stdout.splitlines() == [
        "alerts, from 12345 to +447700900123:",
        "  1. north",
        "pizza, from 54321 to +447700900123:",
        "  1. uk by north: prefix +44, cost 0.03",
        "  2. night by north",
    ]


def test_as_json(place: Any) -> None:
    place.write("services/pizza.toml", PIZZA)
    [found] = json.loads(
        place.run("route", "explain", "+447700900123", "--service", "pizza", "--json").stdout
    )
    assert (found["from"], found["routes"][0]["route"], found["routes"][0]["fits"]) == ("54321", "uk", True)


def test_what_cannot_be(place: Any) -> None:
    foreign = place.run("route", "explain", "+447700900123", "--service", "pizza", "--from", "99999")
    assert (foreign.exit_code, "is not an asset of service" in foreign.stderr) == (1, True)
    assert place.run("route", "explain", "+447700900123", "--at", "noon").exit_code == 2


def test_a_name_is_no_number_to_route_to(place: Any) -> None:
    result = place.run("route", "explain", "foo", "--service", "pizza")
    assert (result.exit_code, "'foo' is no phone number with its country code" in result.stderr) == (2, True)
