import json
from typing import Any

import pytest

from gateway.values.message import Message
from gateway.values.outcome import Status

AT = 1_795_442_709.12  # 2026-11-23 14:05:09
ANNE, BOB = "+447700900001", "+447700900002"


def message(id: str, **fields: Any) -> Message:
    plain: dict[str, Any] = {
        "direction": "mt",
        "service": "alerts",
        "sender": "12345",
        "recipient": ANNE,
        "created_at": AT,
        "updated_at": AT,
    }
    return Message(id=id, **plain | fields)


MESSAGES = [
    message("m1", text="two\nlines", status=Status.DELIVERED, carrier="north"),
    message(
        "m2", recipient=BOB, status=Status.FAILED, reason="no such number", code="11", correlationid="x-1"
    ),
    message("m3", direction="mo", service="pizza", sender=ANNE, recipient="12345", status=Status.HANDLED),
    message("m4", text="hi"),
]


def ids(output: str) -> list[str]:
    return [line.split("\t")[-1] for line in output.splitlines()]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], ["m4", "m3", "m2", "m1"]),
        (["--limit", "2"], ["m4", "m3"]),
        (["--status", "failed"], ["m2"]),
        (["--to", "00447700900001"], ["m4", "m1"]),
        (["--to", "+44 7700 900001", "--limit", "1"], ["m4"]),
        (["--from", ANNE], ["m3"]),
        (["--from", "12345", "--to", BOB], ["m2"]),
        (["--service", "pizza"], ["m3"]),
        (["--direction", "mo"], ["m3"]),
        (["--correlationid", "x-1"], ["m2"]),
        (["--correlationid", "x-2"], []),
    ],
)
def test_messages_are_found_newest_first(place: Any, options: list[str], found: list[str]) -> None:
    place.fill(MESSAGES)
    result = place.run("messages", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert ids(result.stdout) == found


def test_a_message_on_one_line(place: Any) -> None:
    place.fill(MESSAGES[:2])
    assert place.run("messages").stdout.splitlines() == [
        f"2026-11-23 14:05:09\tmt\t12345\t{BOB}\tfailed\t\talerts\t\tno such number\tm2",
        f"2026-11-23 14:05:09\tmt\t12345\t{ANNE}\tdelivered\tnorth\talerts\ttwo\\nlines\t\tm1",
    ]


def test_an_address_with_many_messages_the_other_way_is_searched_to_the_end(place: Any) -> None:
    replies = [message(f"n{n:04}", sender=ANNE, recipient="12345", direction="mo") for n in range(1200)]
    place.fill([*MESSAGES, *replies])
    assert ids(place.run("messages", "--to", ANNE).stdout) == ["m4", "m1"]


def test_messages_as_json_use_the_names_of_the_api(place: Any) -> None:
    place.fill(MESSAGES[1:2])
    assert json.loads(place.run("messages", "--json").stdout) == [
        {
            "transid": "m2",
            "direction": "mt",
            "service": "alerts",
            "from": "12345",
            "to": BOB,
            "text": "",
            "status": "failed",
            "final": True,
            "reason": "no such number",
            "code": "11",
            "carrier": "",
            "chain": "",
            "correlationid": "x-1",
            "session": "",
            "created": "2026-11-23T14:05:09.120Z",
            "updated": "2026-11-23T14:05:09.120Z",
        }
    ]


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        (["--status", "lost"], 2, "'lost' is not one of"),
        (["--to", "+1"], 2, "neither an E.164 number"),
        (["--limit", "0"], 2, "0 is not in the range"),
        ([], 1, "does not exist; start the gateway once"),
    ],
)
def test_what_cannot_be_searched(place: Any, options: list[str], status: int, reason: str) -> None:
    result = place.run("messages", *options)
    assert (result.exit_code, result.stdout) == (status, "")
    assert reason in result.stderr
