from __future__ import annotations

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from gateway.values.ids import uuid7


def test_the_example_of_the_standard() -> None:
    # RFC 9562 appendix A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    randomness = (0xCC3 << 68 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0 / 1000, randomness) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**47), st.binary(min_size=10, max_size=10))
def test_version_variant_and_time_are_where_they_belong(milliseconds: int, randomness: bytes) -> None:
    value = UUID(uuid7((milliseconds + 0.5) / 1000, randomness))
    assert value.version == 7 and value.variant == RFC_4122
    assert value.int >> 80 == milliseconds


def test_ids_sort_by_time() -> None:
    earlier, later = uuid7(1_700_000_000.001, b"\xff" * 10), uuid7(1_700_000_000.0025, b"\x00" * 10)
    assert earlier < later
