from __future__ import annotations

import tomllib

import pytest

from gateway.config.check_assets import asset_faults, bind_faults, route_faults, shared_faults
from gateway.config.model import Asset, Bind, Service
from gateway.config.shape import Reader

BINDS = {"north": Bind(host="n", system_id="x"), "in": Bind(host="n", system_id="x", mode="receiver")}


def read(toml: str) -> Service:
    reader = Reader(str)
    service = reader.struct(Service, tomllib.loads(toml), "services.s")
    assert reader.faults == []
    return service


def found(toml: str) -> list[tuple[str, bool]]:
    service = read(f'name = "S"\n{toml}')
    faults = asset_faults("services.s", service, binds=BINDS, trunks=["east"], carried={"12345"})
    return [(fault.path.removeprefix("services.s."), fault.warning) for fault in faults]


def test_a_table_says_more_of_assets_than_the_list() -> None:
    service = read(
        """
        name = "S"
        [assets."12345"]
        kind = "shortcode"
        country = "GB"
        [assets.shop]
        kind = "app"
        [routes.uk]
        bind = "north"
        prefixes = ["+44"]
        [routes.south]
        """
    )
    assert (service.assets, list(service.apps)) == (["12345"], ["shop"])
    assert service.routes == ["north", "south"]
    assert service.registry["12345"] == Asset(kind="shortcode", country="GB")
    assert service.route_table["uk"].prefixes == ["+44"]


def test_a_mistake_in_the_table_has_its_place() -> None:
    reader = Reader(str)
    table = tomllib.loads('name = "S"\nregistry = {}\n[assets."12345"]\nkind = "shortcod"\n[routes.a]\nx = 1')
    reader.struct(Service, table, "services.s")
    assert [fault.path for fault in reader.faults] == [
        "services.s.registry",
        "services.s.assets.12345.kind",
        "services.s.routes.a.x",
    ]


@pytest.mark.parametrize(
    ("toml", "faults"),
    [
        ('assets = ["12345"]', []),
        ('assets = ["12345", "12345"]', [("assets[1]", False)]),
        ('assets = ["54321"]', [("assets[0]", False)]),
        ('assets = ["54321"]\nroutes = ["north"]', []),
        ('assets = ["123"]\nroutes = ["north"]', [("assets[0]", True)]),
        ('assets = ["12345678"]\nroutes = ["north"]', [("assets[0]", True)]),
        ('assets = ["123456789012"]\nroutes = ["north"]', []),
        ('assets = ["much too long a name"]\nroutes = ["north"]', [("assets[0]", False)]),
        ('[assets.12345]\nkind = "sender-id"', [("assets.12345.kind", False)]),
        ('[assets.54321]\ncarrier = "north"', []),
        ('[assets.54321]\ncarrier = "norht"', [("assets.54321.carrier", False)]),
        ('[assets.12345]\ncountry = "UK"', [("assets.12345.country", False)]),
        ('[assets.12345]\ncapabilities = ["voice-in"]', [("assets.12345.capabilities", False)]),
        (
            '[assets.PIZZA]\ncarrier = "north"\ncapabilities = ["sms-mo"]',
            [("assets.PIZZA.capabilities", False)],
        ),
        ('[assets."my app"]\nkind = "app"', [("assets.my app", False)]),
    ],
)
def test_what_is_wrong_with_an_asset(toml: str, faults: list[tuple[str, bool]]) -> None:
    assert found(toml) == faults


@pytest.mark.parametrize(
    ("route", "key"),
    [
        ('prefixes = ["44"]', ".prefixes[0]"),
        ("cost = -1", ".cost"),
        ("weight = -1", ".weight"),
        ('hours = "8-20"', ".hours"),
        ('zone = "Mars/Base"', ".zone"),
        ('bind = "norht"', ".bind"),
        ('bind = "in"', ".bind"),
        ("", ""),
    ],
)
def test_what_is_wrong_with_a_route(route: str, key: str) -> None:
    name = "north" if route and "bind" not in route else "x"
    service = read(f'name = "S"\n[routes.{name}]\n{route}')
    assert [fault.path for fault in route_faults("s", service, BINDS)] == [f"s.routes.{name}{key}"]


def test_a_bind_by_its_name() -> None:
    assert list(bind_faults("p", "north", BINDS)) == []
    [fault] = bind_faults("p", "nort", BINDS)
    assert 'did you mean "north"?' in fault.what


NUMBER = "+442079460000"


@pytest.mark.parametrize(
    ("first", "second", "faults"),
    [
        ('assets = ["12345"]', 'assets = ["12345"]', []),
        (f'assets = ["{NUMBER}"]', f'assets = ["{NUMBER}"]', [("services.b.assets[0]", True)]),
        (
            f'[assets."{NUMBER}"]\nshared = true',
            f'assets = ["{NUMBER}"]',
            [("services.b.assets[0]", True)],
        ),
        (f'[assets."{NUMBER}"]\nshared = true', f'[assets."{NUMBER}"]\nshared = true', []),
        ('[assets."12345"]\nshared = false', 'assets = ["12345"]', [("services.b.assets[0]", False)]),
        ('assets = ["PIZZA"]', 'assets = ["PIZZA"]', [("services.b.assets[0]", True)]),
    ],
)
def test_an_asset_that_two_services_hold(first: str, second: str, faults: list[tuple[str, bool]]) -> None:
    services = {"a": read(f'name = "A"\n{first}'), "b": read(f'name = "B"\n{second}')}
    assert [(fault.path, fault.warning) for fault in shared_faults(services)] == faults
