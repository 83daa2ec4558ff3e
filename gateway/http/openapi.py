"""/openapi.json: the API's description, made from the types that read and write it (OpenAPI 3.1); and
/flow-schema.json, that of the document of a flow (JSON Schema)."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from gateway import __version__
from gateway.flows import schema
from gateway.http.apps import DeviceIn, DeviceOut, Revoked
from gateway.http.auth import HEADER
from gateway.http.call_lists import ACTS, CallListOut
from gateway.http.calls import CallList, CallStory
from gateway.http.customers import ConsentIn, CustomerOut, Erased, ProfileIn
from gateway.http.events import EventsIn
from gateway.http.links import COUNTED_DAYS, LinksOut
from gateway.http.messaging import ChannelsV1, MessagingV1, StatusV1, TemplateV1
from gateway.http.models import (
    Accepted,
    BatchIn,
    BatchOut,
    MessageIn,
    MessageList,
    MessageStory,
    Refused,
)
from gateway.http.otp import CheckIn, CheckOut, OtpIn, OtpOut
from gateway.http.preview import PreviewIn, PreviewOut
from gateway.http.problem import JSON, ProblemBody
from gateway.http.v1 import V1Reply
from gateway.values.outcome import Status

_MODELS = (
    MessageIn,
    BatchIn,
    Accepted,
    Refused,
    BatchOut,
    MessageStory,
    MessageList,
    CallStory,
    CallList,
    CallListOut,
    PreviewIn,
    PreviewOut,
    CustomerOut,
    ProfileIn,
    ConsentIn,
    Erased,
    EventsIn,
    V1Reply,
    MessagingV1,
    ChannelsV1,
    TemplateV1,
    StatusV1,
    OtpIn,
    OtpOut,
    CheckIn,
    CheckOut,
    LinksOut,
    DeviceIn,
    DeviceOut,
    Revoked,
    ProblemBody,
)
Json = dict[str, Any]


def routes() -> list[web.RouteDef]:
    octets = msgspec.json.encode(document())

    async def openapi(request: web.Request) -> web.Response:
        return web.Response(body=octets, content_type=JSON)

    async def flow_schema(request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(schema.document()), content_type=JSON)

    return [web.get("/openapi.json", openapi), web.get("/flow-schema.json", flow_schema)]


def document() -> Json:
    _, components = msgspec.json.schema_components(_MODELS, ref_template="#/components/schemas/{name}")
    problems = {
        "400": "The input is wrong: code, field and reason say how",
        "401": "The key is missing or unknown",
        "503": "The store fails; Retry-After says when to try again",
    }
    reading = {**problems, "413": "The body is too large", "415": "The body is not JSON"}
    sending = {
        **reading,
        "403": "The service is suspended",
        "429": "Too much at once; Retry-After says when to try again",
    }
    id = _parameter("id", "path", {"type": "string"}, "the `id` or `transid` of a message")
    who = {**problems, "404": "That is no number"}
    editing = {**reading, "404": "That is no number"}
    listed = {**problems, "404": "The service has no such list, or it was never begun"}
    list_name = _parameter("name", "path", {"type": "string"}, "the name of a call list")
    number = _parameter("address", "path", {"type": "string"}, "the number of a customer")
    filters = [
        _parameter("status", "query", {"enum": [str(status) for status in Status]}, "has come to this"),
        _parameter("to", "query", {"type": "string"}, "went to this address"),
        _parameter("correlationid", "query", {"type": "string"}, "was given this id"),
        _parameter("direction", "query", {"enum": ["mt", "mo"]}, "to (mt) or from (mo) the customer"),
        _parameter("before", "query", {"type": "string"}, "older than the message of this id"),
        _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 500}, "messages in a page"),
    ]
    app = _parameter("app", "path", {"type": "string"}, "an app of the service")
    whose = _parameter("customer", "query", {"type": "string"}, "the number of the customer")
    call_id = _parameter("id", "path", {"type": "string"}, "the `transid` of a call")
    moment = {"type": "string", "format": "date-time"}
    call_filters = [
        _parameter("from", "query", {"type": "string"}, "came from this number; empty: from a withheld one"),
        _parameter("to", "query", {"type": "string"}, "went to this number"),
        _parameter("trunk", "query", {"type": "string"}, "came or went by this trunk"),
        _parameter("cause", "query", {"type": "string"}, "ended so: busy, caller-cancelled, ..."),
        _parameter("sip_call_id", "query", {"type": "string"}, "has this Call-ID"),
        _parameter("direction", "query", {"enum": ["in", "out"]}, "from (in) or to (out) the customer"),
        _parameter("state", "query", {"enum": ["ringing", "answered", "ended"]}, "is in this state"),
        _parameter("since", "query", moment, "began then or later"),
        _parameter("until", "query", moment, "began before"),
        _parameter("before", "query", {"type": "string"}, "older than the call of this id"),
        _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 500}, "calls in a page"),
    ]
    otp_id = _parameter("id", "path", {"type": "string"}, "the `id` of a one-time password")
    no_otp = {"404": "The service has no such one-time password"}
    not_now = {**sending, "429": "No code is sent now: reason says why, Retry-After until when"}
    batch = _operation("Send up to 1,000 messages", "202", BatchOut, sending, body=BatchIn)
    either = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in (ProblemBody, BatchOut)]
    batch["responses"]["400"] = {
        "description": "The body is wrong, or not one of its messages is right",
        "content": {JSON: {"schema": {"anyOf": either}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "trunkline Messaging API", "version": __version__},
        "paths": {
            "/v2/messages": {
                "post": _operation("Send a message", "202", Accepted, sending, body=MessageIn),
                "get": _operation("Search", "200", MessageList, problems, parameters=filters),
            },
            "/v2/messages/batch": {"post": batch},
            "/v2/messages/preview": {
                "post": _operation(
                    "How a text would go on air; nothing is sent", "200", PreviewOut, reading, body=PreviewIn
                )
            },
            "/v2/otp": {"post": _operation("Send a one-time password", "202", OtpOut, not_now, body=OtpIn)},
            "/v2/otp/{id}": {
                "get": _operation(
                    "What has become of it", "200", OtpOut, {**problems, **no_otp}, parameters=[otp_id]
                )
            },
            "/v2/otp/{id}/check": {
                "post": _operation(
                    "Check what the customer has entered",
                    "200",
                    CheckOut,
                    {**reading, **no_otp},
                    body=CheckIn,
                    parameters=[otp_id],
                )
            },
            "/v2/otp/{id}/resend": {
                "post": _operation(
                    "Send it again",
                    "202",
                    OtpOut,
                    {**not_now, **no_otp, "409": "It was used, or has expired"},
                    parameters=[otp_id],
                )
            },
            "/v2/links": {
                "get": _operation(
                    f"Smart links of the last {COUNTED_DAYS} days, by name", "200", LinksOut, problems
                )
            },
            "/v2/messages/{id}": {
                "get": _operation(
                    "A message with all that has happened to it",
                    "200",
                    MessageStory,
                    {**problems, "404": "The service has no such message"},
                    parameters=[id],
                )
            },
            "/v2/calls": {
                "get": _operation(
                    "Search the call detail records", "200", CallList, problems, parameters=call_filters
                )
            },
            "/v2/calls/{id}": {
                "get": _operation(
                    "A call with all that has happened because of it",
                    "200",
                    CallStory,
                    {**problems, "404": "The service has no such call"},
                    parameters=[call_id],
                )
            },
            "/v2/call-lists/{name}": {
                "get": _operation(
                    "How far a call list has come", "200", CallListOut, listed, parameters=[list_name]
                )
            },
            "/v2/call-lists/{name}/{act}": {
                "post": _operation(
                    "Begin, pause, go on with or end a call list",
                    "200",
                    CallListOut,
                    {**listed, "409": "That cannot be done to it now"},
                    parameters=[list_name, _parameter("act", "path", {"enum": list(ACTS)}, "what to do")],
                )
            },
            "/v2/customers/{address}": {
                "get": _operation(
                    "What is known of a customer", "200", CustomerOut, who, parameters=[number]
                ),
                "put": _operation(
                    "Replace the profile", "200", CustomerOut, editing, body=ProfileIn, parameters=[number]
                ),
                "patch": _operation(
                    "Change attributes", "200", CustomerOut, editing, body=ProfileIn, parameters=[number]
                ),
                "delete": _operation("Forget the profile", "200", Erased, who, parameters=[number]),
            },
            "/v2/customers/{address}/consent": {
                "put": _operation(
                    "Opt in or out", "200", CustomerOut, editing, body=ConsentIn, parameters=[number]
                )
            },
            "/v2/apps/{app}/devices": {
                "post": _operation(
                    "A token for one installation of the app",
                    "201",
                    DeviceOut,
                    {**reading, "404": "The service has no such app"},
                    body=DeviceIn,
                    parameters=[app],
                ),
                "delete": _operation(
                    "Take back the tokens of a customer's installations",
                    "200",
                    Revoked,
                    {**problems, "404": "The service has no such app"},
                    parameters=[app, whose],
                ),
            },
            "/v2/app": {
                "get": {
                    "summary": "The WebSocket of an installation",
                    "security": [{"token": []}],
                    "responses": {
                        "101": {"description": "JSON objects follow, one to a text frame"},
                        "401": _content(ProblemBody, "The token is missing, unknown or too old"),
                        "426": _content(ProblemBody, "The request does not ask for WebSocket"),
                        "503": _content(ProblemBody, "Too many apps are connected"),
                    },
                }
            },
            "/resources/v1/messaging": {
                "post": {
                    "summary": "Send, in the form of the platform that clients come from",
                    "security": [{"key": []}],
                    "requestBody": {"required": True, **_content(MessagingV1)},
                    "responses": {
                        "200": _content(V1Reply, "Code 1001 for each destination that was taken"),
                        "400": _content(V1Reply, "None was taken; the codes say why"),
                        "401": _content(V1Reply, "7001 the key is unknown, 7002 it is missing"),
                        "403": _content(V1Reply, "7005 the service is suspended"),
                        "413": _content(V1Reply, "7120 the message is too large"),
                        "429": _content(ProblemBody, "Too much at once; Retry-After says when to try again"),
                        "503": _content(ProblemBody, problems["503"]),
                    },
                }
            },
            "/resources/v1/messaging/status/{transid}": {
                "get": {
                    "summary": "What has become of it",
                    "security": [{"key": []}],
                    "parameters": [_parameter("transid", "path", {"type": "string"}, "of its answer")],
                    "responses": {
                        "200": {
                            "description": "An array of one",
                            "content": {
                                JSON: {
                                    "schema": {
                                        "type": "array",
                                        "items": {"$ref": "#/components/schemas/StatusV1"},
                                    }
                                }
                            },
                        },
                        "401": _content(V1Reply, "7001 the key is unknown, 7002 it is missing"),
                        "404": _content(V1Reply, "7004 the service has no such transaction"),
                    },
                }
            },
            "/resources/v1/events/externalevent": {
                "post": {
                    "summary": "Raise custom events",
                    "security": [{"key": []}],
                    "requestBody": {"required": True, **_content(EventsIn)},
                    "responses": {
                        "200": _content(V1Reply, "Code 1002 for each that was taken"),
                        "400": _content(V1Reply, "None was taken; the codes say why"),
                        "401": _content(V1Reply, "7001 the key is unknown, 7002 it is missing"),
                    },
                }
            },
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": HEADER},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(
    summary: str,
    status: str,
    result: type,
    problems: dict[str, str],
    *,
    body: type | None = None,
    parameters: list[Json] | None = None,
) -> Json:
    responses = {status: _content(result, summary)}
    responses |= {code: _content(ProblemBody, what) for code, what in problems.items()}
    operation: Json = {"summary": summary, "security": [{"key": []}], "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, **_content(body)}
    if parameters:
        operation["parameters"] = parameters
    return operation


def _content(model: type, description: str = "") -> Json:
    content: Json = {"content": {JSON: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}}
    return content | ({"description": description} if description else {})


def _parameter(name: str, where: str, schema: Json, description: str) -> Json:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": schema,
        "description": description,
    }
