import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import Result

from gateway.cli.api import Api
from gateway.cli.send import follow

ACCEPTED = {
    "type": "message.accepted",
    "at": "2026-11-23T14:05:09.120Z",
    "data": {"chain": "", "steps": ["sms"]},
}
SENT = {
    "type": "sms.status",
    "at": "2026-11-23T14:05:10.000Z",
    "data": {"status": "sent", "carrier": "north"},
}
DELIVERED = {"type": "sms.status", "at": "2026-11-23T14:05:11.000Z", "data": {"status": "delivered"}}


def state(status: str, *events: Any, final: bool = False) -> dict[str, Any]:
    return {"id": "m1", "status": status, "final": final, "events": list(events)}


class Daemon:
    """The Messaging API as far as `gateway send` goes; `states` are what GET gives, the last for ever."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.states = [state("delivered", ACCEPTED, DELIVERED, final=True)]
        self.asked = 0

    async def post(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append((request.headers["key"], body))
        if body["to"] == "1":
            return web.json_response(
                {"code": "bad_address", "field": "to", "reason": "no number"}, status=400
            )
        return web.json_response({"id": "m1", "transid": "m1", "status": "queued"}, status=202)

    async def get(self, request: web.Request) -> web.Response:
        assert request.headers["key"]
        found = self.states[min(self.asked, len(self.states) - 1)]
        self.asked += 1
        return web.json_response(found)


class Line:
    """The command line beside a daemon."""

    def __init__(self, daemon: Daemon, url: str, place: Any) -> None:
        self.daemon, self.url, self.place = daemon, url, place

    async def send(self, *arguments: str, **environ: str) -> Result:
        result = await asyncio.to_thread(
            self.place.run, "send", "--to", "+447700900001", *arguments, environ=environ
        )
        assert isinstance(result, Result)
        return result


@pytest.fixture
async def line(place: Any) -> AsyncIterator[Line]:
    daemon = Daemon()
    app = web.Application()
    app.add_routes([web.post("/v2/messages", daemon.post), web.get("/v2/messages/m1", daemon.get)])
    async with TestServer(app) as server:
        main = place.config.read_text().split("\n", 1)[1]
        place.write("gateway.toml", f'[http]\nlisten = "127.0.0.1:{server.port}"\n{main}')
        yield Line(daemon, str(server.make_url("")).rstrip("/"), place)


async def test_a_text_goes_out_with_the_service_s_key(line: Line) -> None:
    result = await line.send("--text", "Hello")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "m1 queued\n", "")
    assert line.daemon.requests == [("alerts-key", {"to": "+447700900001", "text": "Hello"})]


async def test_a_chain_with_its_variables(line: Line) -> None:
    await line.send("--chain", "alert", "--var", "what=41 C = hot", "--var", "x=", "--from", "12345")
    assert line.daemon.requests[0][1] == {
        "to": "+447700900001",
        "from": "12345",
        "chain": "alert",
        "variables": {"what": "41 C = hot", "x": ""},
    }


async def test_following_prints_each_step(line: Line) -> None:
    result = await line.send("--template", "hot", "--wait")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "m1 queued",
        "14:05:09.120  Accepted: sms.",
        "14:05:11.000  The message is now delivered.",
    ]


async def test_each_step_is_printed_once(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line.daemon.states = [
        state("queued", ACCEPTED),
        state("sent", ACCEPTED, SENT),
        state("sent", ACCEPTED, SENT),
        state("delivered", ACCEPTED, SENT, DELIVERED, final=True),
    ]
    async with Api(line.url, "k") as api:
        message = await follow(api, "m1", timeout=60, poll_seconds=0)
    assert message["status"] == "delivered"
    assert [text.split("  ")[1] for text in capsys.readouterr().out.splitlines()] == [
        "Accepted: sms.",
        "The message is now sent by north.",
        "The message is now delivered.",
    ]


async def test_a_message_that_failed_exits_with_1(line: Line) -> None:
    line.daemon.states = [state("failed", ACCEPTED, final=True)]
    result = await line.send("--text", "x", "--wait")
    assert (result.exit_code, result.stderr) == (1, "")


async def test_a_message_that_takes_too_long(line: Line) -> None:
    line.daemon.states = [state("sent", ACCEPTED)]
    result = await line.send("--text", "x", "--wait", "--timeout", "0")
    assert result.exit_code == 1
    assert result.stderr == "Error: still sent after 0 s; gateway why m1\n"


async def test_as_json(line: Line) -> None:
    assert json.loads((await line.send("--text", "x", "--json")).stdout)["status"] == "queued"
    result = await line.send("--text", "x", "--json", "--wait")
    assert json.loads(result.stdout) == line.daemon.states[0]


async def test_what_the_gateway_refuses(line: Line) -> None:
    result = await line.send("--to", "1", "--text", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: to: no number (400 bad_address)\n"


@pytest.mark.parametrize("arguments", [(), ("--text", "x", "--chain", "alert"), ("--text", "")])
async def test_exactly_one_thing_to_say(line: Line, arguments: tuple[str, ...]) -> None:
    result = await line.send(*arguments)
    assert result.exit_code == 2
    assert "say exactly one of --text, --template and --chain" in result.stderr
    assert line.daemon.requests == []


@pytest.mark.parametrize("written", ["what", "=x"])
async def test_a_variable_without_a_value(line: Line, written: str) -> None:
    result = await line.send("--chain", "alert", "--var", written)
    assert result.exit_code == 2
    assert f"--var {written}: write it as NAME=VALUE" in result.stderr


async def test_the_service_that_can_is_meant(line: Line) -> None:
    line.place.write("services/quiz.toml", 'name = "Quiz"\nkey = "quiz-key"\ntemplates.won.text = "Won!"')
    assert "add --service alerts or --service quiz" in (await line.send("--text", "x")).stderr
    await line.send("--text", "x", "--service", "quiz")
    await line.send("--template", "won")
    await line.send("--chain", "alert")
    assert [key for key, _ in line.daemon.requests] == ["quiz-key", "quiz-key", "alerts-key"]


async def test_no_service_can(line: Line) -> None:
    result = await line.send("--template", "won")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no service has a key and the template won" in result.stderr
    assert "the service pizza has no key" in (await line.send("--text", "x", "--service", "pizza")).stderr
    assert "no service is named 'x'" in (await line.send("--text", "x", "--service", "x")).stderr


async def test_a_key_that_only_the_daemon_can_read_is_given(line: Line) -> None:
    line.place.write("services/alerts.toml", 'name = "Alerts"\nkey = "$credential:alerts-key"')
    refused = await line.send("--text", "x", CREDENTIALS_DIRECTORY="")
    assert refused.exit_code == 1
    assert "give it as --key or in GATEWAY_KEY" in refused.stderr
    await line.send("--text", "x", "--key", "k1")
    await line.send("--text", "x", "--service", "alerts", GATEWAY_KEY="k2")
    assert [key for key, _ in line.daemon.requests] == ["k1", "k2"]


async def test_no_gateway_runs(line: Line) -> None:
    line.place.write("gateway.toml", '[http]\nlisten = "127.0.0.1:9"\n')
    line.place.write("services/alerts.toml", 'name = "Alerts"\nkey = "k"')
    line.place.write("services/pizza.toml", 'name = "Pizza"')
    result = await line.send("--text", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no gateway answers at http://127.0.0.1:9" in result.stderr
