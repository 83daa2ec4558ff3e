import pytest

from simulators.sip_handset import BadBehaviour, Behaviour, number_key


@pytest.mark.parametrize(
    ("text", "behaviour"),
    [
        ("answer", Behaviour("answer", ring=1.0, talk=10.0, hangup="callee")),
        (
            "answer:ring=0,talk=2.5,hangup=caller,digits=12#,play=silence",
            Behaviour("answer", 0.0, 2.5, "caller", "12#", "silence"),
        ),
        ("busy", Behaviour("busy")),
        ("reject:ring=2", Behaviour("reject", ring=2.0)),
        ("unreachable", Behaviour("unreachable")),
        ("no-answer", Behaviour("no-answer")),
        ("silent", Behaviour("silent")),
    ],
)
def test_behaviours_are_read(text: str, behaviour: Behaviour) -> None:
    assert Behaviour.parse(text) == behaviour


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sleep",
        "busy:talk=1",
        "silent:ring=1",
        "answer:ring=-1",
        "answer:ring=nan",
        "answer:talk=x",
        "answer:hangup=me",
    ],
)
def test_unknown_behaviours_are_refused(text: str) -> None:
    with pytest.raises(BadBehaviour):
        Behaviour.parse(text)


def test_refusals_have_their_status() -> None:
    statuses = [
        Behaviour.parse(kind).status for kind in ("busy", "reject", "unreachable", "answer", "silent")
    ]
    assert statuses == [486, 603, 480, None, None]


def test_numbers_are_the_same_with_and_without_plus() -> None:
    assert number_key("+447700900123") == number_key("447700900123")
