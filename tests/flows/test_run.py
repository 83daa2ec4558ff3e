import pytest
from msgspec.structs import replace

from gateway.flows import run as runs
from gateway.flows.inputs import EffectDone, EventIn, Input, MessageIn, Start, TimeUp
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
        ("message custom.paid", 2000.0, MessageIn({}), True),
        ("message custom.paid", 2000.0, EventIn("custom.paid"), True),
        ("message custom.paid", 2000.0, EventIn("custom.pai"), False),
        ("message custom.paid", 1500.0, TimeUp(), True),
    ],
)
def test_a_run_takes_only_what_it_waits_for(waiting: str, due: float, input: Input, wanted: bool) -> None:
    run = replace(RUN, state="waiting", waiting=waiting, due=due)
    assert isinstance(input, MessageIn | EventIn | TimeUp | EffectDone)
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


def test_declared_variables_begin_with_their_defaults_and_what_is_given_wins() -> None:
    run = runs.begin(START, flow="order", version="v", now=0.0, defaults={"size": "S", "tries": 0})
    assert (run.data["size"], run.data["tries"]) == ("M", 0)


def test_data_may_be_so_large_and_no_larger() -> None:
    assert not runs.too_large({"a": "x" * (runs.LIMIT_DATA - 8)})
    assert runs.too_large({"a": "x" * runs.LIMIT_DATA})
