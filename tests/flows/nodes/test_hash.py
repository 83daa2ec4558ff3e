from collections.abc import Callable
from typing import Any

import pytest

from gateway.flows.engine import Advance
from gateway.flows.inputs import EffectDone
from gateway.flows.nodes.hash import HashNode
from gateway.flows.word_effects import Seal

CASES: list[tuple[Any, Any, Any]] = [
    ("abc", "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "abc",
        "sha512",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a8"
        "36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    ("abc", "sha3_256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
    ("$(size)", "sha256", "08f271887ce94707da822d5263bae19d5519cb3614e0daedc4c7ce5dab7473f1"),
]


@pytest.mark.parametrize(("text", "algorithm", "digest"), CASES)
def test_a_hash_needs_nothing_from_outside(
    text: str, algorithm: str, digest: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    advance = play({"type": "hash", "text": text, "algorithm": algorithm})
    assert advance.effects == () and left(advance) == "success"
    assert advance.run.data["node.result"] == digest


@pytest.mark.parametrize(("outcome", "event"), [("success", "success"), ("error", "error")])
def test_one_with_a_secret_is_made_where_that_is_known(
    outcome: str, event: str, play: Callable[..., Advance], left: Callable[[Advance], str]
) -> None:
    done = EffectDone("run/1", outcome, {"result": "f00"})
    advance = play({"type": "hash", "text": "x", "secret": "partner"}, done)
    assert advance.effects == (Seal(key="run/1", how="sha256", secret="partner", text="x"),)
    assert left(advance) == event and advance.run.data["node.result"] == "f00"


def test_the_service_must_have_the_secret() -> None:
    assert HashNode(text="x", secret="partner").refers() == [("secret", "secret", "partner")]
    assert HashNode(text="x").refers() == []
