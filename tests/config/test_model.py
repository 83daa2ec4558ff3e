"""The typed settings of a service: its short forms and its long ones."""

from __future__ import annotations

from gateway.config.model import Service


def test_tables_of_assets_and_routes_stand_beside_the_plain_lists_that_they_are_long_for() -> None:
    assets = {"12345": {"shared": True}, "shop": {"kind": "app"}}
    routes = {"uk": {"bind": "north"}, "south": {}}
    unfolded = Service.unfold({"assets": assets, "routes": routes})
    assert (unfolded["assets"], unfolded["registry"]) == (["12345"], assets)
    assert unfolded["apps"] == {"shop": {}}  # an app is no address
    assert (unfolded["routes"], unfolded["route_table"]) == (["north", "south"], routes)


def test_plain_lists_stay_as_they_are() -> None:
    table = {"assets": ["12345"], "routes": ["north"]}
    assert Service.unfold(table) == table
