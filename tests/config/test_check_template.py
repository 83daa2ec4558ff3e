import pytest

from gateway.config.check_template import template_faults
from gateway.config.model import Parameter, Template, Wording

WHAT = {"what": Parameter()}


@pytest.mark.parametrize(
    ("template", "faults"),
    [
        (Template(), [("t", False)]),
        (Template(app="x"), []),
        (Template(text="Fire at $(anything)"), []),
        (Template(text="$(what) to $(to), $(link.map)", parameters=WHAT), []),
        (Template(text="$(what) $(wat)", parameters=WHAT), [("t.text", False)]),
        (Template(text="$(what.name)", parameters=WHAT), []),
        (Template(text="Fire", parameters=WHAT), [("t.parameters.what", True)]),
        (
            Template(text="a", languages={"de": Wording()}),
            [("t.languages.de", False), ("t.languages.de.text", False)],
        ),
        (Template(text="a", languages={"en": Wording(text="a")}), [("t.languages.en", False)]),
        (Template(voice="a", languages={"de": Wording(app="b")}), [("t.languages.de.voice", False)]),
        (Template(text="a", voice="b", languages={"de": Wording(text="b")}), []),
        (
            Template(text="$(n)", parameters={"n": Parameter(type="number", default="x")}),
            [("t.parameters.n.default", False)],
        ),
        (
            Template(text="$(what)", parameters=WHAT, languages={"de": Wording(text="$(was)")}),
            [("t.languages.de.text", False)],
        ),
    ],
)
def test_what_is_wrong_with_a_template(template: Template, faults: list[tuple[str, bool]]) -> None:
    assert [(f.path, f.warning) for f in template_faults("t", template, ["map"])] == faults
