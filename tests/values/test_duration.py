import pytest

from gateway.values.duration import seconds


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("250ms", 0.25),
        ("20s", 20),
        ("10m", 600),
        ("2h", 7200),
        ("7d", 604800),
        ("1.5 s", 1.5),
        (3, 3),
        (0, 0),
    ],
)
def test_durations_as_people_write_them(written: str | float, expected: float) -> None:
    assert seconds(written) == expected


@pytest.mark.parametrize(
    "written", ["", "10", "m", "-1s", "10 minutes", "٣s", "400d", -1, float("nan"), 1e12]
)
def test_anything_else_is_refused_with_a_reason(written: str | float) -> None:
    with pytest.raises(ValueError, match=r"is no duration|is not between"):
        seconds(written)
