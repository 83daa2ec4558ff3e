from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway.content.smart_link import PATH
from gateway.flows import schema
from gateway.http import apps, call_lists, calls, customers, events, links, messages, messaging, otp, preview
from gateway.http.openapi import document

if TYPE_CHECKING:
    from conftest import Api


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


async def test_document_is_served_without_a_key(api: Api) -> None:
    status, body = await api.get("/openapi.json", key="")
    assert (status, body) == (200, document())


async def test_the_schema_of_flows_is_served_without_a_key(api: Api) -> None:
    status, body = await api.get("/flow-schema.json", key="")
    assert (status, body) == (200, schema.document())


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    found = set(references(whole))
    assert found
    for reference in found:
        name = reference.removeprefix("#/components/schemas/")
        assert name in whole["components"]["schemas"], reference


def _routes() -> list[web.RouteDef]:
    resources = apps, messages, messaging, calls, call_lists, preview, customers, events, otp, links
    routes = [route for resource in resources for route in resource.routes()]
    return [route for route in routes if not route.path.startswith(PATH)]  # smart links are no API


def test_every_route_of_the_api_is_described_and_no_other() -> None:
    described = {(path, method.upper()) for path, item in document()["paths"].items() for method in item}
    assert described == {(route.path.rstrip("/"), route.method) for route in _routes()}


def test_path_parameters_are_declared() -> None:
    for path, item in document()["paths"].items():
        for operation in item.values():
            declared = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


def test_schema_says_what_the_reader_accepts() -> None:
    schema = document()["components"]["schemas"]["MessageIn"]
    assert schema["required"] == ["to"]
    assert schema["additionalProperties"] is False
    assert "from" in schema["properties"]
    assert schema["properties"]["correlationid"]["maxLength"] == 50
    batch = document()["components"]["schemas"]["BatchIn"]["properties"]["messages"]
    assert (batch["maxItems"], batch["items"]) == (1000, {"$ref": "#/components/schemas/MessageIn"})
    items = document()["components"]["schemas"]["BatchOut"]["properties"]["messages"]["items"]
    assert [item["$ref"].rpartition("/")[2] for item in items["anyOf"]] == ["Accepted", "Refused"]


async def test_answers_have_the_described_fields(api: Api) -> None:
    schemas = document()["components"]["schemas"]
    _, accepted, _ = await api.post("/v2/messages", {"to": "+447700900123", "text": "Hi"})
    assert set(accepted) == set(schemas["Accepted"]["properties"])
    _, story = await api.get(accepted["links"]["self"])
    assert set(story) == set(schemas["MessageStory"]["properties"])
    _, refused, _ = await api.post("/v2/messages/batch", {"messages": [{"to": "?", "text": "Hi"}]})
    [item] = refused["messages"]
    assert set(item) <= set(schemas["Refused"]["properties"])
