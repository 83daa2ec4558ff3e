"""transform: make another text of one, step by step.

type = "transform"
text = "$(sms.text)"
do = ["trim", "lower", { replace = "-", by = "" }, { first = 8 }]
save = "code"
"""

from __future__ import annotations

import base64
import json
from typing import ClassVar, Literal
from urllib.parse import quote, unquote

from msgspec import Struct

from gateway.flows.nodes.base import Context, Leave, Node, Step
from gateway.text.normalise import normalise
from gateway.values.errors import BadInput


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change with a parameter: exactly one of `replace` (with `by`), `first`, `last`, `word`, `prefix`,
    `suffix`, `default` (for an empty text), `round` (decimal places)."""

    replace: str = ""
    by: str = ""
    first: int = 0  # characters
    last: int = 0
    word: int = 0  # the Nth, from 1; negative: from the end
    prefix: str = ""
    suffix: str = ""
    default: str = ""
    round: int | None = None

    def given(self) -> list[str]:
        return [
            name
            for name in ("replace", "first", "last", "word", "prefix", "suffix", "default", "round")
            if getattr(self, name) not in ("", 0, None) or (name == "round" and self.round == 0)
        ]


Simple = Literal[
    "trim",
    "lower",
    "upper",
    "title",
    "digits",
    "letters",
    "normalise",
    "url-encode",
    "url-decode",
    "base64-encode",
    "base64-decode",
    "json",
    "length",
]


class TransformNode(Node, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: ClassVar[str] = "transform"
    events: ClassVar[tuple[str, ...]] = ("done", "error")
    outputs: ClassVar[tuple[str, ...]] = ("text", "reason")

    text: str
    do: list[Simple | Change]
    save: str = ""  # a session variable that gets the result

    def mistakes(self) -> list[tuple[str, str]]:
        found = [] if self.do else [("do", "needs at least one change")]
        for n, change in enumerate(self.do):
            if isinstance(change, Change) and len(change.given()) != 1:
                found.append((f"do[{n}]", "set exactly one of replace, first, last, word, prefix, suffix, "
                              "default, round"))  # fmt: skip
        return found

    def texts(self) -> list[tuple[str, str]]:
        return [("text", self.text)]

    def assigns(self) -> list[tuple[str, str]]:
        return [("save", self.save)] if self.save else []

    def assigned(self, event: str) -> tuple[str, ...]:
        return (self.save,) if self.save and event == "done" else ()

    def enter(self, context: Context) -> Step:
        text = context.text(self.text)
        for change in self.do:
            text = _with(text, change) if isinstance(change, Change) else _simply(text, change)
        return Leave("done", {"text": text, "reason": ""}, {self.save: text} if self.save else {})


def _simply(text: str, what: Simple) -> str:
    match what:
        case "trim":
            return text.strip()
        case "lower":
            return text.lower()
        case "upper":
            return text.upper()
        case "title":
            return text.title()
        case "digits":
            return "".join(character for character in text if character.isdecimal())
        case "letters":
            return "".join(character for character in text if character.isalpha())
        case "normalise":
            return normalise(text)
        case "url-encode":
            return quote(text, safe="")
        case "url-decode":
            return unquote(text, errors="replace")
        case "base64-encode":
            return base64.b64encode(text.encode()).decode()
        case "base64-decode":
            try:
                return base64.b64decode(text, validate=True).decode()
            except ValueError:
                raise BadInput("no text in base64") from None
        case "json":
            return json.dumps(text, ensure_ascii=False)
        case "length":
            return str(len(text))


def _with(text: str, change: Change) -> str:
    match change.given()[0]:
        case "replace":
            return text.replace(change.replace, change.by)
        case "first":
            return text[: change.first]
        case "last":
            return text[-change.last :]
        case "word":
            words = text.split()
            place = change.word - 1 if change.word > 0 else change.word
            return words[place] if -len(words) <= place < len(words) else ""
        case "prefix":
            return change.prefix + text
        case "suffix":
            return text + change.suffix
        case "default":
            return text or change.default
    try:
        return f"{float(text):.{max(0, change.round or 0)}f}"
    except (ValueError, OverflowError):
        raise BadInput(f"{text!r:.40} is no number to round") from None
