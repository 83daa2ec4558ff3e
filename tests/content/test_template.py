import pytest

from gateway.config.model import Template
from gateway.content.template import render_sms, render_voice
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
