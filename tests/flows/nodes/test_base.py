import re
from pathlib import Path

import pytest

from gateway.flows.nodes import TYPES
from gateway.flows.nodes.base import Kind, Node


@pytest.mark.parametrize("name", TYPES)
def test_every_node_type_has_a_file_of_cases(name: str) -> None:
    module = TYPES[name].__module__.rsplit(".", 1)[1]
    cases = Path(__file__).with_name(f"test_{module}.py").read_text()
    assert re.search(r"^CASES: .+ = \[\n    .", cases, re.MULTILINE)
    assert re.search(r"^@pytest\.mark\.parametrize\(.+, CASES\)$", cases, re.MULTILINE)


@pytest.mark.parametrize("node", TYPES.values(), ids=str)
def test_an_event_that_need_not_be_wired_has_an_error_event_to_fall_back_to(node: type[Node]) -> None:
    assert set(node.optional) <= set(node.events)
    assert not node.optional or "error" in node.events


@pytest.mark.parametrize("node", TYPES.values(), ids=str)
def test_a_node_with_an_outward_act_waits_for_its_outcome_and_can_say_why_it_failed(node: type[Node]) -> None:
    if node.kind is not Kind.PURE:
        assert node.waits
        assert "error" in node.events
        assert "reason" in node.outputs


def test_module_and_type_carry_the_same_name() -> None:
    for name, node in TYPES.items():
        assert node.__module__.rsplit(".", 1)[1] == name.replace("-", "_")
