"""What fuzzing has found, again and again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.smpp import fuzz

FOUND = [bytes.fromhex(line) for line in Path(__file__).with_name("fuzz.hex").read_text().split()]


@pytest.mark.parametrize("at", range(0, len(FOUND), 25))
def test_what_fuzzing_has_found_breaks_no_promise(at: int) -> None:
    for data in FOUND[at : at + 25]:
        fuzz.run(data)
        for cut in range(len(data)):
            fuzz.run(data[:cut])
            fuzz.run(data[:cut] + bytes((data[cut] ^ 0x81,)) + data[cut + 1 :])


@given(st.sampled_from(FOUND), st.sampled_from(FOUND), st.integers(0, 320), st.integers(0, 320))
def test_what_fuzzing_has_found_put_together_breaks_no_promise(
    one: bytes, other: bytes, end: int, start: int
) -> None:
    fuzz.run(one[:end] + other[start:])
