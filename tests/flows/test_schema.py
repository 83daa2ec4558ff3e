import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.flows.nodes import TYPES
from gateway.flows.schema import document

EXAMPLES = Path(__file__).parents[2] / "conf" / "services"


@pytest.fixture(scope="module")
def schema() -> Any:
    return Draft202012Validator(document())


def test_it_is_a_schema_and_knows_every_node_type() -> None:
    Draft202012Validator.check_schema(document())
    for name in TYPES:
        node = document()["$defs"][f"node:{name}"]
        assert node["description"].startswith(f"{name}:")
        assert {"type", "on", "enter", "leave"} <= set(node["properties"])


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: str(path.stem))
def test_the_examples_are_valid(file: Path, schema: Any) -> None:
    for flow in tomllib.loads(file.read_text()).get("flows", {}).values():
        assert list(schema.iter_errors(flow)) == []


@pytest.mark.parametrize(
    ("node", "what"),
    [
        ({"type": "receive", "timeot": "1m", "timeout": "1m"}, "'timeot' was unexpected"),
        ({"type": "receive"}, "'timeout' is a required property"),
        ({"type": "telepathy"}, "'telepathy' is not valid under any"),
        ({"type": "end", "code": "zero"}, "'zero' is not of type 'integer'"),
    ],
)
def test_what_is_wrong_is_found(node: dict[str, Any], what: str, schema: Any) -> None:
    errors = schema.iter_errors({"start": "a", "nodes": {"a": node}})
    assert any(what in error.message for error in errors)
