import pytest
from msgspec.structs import replace

from gateway.flows import run as runs
from gateway.flows.inputs import EffectDone, Input, MessageIn, Start, TimeUp
from gateway.rules import variables

START = Start(
    run_id="run",
    service="pizza",
    customer="+447700900123",
    number="12345",
    variables=variables.sms(sender="+447700900123", recipient="12345", text="ORDER") | {"size": "M"},
)
RUN = runs.begin(START, flow="order", version="0123456789ab", now=1000.0)


def test_a_session_begins_with_its_event_itself_and_its_customer_in_its_data() -> None:
    assert RUN.data["sms.text"] == "ORDER"
    assert RUN.data["size"] == "M"
    assert RUN.data["session.id"] == "run"
    assert RUN.data["customer.address"] == "+447700900123"
    assert RUN.data["service.name"] == "pizza"
    assert (RUN.created_at, RUN.state, RUN.result) == (1000.0, "working", -1)


def test_what_the_event_says_about_the_customer_is_not_overwritten() -> None:
    subject = variables.subject(service="pizza", customer="+447700900123", opted_out=True)
    start = replace(START, variables=subject)
    assert runs.begin(start, flow="order", version="v", now=0.0).data["customer.opted_out"] is True


@pytest.mark.parametrize(
    ("waiting", "due", "input", "wanted"),
    [
        ("message", 2000.0, MessageIn({}), True),
        ("delay", 2000.0, MessageIn({}), False),
        ("effect:run/1", 0.0, MessageIn({}), False),
        ("effect:run/1", 0.0, EffectDone("run/1", "success"), True),
        ("effect:run/2", 0.0, EffectDone("run/1", "success"), False),
        ("message", 2000.0, EffectDone("run/1", "success"), False),
        ("message", 1500.0, TimeUp(), True),
        ("message", 1500.1, TimeUp(), False),
        ("delay", 1000.0, TimeUp(), True),
        ("message", 0.0, TimeUp(), False),
        ("effect:run/1", 1000.0, TimeUp(), False),
    ],
)
def test_a_run_takes_only_what_it_waits_for(waiting: str, due: float, input: Input, wanted: bool) -> None:
    run = replace(RUN, state="waiting", waiting=waiting, due=due)
    assert isinstance(input, MessageIn | TimeUp | EffectDone)
    assert (runs.awaits(run, input, 1500.0) == "") is wanted


def test_the_inbox_keeps_the_ten_newest_messages() -> None:
    run = RUN
    for n in range(10):
        kept = runs.keep(run, {"n": n})
        assert kept.dropped is None
        run = kept.run
    kept = runs.keep(run, {"n": 10})
    assert kept.dropped == {"n": 0}
    assert [message["n"] for message in kept.run.inbox] == list(range(1, 11))
