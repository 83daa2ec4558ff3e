import pytest

from gateway.config.model import Integration, Service
from gateway.config.shape import Reader
from gateway.flows import engine
from gateway.flows.definition import BadFlow, bundled, read, version
from gateway.flows.effects import HttpRequest
from gateway.flows.inputs import EffectDone, Start

CRM = {
    "crm": {
        "url": "https://crm.example/api/",
        "auth": "crm",
        "headers": {"X-App": "flows"},
        "methods": {
            "lookup": {
                "path": "/customers/$(msisdn)",
                "inputs": ["msisdn"],
                "map": {"name": "$.customer.name"},
                "outcomes": [{"when": "status == 404", "event": "unknown"}],
                "retries": 2,
            }
        },
    }
}
NODE = {
    "type": "crm.lookup",
    "with": {"msisdn": "$(customer.address)"},
    "on": {"success": "hello", "unknown": "end:4", "error": "end:5"},
}
FLOW = {"start": "who", "nodes": {"who": NODE, "hello": {"type": "end", "reason": "$(who.name)"}}}
ASKED = HttpRequest(
    key="run/1",
    method="GET",
    url="https://crm.example/api/customers/%2B447700900123",
    headers={"X-App": "flows"},
    body="{}",
    auth="crm",
    retries=2,
)

# status, body -> the result of the session and its reason
CASES: list[tuple[int, str, int, str]] = [
    (200, '{"customer": {"name": "Ann"}}', 0, "Ann"),
    (200, "{}", 0, ""),
    (404, "{}", 4, "who: unknown"),
    (500, "", 5, "who: error"),
    (0, "", 5, "who: timeout"),
]


@pytest.mark.parametrize(("status", "body", "result", "reason"), CASES)
def test_a_method_is_a_node_of_its_own(status: int, body: str, result: int, reason: str) -> None:
    flow = read("f", FLOW | {"integrations": CRM})
    began = Start(run_id="run", service="s", customer="+447700900123", number="12345")
    step = engine.start(flow, began, 1000.0)
    [effect] = step.effects
    assert isinstance(effect, HttpRequest)
    assert (effect.url, effect.headers["X-App"], effect.auth, effect.retries) == (
        ASKED.url,
        "flows",
        "crm",
        2,
    )
    event = "timeout" if status == 0 else "success"
    step = engine.advance(
        step.run, flow, EffectDone("run/1", event, {"status": status, "body": body}), 1001.0
    )
    assert (step.run.result, step.run.reason) == (result, reason)


def test_the_method_belongs_to_the_version_of_the_flow(integrations: dict[str, Integration]) -> None:
    whole = bundled(FLOW, integrations)
    assert set(whole["integrations"]) == {"crm"}
    assert read("f", whole).version == version(whole) != version(FLOW)


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(BadFlow, match=r'unknown type "crm\.lookup"'):
        read("f", FLOW)


@pytest.mark.parametrize(
    ("given", "what"), [({}, "msisdn is missing"), ({"msisdn": "1", "x": "2"}, "no such input")]
)
def test_its_inputs_are_checked(given: dict[str, str], what: str) -> None:
    nodes = FLOW["nodes"] | {"who": NODE | {"with": given}}  # type: ignore[operator]
    with pytest.raises(BadFlow, match=what):
        read("f", FLOW | {"nodes": nodes, "integrations": CRM})


@pytest.fixture
def integrations() -> dict[str, Integration]:

    reader = Reader(lambda written: written)
    service = reader.struct(Service, {"name": "s", "integrations": CRM | {"other": CRM["crm"]}}, "")
    assert reader.faults == []
    return service.integrations
