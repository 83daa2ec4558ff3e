from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.config.model import Moment, Secret, Service
from gateway.http.auth import Keys
from gateway.values.service_key import hashed

if TYPE_CHECKING:
    from conftest import Api

HELLO = {"to": "+447700900123", "text": "Hello"}


@pytest.fixture(params=["front", "aiohttp"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("key", "code"),
    [("", "no_key"), ("wrong", "unknown_key"), ("ALERTS-KEY", "unknown_key"), ("é", "unknown_key")],
)
async def test_missing_and_wrong_keys_are_401(key: str, code: str, api: Api) -> None:
    for path in ("/v2/messages", "/v2/messages/batch"):
        status, body, _ = await api.post(path, HELLO, key=key)
        assert (status, body["code"]) == (401, code)
    for path in ("/v2/messages", "/v2/messages/abc"):
        status, body = await api.get(path, key=key)
        assert (status, body["code"]) == (401, code)
    assert (await api.store.counts())["messages"] == 0


async def test_key_comes_before_the_body(api: Api) -> None:
    status, body, _ = await api.post("/v2/messages", b"nonsense", key="wrong")
    assert (status, body["code"]) == (401, "unknown_key")


def service(key: str) -> Service:
    return Service(name="S", key=Secret(key))


def test_each_key_names_its_service() -> None:
    keys = Keys({"a": service("one"), "b": service("two")})
    assert [keys.service(key) for key in ("one", "two", "three")] == ["a", "b", None]


def test_service_without_a_key_cannot_be_called_by_an_empty_one() -> None:
    assert Keys({"a": service("")}).service("") is None


def test_changed_keys_hold_at_once() -> None:
    services = {"a": service("one"), "b": service("two")}
    keys = Keys(services)
    assert keys.service("one") == "a"
    services["a"] = service("new")
    assert (keys.service("one"), keys.service("new")) == (None, "a")
    del services["b"]
    assert keys.service("two") is None
    services["c"] = service("three")
    assert keys.service("three") == "c"


def test_a_key_may_stand_there_as_its_hash() -> None:
    keys = Keys({"a": service(hashed("one"))})
    assert (keys.service("one"), keys.service(hashed("one"))) == ("a", None)


def test_the_key_before_holds_until_its_time_is_over() -> None:
    now = [99.0]
    one = Service(
        name="S", key=Secret(hashed("new")), previous_key=Secret("old"), previous_key_until=Moment(100.0)
    )
    keys = Keys({"a": one}, lambda: now[0])
    assert (keys.service("old"), keys.service("new")) == ("a", "a")
    now[0] = 100.0
    assert (keys.service("old"), keys.service("new")) == (None, "a")
    assert Keys({"a": one}, lambda: 100.0).service("old") is None
