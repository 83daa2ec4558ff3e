from __future__ import annotations

from gateway.values.errors import BadAddress, BadInput, GatewayError, StoreError, StoreUnusable, Throttled


def test_bad_input_names_the_field() -> None:
    error = BadInput("is empty", field="to", code="empty")
    assert (str(error), error.reason, error.field, error.code) == ("to: is empty", "is empty", "to", "empty")
    assert str(BadInput("is empty")) == "is empty" and BadInput("x").code == "invalid"
    assert BadAddress("no number").code == "bad_address"


def test_the_class_tells_whether_to_try_again() -> None:
    again = {e.__name__ for e in (BadInput, BadAddress, Throttled, StoreError, StoreUnusable) if e.retryable}
    assert again == {"Throttled", "StoreError"}
    assert all(issubclass(e, GatewayError) for e in (BadInput, Throttled, StoreError, StoreUnusable))
    assert Throttled("slowly", wait_seconds=2.5).wait_seconds == 2.5
