"""parse: read a text as JSON, XML, CSV, by a pattern or as key=value pairs.

type = "parse"
text = "$(lookup.body)"
as = "json"                          # json | xml | csv | regex | pairs
save = { price = "$.items[0].price" }

    json     JSONPath (RFC 9535); `save` may be empty: `$(node.value.items.0.price)` reads it, too
    xml      a path of elements: "order/item[2]/price", "order/@id"
    csv      column by name, of the first row: "price"; `$(node.value.0.price)` any row, the first line names
             the columns; `separator`
    regex    `pattern`, linear in time (RE2): a group by name or number: "amount", "1"
    pairs    by key: "amount"; pairs are parted by `separator` (";" and line breaks), keys from values by "="
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
import msgspec
import re2
from defusedxml import DefusedXmlException
from msgspec import field

from gateway.flows.jsonpath import BadPath, find, path_of
from gateway.flows.nodes.base import Context, Leave, Node, Step
from gateway.flows.nodes.http import LIMIT_JSON_DEPTH, deeper
from gateway.values.errors import BadInput

_LIMIT_ROWS = 1_000
_LIMIT_PATTERN = 1_000  # characters


class ParseNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Left by `invalid` when the text is no such thing, or does not hold what `save` asks for."""

    type: ClassVar[str] = "parse"
    events: ClassVar[tuple[str, ...]] = ("success", "invalid")
    outputs: ClassVar[tuple[str, ...]] = ("value", "reason")

    text: str
    form: Literal["json", "xml", "csv", "regex", "pairs"] = field(name="as")
    save: dict[str, str] = field(default_factory=dict)
    pattern: str = ""  # regex
    separator: str = ""  # csv: default ","; pairs: default ";" and line breaks

    def mistakes(self) -> list[tuple[str, str]]:
        found = []
        if (self.form == "regex") != bool(self.pattern):
            found.append(("pattern", 'goes with as = "regex", which needs it'))
        elif self.pattern:
            try:
                _compiled(self.pattern)
            except BadInput as error:
                found.append(("pattern", error.reason))
        if self.separator and (self.form not in ("csv", "pairs") or len(self.separator) != 1):
            found.append(("separator", "is one character, for csv and pairs"))
        if self.form == "json":
            for name, path in self.save.items():
                try:
                    path_of(path)
                except BadPath as error:
                    found.append((f"save.{name}", str(error)))
        if self.form == "xml" and not self.save:
            found.append(("save", "says which elements are wanted"))
        return found

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text)]

    def assigns(self) -> list[tuple[str, str]]:
        return [(f"save.{name}", name) for name in self.save]

    def assigned(self, event: str) -> tuple[str, ...]:
        return tuple(self.save) if event == "success" else ()

    def enter(self, context: Context) -> Step:
        text = context.text(self.text)
        try:
            value, found = self._parsed(text)
        except BadInput as error:
            return Leave("invalid", {"value": "", "reason": error.reason}, note=error.reason)
        missing = [name for name in self.save if name not in found]
        if missing:
            reason = f"nothing there for {', '.join(missing)}"
            return Leave("invalid", {"value": value, "reason": reason}, note=reason)
        return Leave("success", {"value": value, "reason": ""}, found)

    def failed(self, reason: str) -> Step:
        return Leave("invalid", {"value": "", "reason": reason}, note=reason)

    def _parsed(self, text: str) -> tuple[Any, dict[str, Any]]:
        """What is kept as `value`, and what `save` asks for, as far as it is there.  Raises BadInput."""
        match self.form:
            case "json":
                value = _json(text)
                found = {name: find(path, value) for name, path in self.save.items()}
                return value, {name: some[0] for name, some in found.items() if some}
            case "xml":
                root = _xml(text)
                texts = {name: _element(root, path) for name, path in self.save.items()}
                return "", {name: some for name, some in texts.items() if some is not None}
            case "csv":
                rows = _rows(text, self.separator or ",")
                first: Mapping[str, str] = rows[0] if rows else {}
            case "pairs":
                rows, first = [], _pairs(text, self.separator)
            case "regex":
                match = _compiled(self.pattern).search(text)
                if match is None:
                    raise BadInput("the pattern does not match")
                rows = []
                numbered = {str(n): group or "" for n, group in enumerate((match[0], *match.groups()))}
                first = numbered | {name: group or "" for name, group in match.groupdict().items()}
        wanted = {name: first[key] for name, key in self.save.items() if key in first}
        return rows if self.form == "csv" else dict(first), wanted


def _json(text: str) -> Any:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"no JSON: {error}") from None
    if deeper(value, LIMIT_JSON_DEPTH):
        raise BadInput(f"JSON that is nested deeper than {LIMIT_JSON_DEPTH} levels")
    return value


def _xml(text: str) -> Element:
    try:
        root: Element = defusedxml.ElementTree.fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise BadInput(f"no XML: {type(error).__name__} {error}") from None
    return root


def _element(root: Element, path: str) -> str | None:
    """The text of an element, or an attribute; the path may begin with the root's own name."""
    steps, _, attribute = path.partition("@")
    steps = steps.strip("/")
    if steps.split("/", 1)[0] == root.tag:
        steps = steps.partition("/")[2]
    try:
        element = root.find(steps) if steps else root
    except SyntaxError:
        return None
    if element is None:
        return None
    return element.get(attribute) if attribute else (element.text or "").strip()


def _rows(text: str, separator: str) -> list[dict[str, str]]:
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter=separator, strict=True)
        rows = [
            {name: value or "" for name, value in row.items() if isinstance(name, str)}
            for row, _ in zip(reader, range(_LIMIT_ROWS), strict=False)
        ]
    except csv.Error as error:
        raise BadInput(f"no CSV: {error}") from None
    return rows


def _pairs(text: str, separator: str) -> dict[str, str]:
    for extra in (separator,) if separator else (";",):
        text = text.replace(extra, "\n")
    pairs = (line.partition("=") for line in text.splitlines())
    found = {key.strip(): value.strip() for key, equals, value in pairs if equals and key.strip()}
    if not found:
        raise BadInput("no key=value pair")
    return found


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    """Raises BadInput."""
    if len(pattern) > _LIMIT_PATTERN:
        raise BadInput(f"longer than {_LIMIT_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise BadInput(f"no pattern: {_said(error)}") from None


def _said(error: Exception) -> str:
    what = error.args[0] if error.args else error
    return what.decode(errors="replace") if isinstance(what, bytes) else str(what)
