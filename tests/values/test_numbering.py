import pytest

from gateway.values.numbering import Format, Numbering


@pytest.mark.parametrize(("format", "country", "address", "written"), [
    ("+E.164", "", "+442079460000", "+442079460000"),
    ("E.164", "", "+442079460000", "442079460000"),
    ("00", "", "+442079460000", "00442079460000"),
    ("national", "GB", "+442079460000", "02079460000"),
    ("national", "GB", "+41795550102", "0041795550102"),
    ("national", "US", "+12025550123", "2025550123"),
    ("national", "IT", "+390612345678", "0612345678"),
])  # fmt: skip
def test_a_number_is_written_as_the_carrier_wants_it_and_read_again(
    format: Format, country: str, address: str, written: str
) -> None:
    numbering = Numbering(format, country)
    assert numbering.written(address) == written
    assert numbering.read(written) == address


def test_a_number_in_international_form_is_read_whatever_the_format() -> None:
    for numbering in (Numbering(), Numbering("E.164"), Numbering("00"), Numbering("national", "GB")):
        assert numbering.read("+41795550102") == numbering.read("0041795550102") == "+41795550102"


def test_the_prefix_goes_before_what_is_called() -> None:
    numbering = Numbering("E.164", prefix="9")
    assert (numbering.called("+442079460000"), numbering.written("+442079460000")) == (
        "9442079460000",
        "442079460000",
    )


@pytest.mark.parametrize("text", ["", "anonymous", "+", "+0", "x" * 50, "\udcff", "\u0664\u0664"])
def test_what_is_no_number_is_read_as_none(text: str) -> None:
    for numbering in (Numbering(), Numbering("E.164"), Numbering("national", "GB")):
        assert numbering.read(text) == ""


def test_shortcodes_stay_what_they_are() -> None:
    assert Numbering("E.164").written("12345") == "12345"
    assert Numbering("E.164").read("12345") == "12345"
    assert Numbering("national", "GB").read("999") == "999"
