from pathlib import Path
from typing import Any

import click
import pytest

from gateway.cli.settings import look, run, service_of, settings, store_path
from gateway.values.errors import GatewayError


@pytest.fixture(autouse=True)
def no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


def test_settings_need_no_secret(place: Any) -> None:
    place.write("services/alerts.toml", 'name = "Alerts"\nkey = "$credential:alerts"')
    assert settings(str(place.config)).services["alerts"].key == "$credential:alerts"


def test_settings_that_are_wrong_are_told_with_their_place(place: Any) -> None:
    place.write("services/alerts.toml", 'nam = "Alerts"')
    with pytest.raises(click.ClickException, match=r'alerts.toml:1: nam: unknown key; did you mean "name"'):
        settings(str(place.config))


def test_an_unknown_service_is_told_the_known_ones(place: Any) -> None:
    with pytest.raises(click.ClickException, match=r"no service is named 'x' \(there are: alerts, pizza\)"):
        service_of(settings(str(place.config)), "x")


def test_the_store_is_found_beside_faults_of_other_things(place: Any) -> None:
    place.write("gateway.toml", '[http]\nlistne = "x"\n[store]\nurl = "sqlite:other.db"')
    assert store_path(str(place.config)) == place.folder / "state" / "other.db"


def test_the_state_directory_of_systemd_wins(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/trunkline")
    assert store_path(str(place.config)) == Path("/var/lib/trunkline/gateway.db")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("store = [", r"gateway.toml: "), ('[store]\nurl = "postgres://x"', "is not understood")],
)
def test_a_store_that_cannot_be_found(place: Any, text: str, reason: str) -> None:
    place.write("gateway.toml", text)
    with pytest.raises(click.ClickException, match=reason):
        store_path(str(place.config))


def test_no_configuration_at_all() -> None:
    with pytest.raises(click.ClickException, match=r"nowhere.toml cannot be read: No such file"):
        store_path("nowhere.toml")


def test_looking_changes_nothing(place: Any) -> None:
    async def counts(store: Any) -> Any:
        return (await store.counts())["messages"]

    with pytest.raises(click.ClickException, match="start the gateway once"):
        look(str(place.config), counts)
    assert not place.store.exists()
    place.fill()
    assert look(str(place.config), counts) == 0


def test_what_the_gateway_raises_on_purpose_is_the_command_s_error() -> None:
    async def work() -> None:
        raise GatewayError("no")

    with pytest.raises(click.ClickException, match="no"):
        run(work)
