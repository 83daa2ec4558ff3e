import pytest

from simulators.sip_handset import BadBehaviour, Behaviour, number_key


@pytest.mark.parametrize(
    ("text", "behaviour"),
    [
        ("answer", Behaviour("answer", ring=1.0, talk=10.0, hangup="callee")),
        (
            "answer:ring=0,talk=2.5,hangup=caller,digits=12#,play=silence",
            Behaviour("answer", talk=2.5, hangup="caller", digits="12#", play="silence"),
        ),
        (
            "answer:early=tone,greeting=0.8,digits=1,after=3",
            Behaviour("answer", 1.0, "tone", greeting=0.8, digits="1", after=3.0),
        ),
        ("machine", Behaviour("machine", 1.0, talk=30.0, greeting=5.0, play="silence")),
        ("forward:to=+447700900124", Behaviour("forward", to="+447700900124")),
        ("busy:ring=2,early=speech", Behaviour("busy", 2.0, "speech")),
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
        "answer:early=music",
        "busy:early=tone",
        "machine:play=tone",
        "forward",
        "forward:to=a b",
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


def test_a_machine_beeps_when_it_has_spoken() -> None:
    assert Behaviour.parse("machine:greeting=4").greets == [("speech", 4.0), ("beep", 0.4)]
    assert Behaviour.parse("answer:greeting=0.8").greets == [("speech", 0.8)]


def test_numbers_are_the_same_with_and_without_plus() -> None:
    assert number_key("+447700900123") == number_key("447700900123")
