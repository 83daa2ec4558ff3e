"""Second thoughts about messages, on the outbound spine alone; tests/inbound/test_stored.py has the PDUs."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.outbound.accept import CANCELLED, Change
from gateway.outbound.control import Control
from gateway.values.errors import StoreError
from gateway.values.message import StepState
from gateway.values.outcome import Result, Status

Gate = Any


@pytest.fixture
def control(gate: Gate) -> Control:
    return Control(store=gate.store, clock=gate.clock, timers=gate.timers, pipeline=gate.pipeline)


async def test_a_chain_that_is_taken_back_tries_no_further_step(gate: Gate, control: Control) -> None:
    message = await gate.start_chain()
    assert await control.cancel(message.id, "no longer needed")
    stored = await gate.stored(message)
    assert (stored.status, stored.code, stored.reason) == (Status.FAILED, CANCELLED, "no longer needed")
    assert {step.state for step in stored.steps} == {StepState.SKIPPED}
    assert await gate.effects() == [] and await gate.store.timers() == []
    assert not await control.cancel(message.id, "again")


async def test_news_of_a_message_that_was_taken_back_changes_nothing(gate: Gate, control: Control) -> None:
    message = await gate.submit()
    assert await control.cancel(message.id, "")
    gate.tell(message, Result.ACCEPTED)
    await gate.quiet()
    assert (await gate.stored(message)).status is Status.FAILED


async def test_what_is_handed_over_stays(gate: Gate, control: Control) -> None:
    message = await gate.submit()
    await gate.begin(message)
    assert not await control.cancel(message.id, "")
    assert not await control.replace(message.id, Change(text="other"))
    assert (await gate.stored(message)).status is Status.QUEUED


async def test_a_chain_is_not_replaced(gate: Gate, control: Control) -> None:
    message = await gate.start_chain()
    assert not await control.replace(message.id, Change(text="other"))


async def test_a_message_that_is_not_there_cannot_be_changed(gate: Gate, control: Control) -> None:
    assert not await control.cancel("nobody", "")
    assert not await control.replace("nobody", Change())


async def test_a_change_that_the_store_refuses_is_none(gate: Gate, control: Control) -> None:
    message = await gate.submit()
    gate.store.refuses = "later"
    with pytest.raises(StoreError):
        await control.replace(message.id, Change(text="other"))
    gate.store.refuses = ""
    await gate.quiet()
    now = await gate.pipeline.load(message.id)
    assert now is not None and now.text == message.text
