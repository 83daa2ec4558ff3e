import pytest

from gateway.config.model import App, Asset, Keyword, Service
from gateway.directory.assets import country_of, form, held

SERVICE = Service(
    name="S",
    country="GB",
    assets=["12345", "+41 44 668 18 00", "PIZZA", "54321"],
    registry={
        "54321": Asset(state="suspended", country="DE", carrier="north", shared=False),
        "PIZZA": Asset(kind="sender-id"),
        "my-shop-app": Asset(kind="app", state="suspended"),
    },
    apps={"my-shop-app": App(), "other": App()},
    keywords={"ORDER": Keyword(number="12345", reply="?")},
)


def test_each_asset_has_its_kind_country_abilities_and_state() -> None:
    found = [(a.address, a.kind, a.country, a.capabilities, a.state, a.shared) for a in held("s", SERVICE)]
    all_four = ("sms-mo", "sms-mt", "voice-in", "voice-out")
    assert found == [
        ("12345", "shortcode", "GB", ("sms-mo", "sms-mt"), "active", True),
        ("+41446681800", "phone-number", "CH", all_four, "active", False),
        ("PIZZA", "sender-id", "GB", ("sms-mt",), "active", False),
        ("54321", "shortcode", "DE", ("sms-mo", "sms-mt"), "suspended", False),
        ("my-shop-app", "app", "", (), "suspended", False),
        ("other", "app", "", (), "active", False),
        ("ORDER", "keyword", "", (), "active", False),
    ]


@pytest.mark.parametrize(
    ("address", "channel", "refusal"),
    [
        ("12345", "sms", ""),
        ("12345", "voice", "12345 (shortcode) is not for voice-out"),
        ("+41446681800", "voice", ""),
        ("PIZZA", "sms", ""),
        ("PIZZA", "voice", "PIZZA (sender-id) is not for voice-out"),
        ("54321", "sms", "54321 is suspended, not active"),
    ],
)
def test_why_nothing_may_be_sent_from_one(address: str, channel: str, refusal: str) -> None:
    [asset] = [asset for asset in held("s", SERVICE) if asset.address == address]
    assert asset.refusal(channel) == refusal


def test_forms_and_countries() -> None:
    assert [form(address) for address in ("12345", "+447700900123", "PIZZA")] == [
        "shortcode",
        "phone-number",
        "sender-id",
    ]
    assert (country_of("+33612345678"), country_of("12345")) == ("FR", "")
