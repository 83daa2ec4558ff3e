import json
import tomllib
from typing import Any


def test_a_key_is_made_and_its_place_named(place: Any) -> None:
    before = (place.folder / "conf" / "services" / "pizza.toml").read_text()
    result = place.run("service", "key", "pizza")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("  key = "))
    assert len(tomllib.loads(line.strip())["key"]) == 43
    assert f"{place.folder}/conf/services/pizza.toml at its top" in result.stdout
    assert (place.folder / "conf" / "services" / "pizza.toml").read_text() == before


def test_each_key_is_another_one(place: Any) -> None:
    keys = {json.loads(place.run("service", "key", "alerts", "--json").stdout)["key"] for _ in range(3)}
    assert len(keys) == 3


def test_a_service_that_has_a_key_is_told_to_replace_it(place: Any) -> None:
    assert "alerts.toml in place of its key" in place.run("service", "key", "alerts").stdout
    assert json.loads(place.run("service", "key", "alerts", "--json").stdout)["replaces"] is True


def test_a_service_that_is_not_there(place: Any) -> None:
    result = place.run("service", "key", "alarms")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no service is named 'alarms' (there are: alerts, pizza)" in result.stderr
