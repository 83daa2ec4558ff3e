from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inbound import packed_runs
from gateway.inbound.packed_runs import Packer, due_of, id_of, key_of, moment, seconds
from gateway.values.work import Run

ID = "01a22e32-4ab7-78b5-89f5-5a923e8a2061"
OTHER = "01a22e32-4ab7-78b5-89f5-5a923e8a2062"
CUSTOMER = "+447700900123"

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.sampled_from([ID, OTHER, OTHER.upper(), CUSTOMER, "12345", "shop", "ask"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
data = st.dictionaries(st.text(max_size=20), values, max_size=6)


def run(**more: Any) -> Run:
    given: dict[str, Any] = {"id": ID, "service": "shop", "flow": "ask", "version": "v", "customer": CUSTOMER}
    given |= {"number": "12345", "created_at": 1.25, "updated_at": 2.5}
    return Run(**given | more)


def again(run: Run, packer: Packer) -> Run:
    return packer.unpacked(key_of(run.id), packer.packed(run, moment(0.0)))


@given(
    id=st.sampled_from([ID, ID.upper(), "r1", "sixteen-letters-", "x" * 36, ""]),
    data=data,
    inbox=st.lists(data, max_size=2).map(tuple),
    waiting=st.sampled_from(["", "message", "delay", f"effect:{ID}/3", f"effect:{ID}/4", "effect:r1/3"]),
    effects=st.integers(0, 5),
    due=st.floats(0, 1e10),
    result=st.integers(-1, 999),
    parent=st.sampled_from(["", OTHER]),
)
def test_a_run_comes_out_as_it_was_put_in(**fields: Any) -> None:
    assert again(run(**fields), Packer()) == run(**fields)


def test_what_many_have_in_common_is_kept_once() -> None:
    packer = Packer()
    one = {"sms.from": CUSTOMER, "session.id": ID, "session.transid": OTHER, "a long name of a variable": 1}
    first, second = (packer.packed(run(data=one, node=node), moment(0.0)) for node in ("a", "a"))
    assert first == second
    assert len(first) < 100
    assert b"long name" not in first and b"0900123" in first


def test_a_shape_beyond_the_limit_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_runs, "_LIMIT_SHAPES", 2)
    packer = Packer()
    many = [run(node=f"n{n}", data={f"n{n}.code": n}) for n in range(5)]
    octets = [packer.packed(each, moment(0.0)) for each in many]
    assert [packer.unpacked(key_of(ID), each) for each in octets] == many
    assert len(packer._shapes) == 2


@given(st.lists(st.floats(0, 1e10), max_size=5))
def test_moments_sort_as_the_clock_goes(moments: list[float]) -> None:
    assert [seconds(octets) for octets in sorted(map(moment, moments))] == sorted(moments)


def test_a_moment_before_the_clock_began_is_its_beginning() -> None:
    assert seconds(moment(-5.0)) == 0.0


def test_when_a_run_is_due_is_read_without_the_rest() -> None:
    assert due_of(Packer().packed(run(due=17.5), moment(3.0))) == 17.5


@given(st.text(max_size=40) | st.uuids().map(str))
def test_an_id_is_known_by_its_key(id: str) -> None:
    assert id_of(key_of(id)) == id


def test_the_key_of_a_uuid_is_its_16_octets() -> None:
    assert len(key_of(ID)) == 16
    assert len(key_of(ID.upper())) == 17 + 36
