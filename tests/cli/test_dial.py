from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.cli import dial
from gateway.values.dial import DialEntry, DialList
from gateway.values.work import Run

AT = 1_795_442_709.12  # 2026-11-23 14:05:09
PROGRESS = {
    "name": "reminder",
    "state": "running",
    "reason": "",
    "total": 4,
    "waiting": 1,
    "calling": 0,
    "answered": 2,
    "failed": 0,
    "in_doubt": 0,
    "skipped": 1,
}
LIST = """
name = "Clinic"
key = "clinic-key"
assets = ["+442079460000"]
[call_lists.reminder]
file = "people.csv"
flow = "remind"
[flows.remind]
start = "say"
[flows.remind.nodes.say]
type = "say"
text = "Hello"
on = { done = "end", error = "end" }
"""


@pytest.fixture
def clinic(place: Any) -> Any:
    place.write("services/people.csv", "number\n")
    place.write("services/clinic.toml", LIST)
    return place


@pytest.fixture
async def asked(clinic: Any) -> AsyncIterator[list[str]]:
    """A gateway whose list is done when it is asked for the second time; what it was asked."""
    heard: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(f"{request.method} {request.path} {request.headers['key']}")
        if "nothing" in request.path:
            return web.json_response({"code": "unknown_list", "reason": "no such list"}, status=404)
        state = "done" if len(heard) > 1 else "running"
        return web.json_response(PROGRESS | {"state": state})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        main = f"""\
            [http]
            listen = "127.0.0.1:{server.port}"
            [sip.trunks.east]
            host = "127.0.0.1"
            numbers = ["+442079460000"]
            [smpp.binds.north]
            host = "127.0.0.1"
            system_id = "gw"
            addresses = ["12345"]
            """
        clinic.write("gateway.toml", main)
        yield heard


@pytest.mark.parametrize("act", ["start", "pause", "resume", "stop"])
async def test_the_running_gateway_is_told_and_says_how_far_it_is(
    asked: list[str], clinic: Any, act: str
) -> None:
    result = await asyncio.to_thread(clinic.run, "dial", act, "reminder")
    assert result.exit_code == 0, result.output
    assert result.output == "reminder: running; of 4: 1 waiting, 2 answered, 1 skipped\n"
    assert asked == [f"POST /v2/call-lists/reminder/{act} clinic-key"]


async def test_progress_is_followed_to_the_end(
    asked: list[str], clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "_FOLLOW_SECONDS", 0.001)
    result = await asyncio.to_thread(
        clinic.run, "dial", "status", "reminder", "--service", "clinic", "--follow", "--json"
    )
    assert result.exit_code == 0
    assert asked == ["GET /v2/call-lists/reminder clinic-key"] * 2
    assert '"state": "running"' in result.output and '"state": "done"' in result.output


async def test_what_the_gateway_refuses_is_an_error(asked: list[str], clinic: Any) -> None:
    result = await asyncio.to_thread(clinic.run, "dial", "start", "nothing", "--service", "clinic")
    assert result.exit_code == 1 and "no such list" in result.output


def test_a_list_that_nobody_has_is_an_error(clinic: Any) -> None:
    result = clinic.run("dial", "start", "nothing")
    assert result.exit_code == 1
    assert "no service has a call list 'nothing' (there are: clinic/reminder)" in result.output


def test_what_became_of_each_is_reported(clinic: Any) -> None:
    plain = {"list": "l1", "updated_at": AT}
    run = {"service": "clinic", "flow": "remind", "version": "v", "customer": "", "number": ""}
    clinic.fill(
        [
            DialList(id="l1", service="clinic", name="reminder", state="done", created_at=AT, updated_at=AT),
            DialEntry(position=1, number="+1", state="answered", attempts=1, message="m1", run="r1", **plain),
            DialEntry(position=2, number="+2", state="failed", reason="busy", attempts=3, **plain),
            DialEntry(position=3, number="+3", reason="no-answer", due=AT, attempts=1, **plain),
            Run(id="r1", **run, state="ended", result=7, created_at=AT, updated_at=AT),
        ]
    )
    told = json.loads(clinic.run("dial", "report", "reminder", "--json").output)
    assert [(one["number"], one["state"], one["attempts"], one["result"]) for one in told] == [
        ("+1", "answered", 1, 7),
        ("+2", "failed", 3, None),
        ("+3", "waiting", 1, None),
    ]
    assert told[2]["next"] == "2026-11-23T14:05:09.120Z" and told[1]["next"] == ""
    [failed] = csv.DictReader(
        clinic.run("dial", "report", "reminder", "--state", "failed", "--csv").output.splitlines()
    )
    assert (failed["number"], failed["reason"]) == ("+2", "busy")
    assert "+1" in clinic.run("dial", "report", "reminder").output
    assert clinic.run("dial", "report", "reminder", "--csv", "--json").exit_code == 2


def test_a_list_that_was_never_begun_has_no_report(clinic: Any) -> None:
    clinic.fill()
    result = clinic.run("dial", "report", "reminder")
    assert result.exit_code == 1 and "was never begun" in result.output
