import json
import time
import tomllib
from typing import Any

from gateway.values.service_key import hashed


def test_a_key_is_made_and_its_place_named(place: Any) -> None:
    before = (place.folder / "conf" / "services" / "pizza.toml").read_text()
    result = place.run("service", "key", "pizza")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("  key = "))
    made = result.stdout.splitlines()[1].strip()
    assert len(made) == 43
    assert tomllib.loads(line.strip())["key"] == hashed(made)
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


def test_a_key_is_replaced_in_the_file_and_the_one_before_holds_for_a_while(place: Any) -> None:
    file = place.folder / "conf" / "services" / "alerts.toml"
    made = json.loads(place.run("service", "key", "alerts", "--rotate", "--overlap", "2h", "--json").stdout)
    table = tomllib.loads(file.read_text())
    assert (table["key"], table["previous_key"]) == (hashed(made["key"]), hashed("alerts-key"))
    left = table["previous_key_until"].timestamp() - time.time()
    assert 7100 < left <= 7200
    assert place.run("check").exit_code == 0
    again = place.run("service", "key", "alerts", "--rotate")
    assert again.exit_code == 0
    assert "had a previous_key already; it would have held until" in again.stderr
    assert tomllib.loads(file.read_text())["previous_key"] == hashed(made["key"])


def test_a_first_key_has_none_before_it(place: Any) -> None:
    result = place.run("service", "key", "pizza", "--rotate")
    assert "It holds from the next reload on" in result.stdout
    table = tomllib.loads((place.folder / "conf" / "services" / "pizza.toml").read_text())
    assert table["key"].startswith("sha256:") and "previous_key" not in table


def test_a_hub_secret_is_replaced_likewise(place: Any) -> None:
    file = place.folder / "conf" / "services" / "alerts.toml"
    file.write_text('hub_secret = "old"\n' + file.read_text())
    result = place.run("service", "hub-secret", "alerts", "--rotate")
    made = result.stdout.splitlines()[1].strip()
    table = tomllib.loads(file.read_text())
    assert (table["hub_secret"], table["previous_hub_secret"]) == (made, "old")
    assert "X-Hub-Signature-256-Next" in result.stdout
    assert "pizza.toml, then reload: hub_secret" in place.run("service", "hub-secret", "pizza").stdout


def test_a_signature_is_checked(place: Any) -> None:
    file = place.folder / "conf" / "services" / "alerts.toml"
    file.write_text('hub_secret = "s3cret"\n' + file.read_text())
    # printf '{}' | openssl dgst -sha256 -hmac s3cret
    right = "sha256=adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b"
    stamped = "sha256=aee1491fbac4f263272eb4bed4f47cac761784757f9b2e7f483ae2bc9452bae4"
    assert "right: of the body" in place.run("service", "verify", "alerts", right, input="{}").stdout
    timed = ("--timestamp", "1763906709")
    assert place.run("service", "verify", "alerts", stamped, *timed, input="{}").exit_code == 0
    wrong = place.run("service", "verify", "alerts", right, input="{}\n")
    assert (wrong.exit_code, "these 3 octets" in wrong.stderr) == (1, True)
    unsigned = place.run("service", "verify", "pizza", right, input="{}")
    assert (unsigned.exit_code, "has no hub_secret" in unsigned.stderr) == (1, True)


def test_a_duration_that_is_none_is_refused(place: Any) -> None:
    result = place.run("service", "key", "alerts", "--rotate", "--overlap", "soon")
    assert (result.exit_code, "is no duration" in result.stderr) == (2, True)
