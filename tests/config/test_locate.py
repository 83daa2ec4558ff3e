import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.locate import join, line_of, lines

DOCUMENT = """\
# a comment with = and [brackets]
name = "Pizza"    # [not.a.table]

notify.status = "https://example.org/#hash"
notify . "inbound" = 'C:\\'

text = \"\"\"
[fake]
key = "a quote: \\\"\"\" and a backslash \\\\"\"\"\"
literal = '''
''quoted'' ]'''
assets = [
    "12345",  # ]
    # "commented",
    "+44",
]
nested = [[1, 2], [3, { a = 1 }], {}]
when = 1979-05-27 07:32:00Z
number = -1.5e3

[numbers."+442079460000"]
ring = "2s"
[numbers.'a.b']
[a.b.c]
d = { e = { f = 1, "g h" = [true, false] }, i = "}" }

[[chains.alert.steps]]
via = "north"
[chains.alert.steps.deep]
er = 1
[[chains.alert.steps.more]]
x = 1
[[chains.alert.steps.more]]
x = 2
[[chains.alert.steps]]
via = "south"
[[chains.alert.steps.more]]
x = 3
[rules.callback]
do = [{ send = { to = "$(call.from)", text = "Hi, [there]" } }, { reply = "x" }]
"""


def walked(value: Any, path: str = "") -> Iterator[str]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walked(inner, join(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from walked(inner, f"{path}[{index}]")


def test_every_path_that_tomllib_reads_has_a_line() -> None:
    assert set(lines(DOCUMENT)) == set(walked(tomllib.loads(DOCUMENT)))


@pytest.mark.parametrize("file", sorted(Path("conf").rglob("*.toml")), ids=str)
def test_every_path_of_the_example_configuration_has_a_line(file: Path) -> None:
    text = file.read_text()
    assert set(lines(text)) == set(walked(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("path", "starts_with"),
    [
        ("name", "name ="),
        ("notify", "notify.status"),
        ("notify.status", "notify.status"),
        ("notify.inbound", "notify . "),
        ("text", "text ="),
        ("literal", "literal ="),
        ("assets", "assets"),
        ("assets[0]", '    "12345"'),
        ("assets[1]", '    "+44"'),
        ("nested[1][1].a", "nested"),
        ("when", "when"),
        ("number", "number ="),
        ("numbers", "[numbers."),
        ("numbers.+442079460000", '[numbers."+44'),
        ("numbers.+442079460000.ring", "ring"),
        ("numbers.a.b", "[numbers.'a.b'"),
        ("a.b", "[a.b.c]"),
        ("a.b.c.d.e.g h[1]", "d ="),
        ("a.b.c.d.i", "d ="),
        ("chains.alert", "[[chains.alert.steps]]"),
        ("chains.alert.steps[0].via", 'via = "north"'),
        ("chains.alert.steps[0].deep.er", "er = 1"),
        ("chains.alert.steps[0].more[1].x", "x = 2"),
        ("chains.alert.steps[1].via", 'via = "south"'),
        ("chains.alert.steps[1].more[0].x", "x = 3"),
        ("rules.callback.do[0].send.text", "do = "),
    ],
)
def test_a_path_stands_on_its_line(path: str, starts_with: str) -> None:
    line = lines(DOCUMENT)[path]
    assert DOCUMENT.splitlines()[line - 1].startswith(starts_with)


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("numbers.+442079460000.policy", "numbers.+442079460000"),
        ("chains.alert.steps[1].until", "chains.alert.steps[1]"),
        ("chains.alert.steps[7].until", "chains.alert.steps"),
        ("a.b.c.x.y.z", "a.b.c"),
        ("assets[9]", "assets"),
    ],
)
def test_a_path_that_is_not_there_stands_where_its_table_does(path: str, nearest: str) -> None:
    found = lines(DOCUMENT)
    assert line_of(found, path) == found[nearest]


def test_what_no_table_holds_stands_on_the_first_line() -> None:
    assert line_of(lines(DOCUMENT), "status") == 1
    assert line_of({}, "store.url") == 1
    assert lines("") == {}
