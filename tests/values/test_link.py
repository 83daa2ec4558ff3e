from __future__ import annotations

from gateway.values.link import variables


def test_each_name_stands_for_itself() -> None:
    assert variables(["offer", "terms"]) == {"link": {"offer": "$(link.offer)", "terms": "$(link.terms)"}}
    assert variables([]) == {}
