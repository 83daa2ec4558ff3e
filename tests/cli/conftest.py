"""A configuration with a store beside it, and the command line as a person runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store.base import Write
from gateway.store.sqlite import SqliteStore

SERVICES = {
    "alerts": """\
        name = "Alerts"
        key = "alerts-key"
        assets = ["12345", "+442079460000"]
        templates.hot.text = "It is hot: $(what)"
        [[chains.alert.steps]]
        channel = "sms"
        template = "hot"
        """,
    "pizza": """\
        name = "Pizza"
        assets = ["12345"]
        [keywords.ORDER]
        flow = "order"
        [rules.cold]
        on = "sms.received"
        when = 'sms.text.contains("cold")'
        do = [{ reply = "Sorry!" }, { notify = "http://127.0.0.1/cold" }]
        [flows.order]
        start = "ask"
        [flows.order.nodes.ask]
        type = "send-sms"
        text = "Which size?"
        on = { success = "answer", error = "end:102" }
        [flows.order.nodes.answer]
        type = "receive"
        timeout = "10m"
        on = { message = "ask", timeout = "end" }
        """,
}


MAIN = """\
    [smpp.binds.north]
    host = "127.0.0.1"
    system_id = "gw"
    addresses = ["12345"]
    [sip.trunks.east]
    host = "127.0.0.1"
    numbers = ["+442079460000"]
    """


class Place:
    """A folder with conf/gateway.toml, services and state/gateway.db."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "conf" / "gateway.toml"
        self.store = folder / "state" / "gateway.db"
        (folder / "conf" / "services").mkdir(parents=True)
        self.write("gateway.toml", MAIN)
        for name, text in SERVICES.items():
            self.write(f"services/{name}.toml", text)

    def write(self, name: str, text: str) -> None:
        """gateway.toml always names the state directory of this place."""
        head = f'state_directory = "{self.folder / "state"}"\n' if name == "gateway.toml" else ""
        (self.folder / "conf" / name).write_text(head + dedent(text))

    def fill(self, records: Sequence[Write] = ()) -> None:
        async def filled() -> None:
            store = SqliteStore(self.store)
            await store.open()
            if records:
                await store.commit(records)
            await store.close()

        asyncio.run(filled())

    def run(self, *arguments: str, environ: dict[str, str] | None = None, input: str = "") -> Result:
        """Run `gateway ARGUMENTS -c CONFIG`."""
        environ = {"STATE_DIRECTORY": "", "GATEWAY_KEY": "", **(environ or {})}
        return CliRunner(env=environ).invoke(main, [*arguments, "-c", str(self.config)], input=input)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


Gateway = Callable[..., Result]


@pytest.fixture
def gateway() -> Gateway:
    """Run `gateway ARGUMENTS`."""
    return lambda *arguments: CliRunner().invoke(main, arguments)
