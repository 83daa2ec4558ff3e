"""Conditions: expressions in CEL (the Common Expression Language) over the variables of rules.variables."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

from msgspec import Struct

from gateway.values.errors import BadInput

# the package would bring its own command line along, with all that draws terminals: 8 MiB
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402

LIMIT_CHARACTERS = 4000
# The evaluator recurses on the machine's stack, where too deep a value ends the process
LIMIT_DEPTH = 64

# the name that a macro gives to each item: it is no variable
_BOUND = re.compile(r"\b(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
# string literals without an escape; where another quote is left, or a comment, fields are not looked for
_LITERAL = re.compile(r"""(?<![\w"'])(?:"[^"'\\\n]*"|'[^"'\\\n]*')(?!["'])""")
_UNREADABLE = re.compile(r"""["'\\]|//""")
_PLAIN = (str, int, float, bool)
_PARSE_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


class BadCondition(BadInput):
    """An expression that does not parse."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, code="bad_condition")


class Verdict(Struct, frozen=True):
    """`error` says why the condition could not be evaluated; it does not hold then."""

    holds: bool
    error: str = ""


class Condition:
    """One compiled expression.  Raises BadCondition."""

    def __init__(self, expression: str) -> None:
        if len(expression) > LIMIT_CHARACTERS:
            raise BadCondition(f"longer than {LIMIT_CHARACTERS} characters")
        self.expression = expression
        try:
            self._program = cel.compile(expression)
            self._names = self._program.variables()
        except BaseException as error:
            raise BadCondition(_reason(error)) from None
        self._fields = {name: _fields(expression, name) for name in self._names}

    @property
    def names(self) -> list[str]:
        """The variables that it reads, without their fields."""
        bound = set(_BOUND.findall(self.expression))
        return [name for name in self._names if name not in bound]

    def evaluate(self, variables: Mapping[str, Any]) -> Verdict:
        """`variables` nested: {"sms": {"from": "+447700900123"}}.

        An unknown variable, a comparison of different types, a result that is neither true nor false: none
        of them holds, and the error says which it was.
        """
        try:
            result = self.value(variables)
        except BadCondition as error:
            return Verdict(False, error.reason)
        if not isinstance(result, bool):
            return Verdict(False, f"the result is {result!r:.40}, neither true nor false")
        return Verdict(result)

    def value(self, variables: Mapping[str, Any]) -> Any:
        """What it comes to, of whatever type.  Raises BadCondition where it cannot be evaluated."""
        # Conversion costs more than evaluation: hand over what the expression names, and nothing else
        named: dict[str, Any] = {}
        for name, fields in self._fields.items():
            if name in variables:
                value = named[name] = variables[name]
                if fields and isinstance(value, dict):
                    named[name] = {field: value[field] for field in fields if field in value}
        if any(_deeper(value, LIMIT_DEPTH) for value in named.values()):
            raise BadCondition(f"a variable is nested deeper than {LIMIT_DEPTH} levels")
        try:
            return self._program.execute(named)
        except BaseException as error:
            raise BadCondition(_reason(error)) from None

    def holds(self, variables: Mapping[str, Any]) -> bool:
        return self.evaluate(variables).holds


@lru_cache(maxsize=4096)
def compiled(expression: str) -> Condition:
    """The condition for an expression, compiled once.  Raises BadCondition."""
    return Condition(expression)


def _reason(error: BaseException) -> str:
    """One line.  A panic inside the evaluator arrives as a BaseException of its own, which must not end
    the daemon; an interrupt must."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error
    if isinstance(error, KeyError):
        return f"nothing is called {error.args[0]!r} there"
    text = str(error)
    if parse := _PARSE_ERROR.search(text):
        return f"line {parse[1]}, column {parse[2]}: {parse[3]}"
    return text.split("\n", 1)[0].split(". Check ", 1)[0] or type(error).__name__


def _fields(expression: str, name: str) -> frozenset[str]:
    """The only fields of a variable that an expression reads, as `name.field`; empty: it may read all."""
    code = _LITERAL.sub(" ", expression)
    if _UNREADABLE.search(code):
        return frozenset()
    fields = set[str]()
    for use in re.finditer(rf"\b{re.escape(name)}\b(?:\s*\.\s*([A-Za-z_]\w*)\b(?!\s*\())?", code):
        if use[1] is None:
            return frozenset()
        fields.add(use[1])
    return frozenset(fields)


def _deeper(value: Any, levels: int) -> bool:
    if isinstance(value, _PLAIN):
        return False
    if isinstance(value, Mapping):
        return levels == 0 or any(_deeper(inner, levels - 1) for inner in value.values())
    if isinstance(value, list | tuple):
        return levels == 0 or any(_deeper(inner, levels - 1) for inner in value)
    return False
