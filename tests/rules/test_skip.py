from __future__ import annotations

import pytest

from gateway.config.model import Chain, Service, Step
from gateway.rules import variables
from gateway.rules.skip import faults, skipped
from gateway.values.message import Message, StepPlan, StepRecord, StepState

SUBJECT = variables.subject(service="alerts", customer="+447700900001", opted_out=False)


def message(*records: StepRecord) -> Message:
    return Message(
        id="m1",
        direction="mt",
        service="alerts",
        sender="12345",
        recipient="+447700900001",
        chain="alert",
        plan=(StepPlan(channel="voice"), StepPlan(channel="sms")),
        steps=records or (StepRecord(), StepRecord()),
        created_at=0.0,
        updated_at=0.0,
    )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('variables.level == "low"', True),
        ('variables.level == "high"', False),
        ('previous.result == "busy" && previous.channel == "voice" && previous.carrier == "east"', True),
        ('message.to.startsWith("+44") && message.chain == "alert"', True),
        ("customer.opted_out", False),
        ('service.name == "alerts"', True),
        ("variables.missing == 1", False),
    ],
)
def test_a_step_is_left_out_where_its_condition_holds(condition: str, holds: bool) -> None:
    step = StepPlan(channel="sms", skip_when=condition, variables={"level": "low"})
    tried = StepRecord(state=StepState.FAILED, result="busy", carrier="east", started_at=1.0)
    reason = skipped(message(tried, StepRecord()), step, SUBJECT)
    assert reason == (f"skip_when holds: {condition}" if holds else "")


def test_before_the_first_step_there_is_no_result() -> None:
    step = StepPlan(channel="sms", skip_when='previous.result == ""')
    assert skipped(message(), step, SUBJECT)


def test_a_condition_that_does_not_parse_is_a_finding() -> None:
    steps = [Step(channel="sms"), Step(channel="sms", skip_when="1 +")]
    services = {"alerts": Service(name="Alerts", chains={"alert": Chain(steps=steps)})}
    [fault] = faults(services)
    assert fault.path == "services.alerts.chains.alert.steps[1].skip_when"


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ('variabels.level == "low"', 'a step has nothing called "variabels"; did you mean "variables"?'),
        ('previous.resolt == "busy"', 'a step has no "previous.resolt"; did you mean "result"?'),
    ],
)
def test_a_name_that_was_mistyped_and_would_leave_nothing_out_is_found(condition: str, what: str) -> None:
    service = Service(name="S", chains={"c": Chain(steps=[Step(channel="sms", skip_when=condition)])})
    found = [(fault.path, fault.what) for fault in faults({"s": service})]
    assert found == [("services.s.chains.c.steps[0].skip_when", what)]
