"""Notifications as a developer's web server meets them: the simulated one, with no code of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.processes import KEY, Daemon, Json, Simulator, until

pytestmark = pytest.mark.e2e

ALL = ["sent", "delivered"]

SETTINGS = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
addresses = ["12345"]
"""

SERVICE = """
name = "{name}"
key = "{key}"
hub_secret = "hub"
assets = ["12345"]

[notify]
status = "http://127.0.0.1:{webhook}/{name}"
batch = {batch}
"""


class Site:
    def __init__(self, daemon: Daemon, webhook: Simulator) -> None:
        self.daemon, self.webhook = daemon, webhook

    def burst(self, count: int) -> list[str]:
        return [self.daemon.send(to=f"+4477009{n:05}", sender="12345", text=f"n {n}") for n in range(count)]

    def posts(self) -> list[Json]:
        """What the web server has taken, signed rightly."""
        heard = [post for post in self.webhook.heard("notification") if post["status"] == 200]
        assert all(post["valid"] for post in heard), heard
        return heard


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    batch: int = request.param
    with (
        Simulator("smsc", "--listen=127.0.0.1:0") as smsc,
        Simulator("webhook", "--listen=127.0.0.1:0", "--secret=hub", "--delay=0.2") as webhook,
    ):
        service = SERVICE.format(name="shop", key=KEY, webhook=webhook.port, batch=batch)
        with Daemon(tmp_path / "site", SETTINGS.format(smsc=smsc.port), {"shop": service}) as daemon:
            until(lambda: daemon.log("bind.up"), "the bind is up")
            yield Site(daemon, webhook)


def statuses(news: list[Json]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for body in news:
        told.setdefault(body["transid"], []).append(body["status"])
    return told


@pytest.mark.parametrize("site", [1], indirect=True)
def test_each_status_comes_by_itself_in_order_over_a_few_connections(site: Site) -> None:
    ids = site.burst(20)
    until(lambda: len(site.posts()) >= 40, "all statuses have been told")
    posts = site.posts()
    assert statuses([post["body"] for post in posts]) == dict.fromkeys(ids, ALL)
    assert len({post["headers"]["x-hub-id"] for post in posts}) == 40


@pytest.mark.parametrize("site", [50], indirect=True)
def test_with_a_batch_they_come_as_arrays_each_with_its_id_and_some_of_them_together(site: Site) -> None:
    ids = site.burst(20)

    def news() -> list[Json]:
        return [body for post in site.posts() for body in post["body"]]

    until(lambda: len(news()) >= 40, "all statuses have been told")
    assert statuses(news()) == dict.fromkeys(ids, ALL)
    assert len({body["hub_id"] for body in news()}) == 40
    assert len(site.posts()) < 30
    assert all("x-hub-id" not in post["headers"] for post in site.posts())
