from typing import Any

from gateway.cli.journal import HIDDEN, Veil, journal_of
from gateway.content.journal import Journal
from gateway.values.event import Event
from gateway.values.work import Run


def test_the_secret_is_that_of_the_configuration_or_of_the_state_directory(place: Any) -> None:
    event = Event(ref="r", type="log", service="s", at=1.0, data={"value": "x"})
    stored = Journal("k" * 64, lambda n: bytes(n)).packed([event])
    place.fill()
    assert journal_of(str(place.config)).unpacked([stored])[0].data == {}
    (place.store.parent / "secret.key").write_text("k" * 64)
    assert journal_of(str(place.config)).unpacked([stored]) == [event]


def test_what_secret_variables_hold_is_hidden_wherever_it_shows() -> None:
    run = Run(
        id="r",
        service="s",
        flow="f",
        version="v",
        customer="+1",
        number="1",
        data={"pin": "4711", "none": "", "answer.text": "4711"},
        created_at=1.0,
        updated_at=1.0,
    )
    started = Event(ref="r", type="session.started", service="s", at=1.0, data={"secrets": ["pin", "none"]})
    veil = Veil(run, [started])
    assert veil.text('wrote "4711"') == f'wrote "{HIDDEN}"'
    assert veil.value("pin", "4711") == veil.value("pin", "anything") == HIDDEN
    assert veil.value("x", {"a": ["4711", 4711, 5]}) == {"a": [HIDDEN, HIDDEN, 5]}
    assert Veil(run, []).text("4711") == "4711"
