"""Where in a TOML text each key stands: tomllib keeps no line numbers.

The text has been read by tomllib, so that it is known to be well-formed; this walks it a second time and
keeps the line on which each path begins.  A path is its keys with dots between, and an array's index in
brackets:

    [chains.alert]                 chains, chains.alert
    [[chains.alert.steps]]         chains.alert.steps, chains.alert.steps[0]
    via = "north"                  chains.alert.steps[0].via
    do = [{ reply = "Hello" }]     ....do, ....do[0], ....do[0].reply
    [numbers."+442079460000"]      numbers, numbers.+442079460000

Source: TOML 1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_OTHER_VALUE = re.compile(r"[^,\]}#\n]+")


def lines(text: str) -> dict[str, int]:
    """Line numbers, from 1, by path.  `text` must be valid TOML."""
    return _Walk(text).lines


def line_of(lines: Mapping[str, int], path: str) -> int:
    """The line of a path, or of the nearest table around it; 1 for what no table holds."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 1)


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


class _Walk:
    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._last_index: dict[str, int] = {}  # of each array of tables
        self._document()

    def _document(self) -> None:
        table = ""
        self._skip(_BLANK_LINES)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK_LINES)

    def _header(self) -> str:
        start, many = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        keys = self._key()
        self._at += 2 if many else 1
        path = ""
        for n, key in enumerate(keys):
            path = join(path, key)
            self._found(path, start)
            if many and n == len(keys) - 1:
                self._last_index[path] = self._last_index.get(path, -1) + 1
            if path in self._last_index:
                path = f"{path}[{self._last_index[path]}]"
                self._found(path, start)
        return path

    def _pair(self, path: str) -> None:
        start = self._at
        for key in self._key():
            path = join(path, key)
            self._found(path, start)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_BLANK)
            if bare := _BARE_KEY.match(self._text, self._at):
                keys.append(bare[0])
                self._at = bare.end()
            else:
                start = self._at
                self._skip(_STRING)
                keys.append(str(tomllib.loads(f"key = {self._text[start : self._at]}")["key"]))
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _value(self, path: str) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_OTHER_VALUE)

    def _array(self, path: str) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK_LINES)
        while self._text[self._at] != "]":
            self._found(f"{path}[{index}]", self._at)
            self._value(f"{path}[{index}]")
            index += 1
            self._skip(_BLANK_LINES)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK_LINES)
        self._at += 1

    def _inline_table(self, path: str) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _found(self, path: str, position: int) -> None:
        self.lines.setdefault(path, bisect_right(self._starts, position))

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self._text, self._at):
            self._at = match.end()
