from __future__ import annotations

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.values.ids import first_id, message_of, part_id, uuid7


def test_the_example_of_the_standard() -> None:
    # RFC 9562 appendix A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    assert uuid7(0x017F22E279B0, 0xCC3 << 68 | 0x18C4DC0C0C07398F) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1))
def test_version_variant_and_time_are_where_they_belong(milliseconds: int, randomness: int) -> None:
    value = UUID(uuid7(milliseconds, randomness))
    assert value.version == 7 and value.variant == RFC_4122
    assert value.int >> 80 == milliseconds


def test_ids_sort_by_time() -> None:
    earlier, later = uuid7(1_700_000_000_001, (1 << 80) - 1), uuid7(1_700_000_000_002, 0)
    assert earlier < later


def test_the_first_id_of_a_time_stands_between_those_before_and_all_of_it() -> None:
    assert uuid7(1_700_000_000_000, (1 << 80) - 1) < first_id(1_700_000_000.001) < uuid7(1_700_000_000_001, 0)
    assert first_id(-1.0) < uuid7(0, 0)


def test_a_segment_is_known_by_its_message_and_number() -> None:
    message = uuid7(1000, 0)
    assert part_id(message, 12) == f"{message}-12"
    assert message_of(f"{message}-12") == message


@pytest.mark.parametrize("id", ["", "7", "a-7", "-", "{}", "{}-", "{}-x", "{}-\u00b2", "{}-1-2", "{}7"])
def test_what_is_no_id_of_a_segment_belongs_to_nothing(id: str) -> None:
    assert message_of(id.format(uuid7(1000, 0))) == ""
