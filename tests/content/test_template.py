import pytest

from gateway.config.model import Parameter, Template, Wording
from gateway.content.template import checked, render_app, render_sms, render_voice, worded
from gateway.values.errors import BadInput
from gateway.values.variables import UnknownVariable

ALERT = Template(text="Alert: $(what) at $(where)", voice="This is an alert. $(what). Again: $(what).")
VALUES = {"what": "fire", "where": "home"}


def test_each_channel_has_its_own_words() -> None:
    assert render_sms(ALERT, VALUES) == "Alert: fire at home"
    assert render_voice(ALERT, VALUES) == "This is an alert. fire. Again: fire."


def test_the_text_is_spoken_where_there_are_no_words_for_the_voice() -> None:
    assert render_voice(Template(text="Hi $(what)"), VALUES) == "Hi fire"


def test_a_file_to_play_needs_no_words() -> None:
    assert render_voice(Template(text="Hi $(nobody)", wav="hi.wav"), VALUES) == ""


def test_a_text_in_place_is_its_own_template() -> None:
    assert render_sms("$(what)!", VALUES) == render_voice("$(what)!", VALUES) == "fire!"


@pytest.mark.parametrize("render", [render_sms, render_voice])
def test_a_missing_variable_is_named(render: type) -> None:
    with pytest.raises(UnknownVariable) as raised:
        render(Template(text="$(nobody)"), VALUES)
    assert raised.value.name == "nobody"


GREETING = Template(
    text="Hello", languages={"de": Wording(text="Hallo"), "pt-BR": Wording(text="Oi", app="Oi!")}
)


@pytest.mark.parametrize(
    ("wanted", "text", "language"),
    [
        ("", "Hello", "en"),
        ("en", "Hello", "en"),
        ("de", "Hallo", "de"),
        ("de-AT", "Hallo", "de"),
        ("de_CH", "Hallo", "de"),
        ("pt-BR", "Oi", "pt-BR"),
        ("pt", "Hello", "en"),
        ("fr", "Hello", "en"),
    ],
)
def test_words_come_in_the_language_that_is_wanted_or_as_they_stand(
    wanted: str, text: str, language: str
) -> None:
    wording, found = worded(GREETING, wanted)
    assert (wording.text, found) == (text, language)


def test_an_app_has_its_own_words_or_the_text() -> None:
    assert render_app(worded(GREETING, "pt-BR")[0], {}) == "Oi!"
    assert render_app(worded(GREETING, "de")[0], {}) == "Hallo"


BILL = Template(
    text="$(amount) $(unit)",
    parameters={"amount": Parameter(type="number"), "unit": Parameter(default="EUR")},
)


def test_parameters_are_checked_and_said_as_they_were_given() -> None:
    assert render_sms(worded(BILL, "")[0], checked("bill", BILL, {"amount": "12.50"})) == "12.50 EUR"
    with pytest.raises(BadInput) as missing:
        checked("bill", BILL, {})
    assert str(missing.value) == "variables.amount: template bill needs the parameter amount"
    with pytest.raises(BadInput, match="must be a number"):
        checked("bill", BILL, {"amount": "much"})
