from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from gateway.config.load import Loaded, Located
from gateway.config.model import Bind, Gateway, Http, Listen, Log, Service, Smpp, Store
from gateway.daemon.reload import Reload, changed_binds, needs_restart
from gateway.observe.systemd import Systemd
from gateway.values.errors import GatewayError

FAULT = Located("conf/gateway.toml", 3, "smpp.binds.north.windw", "unknown key")


class FakeSystemd(Systemd):
    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self.told = told

    def reloading(self) -> None:
        self.told.append("reloading")

    def ready(self) -> None:
        self.told.append("ready")


async def reload(loaded: Loaded, *, refusal: str = "") -> list[str]:
    """What was done, in its order."""
    did: list[str] = []

    async def apply(new: Gateway) -> None:
        assert new is loaded.gateway
        did.append("applied")
        if refusal:
            raise GatewayError(refusal)

    await Reload(read=lambda: loaded, apply=apply, systemd=FakeSystemd(did)).run()
    return did


def errors(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(r.getMessage(), str(r.__dict__.get("reason", ""))) for r in caplog.records]


async def test_a_good_configuration_is_applied_between_reloading_and_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await reload(Loaded(Gateway(), [], [])) == ["reloading", "applied", "ready"]
    assert errors(caplog) == []


async def test_a_bad_configuration_is_not_applied_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    assert await reload(Loaded(None, [FAULT], [])) == ["reloading", "ready"]
    assert errors(caplog) == [("reload.fault", str(FAULT)), ("reload.refused", "")]
    assert [r.levelno for r in caplog.records] == [logging.ERROR] * 2


async def test_a_part_that_refuses_the_new_configuration_is_named(caplog: pytest.LogCaptureFixture) -> None:
    did = await reload(Loaded(Gateway(), [], []), refusal="the flow has no end")
    assert did == ["reloading", "applied", "ready"]
    assert errors(caplog) == [("reload.failed", "the flow has no end")]


async def test_a_second_signal_waits_for_the_first_to_be_done() -> None:
    did: list[str] = []
    gate = asyncio.Event()

    async def apply(new: Gateway) -> None:
        did.append("begun")
        await gate.wait()
        did.append("done")

    reload = Reload(read=lambda: Loaded(Gateway(), [], []), apply=apply, systemd=FakeSystemd([]))
    signals = [asyncio.create_task(reload.run()) for _ in range(2)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*signals)
    assert did == ["begun", "done"] * 2


@pytest.mark.parametrize(
    ("new", "sections"),
    [
        (Gateway(), []),
        (Gateway(services={"alerts": Service(name="Alerts", assets=[])}), []),
        (Gateway(smpp=Smpp(binds={"north": Bind(host="h", system_id="s")})), []),
        (Gateway(log=Log(level="debug")), ["log"]),
        (Gateway(smpp=Smpp(listen=Listen())), []),
        (
            Gateway(store=Store(queue=7), http=Http(queue=7), state_directory="elsewhere"),
            ["store", "http", "state_directory"],
        ),
    ],
)
def test_what_only_a_restart_takes_up(new: Gateway, sections: list[str]) -> None:
    assert needs_restart(Gateway(), new) == sections


def test_binds_that_went_came_or_changed() -> None:
    north = Bind(host="north.example", system_id="us")
    old: Mapping[str, Bind] = {"same": north, "gone": north, "changed": north}
    new = {"new": north, "changed": replace(north, window=2), "same": replace(north)}
    assert changed_binds(old, new) == (["gone", "changed"], ["new", "changed"])
