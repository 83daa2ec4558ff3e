from __future__ import annotations

from gateway.observe.health import CarrierState, health, readiness

NORTH = CarrierState(name="north", kind="bind", up=True, queued=3, outstanding=2)
EAST = CarrierState(name="east", kind="trunk", up=False, reason="no answer to REGISTER")


def test_healthy_process_says_ok() -> None:
    assert health([]) == (200, {"status": "ok"})


def test_faults_make_it_unhealthy_and_are_told() -> None:
    assert health(["the disk is full"]) == (503, {"status": "failing", "reasons": ["the disk is full"]})


def test_ready_lists_carriers_and_a_down_one_takes_nothing_from_readiness() -> None:
    status, body = readiness([], stopping=False, carriers=[NORTH, EAST])
    assert status == 200
    assert body["status"] == "ready"
    assert body["binds"] == [{"name": "north", "up": True, "reason": "", "queued": 3, "outstanding": 2}]
    assert body["trunks"] == [
        {"name": "east", "up": False, "reason": "no answer to REGISTER", "queued": 0, "outstanding": 0}
    ]


def test_store_trouble_ends_readiness() -> None:
    status, body = readiness(["the disk is full"], stopping=False, carriers=[])
    assert (status, body["status"], body["reasons"]) == (503, "failing", ["the disk is full"])


def test_stopping_ends_readiness() -> None:
    status, body = readiness([], stopping=True, carriers=[])
    assert (status, body["status"], body["reasons"]) == (503, "stopping", ["the gateway is stopping"])
