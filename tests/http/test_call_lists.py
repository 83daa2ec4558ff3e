"""/v2/call-lists: who may steer which list, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.http.call_lists import ACTS
from gateway.http.openapi import document

if TYPE_CHECKING:
    from conftest import Api

PEOPLE = "number\n+447700900401\n+447700900402\nnobody\n"


@pytest.mark.parametrize(("act", "state"), [("start", "running"), ("pause", "paused"), ("stop", "stopped")])
async def test_a_list_is_steered_and_says_how_far_it_has_come(act: str, state: str, api: Api) -> None:
    api.people.write_text(PEOPLE)
    status, body, _ = await api.post("/v2/call-lists/reminder/start", {})
    if act != "start":
        status, body, _ = await api.post(f"/v2/call-lists/reminder/{act}", {})
    assert (status, body["name"], body["state"], body["total"], body["skipped"]) == (
        *(200, "reminder", state, 3, 1),
    )
    status, shown = await api.get("/v2/call-lists/reminder")
    assert (status, shown["state"], shown["id"]) == (200, state, body["id"])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "reminder", 404, "never_begun"),
        ("get", "nothing", 404, "unknown_list"),
        ("post", "nothing/start", 404, "unknown_list"),
        ("post", "reminder/pause", 409, "not_under_way"),
        ("post", "reminder/call", 404, "not_found"),
        ("post", "reminder/start", 400, "invalid"),
    ],
)
async def test_what_cannot_be_is_said(method: str, path: str, status: int, code: str, api: Api) -> None:
    path = f"/v2/call-lists/{path}"
    answer: tuple[Any, ...] = await (api.get(path) if method == "get" else api.post(path, {}))
    got, body = answer[:2]
    assert (got, body["code"]) == (status, code)


async def test_a_list_that_is_under_way_is_not_begun_again(api: Api) -> None:
    api.people.write_text(PEOPLE)
    await api.post("/v2/call-lists/reminder/start", {})
    status, body, _ = await api.post("/v2/call-lists/reminder/start", {})
    assert (status, body["code"]) == (409, "under_way")


async def test_only_the_service_itself_steers_its_lists(api: Api) -> None:
    status, _, _ = await api.post("/v2/call-lists/reminder/start", {}, key="wrong")
    assert status == 401


def test_the_description_names_the_acts() -> None:
    act = document()["paths"]["/v2/call-lists/{name}/{act}"]["post"]["parameters"][1]
    assert act["schema"] == {"enum": list(ACTS)}
