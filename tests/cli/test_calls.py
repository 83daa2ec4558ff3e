import csv
import json
from typing import Any

import pytest

from gateway.values.call import Call

AT = 1_795_442_709.12  # 2026-11-23 14:05:09
ANNE, BOB = "+447700900001", "+447700900002"


def ids(output: str) -> list[str]:
    return [line.split("\t")[-1] for line in output.splitlines()]


CALLS = [
    Call(
        id="c1",
        direction="in",
        service="callback",
        trunk="east",
        caller="",
        called="+442079460000",
        state="ended",
        cause="rejected-by-policy",
        status=486,
        started_at=AT,
        rung_at=AT,
        ended_at=AT + 2,
    ),
    Call(
        id="c2",
        direction="out",
        service="alerts",
        trunk="east",
        caller="+442079460000",
        called=ANNE,
        state="ended",
        cause="answered",
        status=200,
        message="m1",
        sip_call_id="7@east",
        step=2,
        started_at=AT + 10,
        rung_at=AT + 10,
        answered_at=AT + 13.5,
        ended_at=AT + 20,
    ),
    Call(
        id="c3",
        direction="out",
        service="alerts",
        trunk="east",
        caller="+442079460000",
        called=BOB,
        started_at=AT + 30,
    ),
]


def test_calls_with_their_durations(place: Any) -> None:
    place.fill(CALLS)
    assert place.run("calls").stdout.splitlines() == [
        f"2026-11-23 14:05:39\tout\t+442079460000\t{BOB}\tringing\t\t\t0.0\t0.0\teast\talerts\tc3",
        f"2026-11-23 14:05:19\tout\t+442079460000\t{ANNE}\tended\tanswered\t200\t3.5\t6.5\teast\talerts\tc2",
        "2026-11-23 14:05:09\tin\twithheld\t+442079460000\tended\trejected-by-policy\t486\t2.0\t0.0\teast\t"
        "callback\tc1",
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--limit", "1"], ["c3"]),
        (["--from", "withheld"], ["c1"]),
        (["--from", "00442079460000"], ["c3", "c2"]),
        (["--to", ANNE], ["c2"]),
        (["--trunk", "east", "--cause", "answered"], ["c2"]),
        (["--trunk", "west"], []),
        (["--direction", "in"], ["c1"]),
        (["--call-id", "7@east"], ["c2"]),
        (["--state", "ringing"], ["c3"]),
        (["--service", "alerts"], ["c3", "c2"]),
        (["--since", "2026-11-23T14:05:15"], ["c3", "c2"]),
        (["--since", "2026-11-23T15:05:15+01:00", "--until", "2026-11-23T14:05:30Z"], ["c2"]),
        (["--until", "2026-11-23"], []),
        (["--since", "2h"], []),
    ],
)
def test_calls_are_found_by_what_is_known_of_them(place: Any, options: list[str], found: list[str]) -> None:
    place.fill(CALLS)
    result = place.run("calls", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert ids(result.stdout) == found


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--since", "yesterday"], "'yesterday' is no time; write"),
        (["--from", "+1"], "neither an E.164 number"),
        (["--json", "--csv"], "--csv and --json exclude each other"),
    ],
)
def test_what_cannot_be_searched(place: Any, options: list[str], reason: str) -> None:
    result = place.run("calls", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr


def test_calls_as_json_have_every_field(place: Any) -> None:
    place.fill(CALLS)
    found = json.loads(place.run("calls", "--json").stdout)
    assert [(c["transid"], c["ring_ms"], c["duration_ms"], c["billable_seconds"]) for c in found] == [
        ("c3", 0, 0, 0),
        ("c2", 3500, 6500, 7),
        ("c1", 2000, 0, 0),
    ]
    assert (found[0]["answered"], found[0]["ended"]) == (None, None)
    assert found[1]["answered"] == "2026-11-23T14:05:22.620Z"
    fields = set(Call.__struct_fields__) - {"id", "caller", "called", "step"}
    told = {"transid", "from", "to", "ring_ms", "duration_ms", "billable_seconds"}
    assert set(found[0]) == {name.removesuffix("_at") for name in fields} | told


def test_calls_as_csv(place: Any) -> None:
    place.fill([*CALLS, Call(**{**as_fields(CALLS[1]), "id": "c4", "reason": '=HYPERLINK("x"), y'})])
    lines = list(csv.DictReader(place.run("calls", "--csv").stdout.splitlines()))
    assert [line["transid"] for line in lines] == ["c3", "c4", "c2", "c1"]
    assert (lines[2]["from"], lines[2]["billable_seconds"], lines[2]["status"]) == (
        "+442079460000",
        "7",
        "200",
    )
    assert lines[1]["reason"] == """'=HYPERLINK("x"), y"""


def as_fields(call: Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in call.__struct_fields__}
