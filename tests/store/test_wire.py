from __future__ import annotations

from typing import Any

import pytest

from gateway.store.base import PROGRESS, Delete, Progress
from gateway.store.rows import ADVANCE, TABLE_OF
from gateway.store.wire import decode, encode
from gateway.values.event import Event
from gateway.values.message import Message, StepPlan, StepRecord, StepState
from gateway.values.work import Effect, Timer

Records = Any


def test_a_record_arrives_as_its_row_and_key(records: Records) -> None:
    message = records.message(
        text="\u20ac \U0001f600",
        plan=(StepPlan("sms", "12345", text="x"),),
        steps=(StepRecord(StepState.TRYING, carrier="north"),),
        part_receipts=bytes(range(256)),
    )
    segment = records.segment("m1", receipt={"a": [1, 2.5, None, True]})
    for record in (message, segment):
        table = TABLE_OF[type(record)]
        row = table.row(record)
        assert decode(encode([record])) == [(table, table.key_of(row), row)]
        assert table.load(table.columns, row) == record


def test_an_event_is_appended(records: Records) -> None:
    [(table, key, row)] = decode(encode([records.event()]))
    assert (table, key) == (TABLE_OF[Event], None) and row is not None


def test_progress_arrives_as_the_columns_that_change(records: Records) -> None:
    message = records.message(steps=(StepRecord(StepState.SUCCEEDED, "accepted"),), carrier="north", step=0)
    [(advance, key, row)] = decode(encode([Progress(message)]))
    whole = dict(zip(TABLE_OF[Message].columns, TABLE_OF[Message].row(message), strict=True))
    assert advance is ADVANCE and key == (message.id,)
    assert row == (message.id, *(whole[column] for column in PROGRESS))


def test_a_delete_arrives_as_its_key() -> None:
    assert decode(encode([Delete(Timer, ("step", "m1"))])) == [(TABLE_OF[Timer], ("step", "m1"), None)]


def test_a_dict_that_changes_later_is_stored_as_it_was(records: Records) -> None:
    data = {"n": 1}
    octets = encode([records.event(data=data)])
    data["n"] = 2
    [(table, _, row)] = decode(octets)
    assert row is not None and table.load(table.columns, row).data == {"n": 1}  # type: ignore[union-attr]


def test_what_has_no_table_or_no_key_is_refused() -> None:
    with pytest.raises(LookupError):
        encode(["a string"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="no key"):
        encode([Delete(Effect, ())])
    with pytest.raises(ValueError, match="no key"):
        encode([Delete(Event, ())])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"text": object()}, TypeError),
        ({"text": "\ud83c"}, ValueError),
        ({"step": 1 << 70}, OverflowError),
    ],
)
def test_what_no_octets_can_say_is_refused(
    records: Records, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        encode([records.message(**fields)])


@pytest.mark.parametrize("fields", [{"text": None}, {"created_at": "yesterday"}, {"plan": "none"}])
def test_a_field_of_another_type_is_found_by_the_engine(records: Records, fields: dict[str, Any]) -> None:
    octets = encode([records.message(**fields)])
    with pytest.raises(ValueError, match="Expected"):
        decode(octets)
