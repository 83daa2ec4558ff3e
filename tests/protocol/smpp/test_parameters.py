from __future__ import annotations

import pytest
from smpplib.command import DataSM, SubmitSM
from smpplib.consts import OPTIONAL_PARAMS

from gateway.protocol.smpp.parameters import wrong_length

# by number, so that a name in the table that means another tag is found
FIXED = {
    0x0005: 1, 0x0006: 1, 0x0007: 1, 0x0008: 2, 0x000D: 1, 0x000E: 1, 0x000F: 1, 0x0010: 1, 0x0017: 4,
    0x0019: 1, 0x0030: 1, 0x0201: 1, 0x0204: 2, 0x0205: 1, 0x020A: 2, 0x020B: 2, 0x020C: 2, 0x020D: 1,
    0x020E: 1, 0x020F: 1, 0x0210: 1, 0x0302: 1, 0x0304: 1, 0x0420: 1, 0x0421: 1, 0x0422: 1, 0x0423: 3,
    0x0425: 1, 0x0426: 1, 0x0427: 1, 0x0501: 1, 0x1201: 1, 0x1203: 2, 0x1204: 1, 0x130C: 0, 0x1380: 1,
    0x1383: 2,
}  # fmt: skip
# sections 5.3.2.15, .16, .36, .38
BETWEEN = {0x0202: (2, 23), 0x0203: (2, 23), 0x0381: (4, 19), 0x0303: (1, 65)}
FREE = {"additional_status_info_text", "receipted_message_id", "message_payload"}


@pytest.mark.parametrize(("tag", "length"), FIXED.items())
def test_a_parameter_of_fixed_length_has_that_and_no_other(tag: int, length: int) -> None:
    name = next(name for name, number in OPTIONAL_PARAMS.items() if number == tag)
    assert wrong_length({tag: bytes(length)}) is None
    for other in (7, 255):
        found = wrong_length({tag: bytes(other)})
        assert found and found[0] == name and found[1].startswith(f"{other} octet(s) instead of {length}")
    assert (wrong_length({tag: b""}) is None) == (length == 0)


@pytest.mark.parametrize(("tag", "shortest", "longest"), [(tag, *two) for tag, two in BETWEEN.items()])
def test_a_parameter_that_varies_in_length_does_so_within_limits(
    tag: int, shortest: int, longest: int
) -> None:
    name = next(name for name, number in OPTIONAL_PARAMS.items() if number == tag)
    for length in (shortest, longest):
        assert wrong_length({tag: bytes(length)}) is None
    for length in (0, shortest - 1, longest + 1, 0xFFFF):
        words = f"{length} octet(s) instead of {shortest} to {longest}"
        assert wrong_length({tag: bytes(length)}) == (name, words)


def test_every_standard_parameter_is_known() -> None:
    assert {*FIXED, *BETWEEN, *(OPTIONAL_PARAMS[name] for name in FREE)} == set(OPTIONAL_PARAMS.values())


def test_another_library_has_the_same_lengths() -> None:
    sizes = {**SubmitSM.params, **DataSM.params}
    fixed = {tag: getattr(sizes.get(name), "size", 0) for name, tag in OPTIONAL_PARAMS.items()}
    checked = {tag: size for tag, size in fixed.items() if tag in FIXED and size}
    assert len(checked) > 25
    assert [hex(tag) for tag, size in checked.items() if wrong_length({tag: bytes(size)})] == []


@pytest.mark.parametrize("length", [0, 1, 3, 300])
def test_what_has_no_limits_and_what_vendors_add_is_let_through(length: int) -> None:
    assert wrong_length({0x0424: bytes(length), 0x1400: bytes(length)}) is None


def test_the_first_wrong_one_is_told() -> None:
    found = wrong_length({0x1400: b"x", 0x0204: b"\0\1", 0x020B: b"\1", 0x0005: b""})
    assert found == ("destination_port", "1 octet(s) instead of 2")
