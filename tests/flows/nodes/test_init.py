from importlib.metadata import EntryPoint
from typing import Any

import pytest

from gateway.flows import nodes
from gateway.flows.nodes.base import Node


class Dice(Node, frozen=True, kw_only=True):
    type = "dice"
    events = ("done",)


class Fake(Node, frozen=True, kw_only=True):
    type = "set"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*names: str) -> None:
        found = [EntryPoint(name, f"{__name__}:{name}", "gateway.nodes") for name in names]
        monkeypatch.setattr(nodes, "entry_points", lambda group: found)
        monkeypatch.setattr(EntryPoint, "load", lambda entry: globals()[entry.name])

    return install


def test_another_package_brings_node_types_of_its_own(packages: Any) -> None:
    packages("Dice")
    assert nodes.local() == {"dice": Dice}


@pytest.mark.parametrize("name", ["Fake", "pytest"])
def test_what_is_no_node_type_of_its_own_is_refused(packages: Any, name: str) -> None:
    packages(name)
    with pytest.raises(TypeError, match="is no node type of its own"):
        nodes.local()
