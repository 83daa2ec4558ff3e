"""A secret at the top of a service's file, replaced by another in place; the old one holds for a while."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.config.locate import lines


def rotated(text: str, name: str, new: str, old: str, until: datetime) -> str:
    """The file's text with `name` = `new`, previous_`name` = `old` and its end.  Raises ValueError for a file
    in which they cannot be set: what stands there is not a plain line."""
    moment = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = {name: f'"{new}"'}
    if old:
        wanted |= {f"previous_{name}": f'"{old}"', f"previous_{name}_until": moment}
    before = tomllib.loads(text)
    after = text
    anchor = ""
    for key, value in wanted.items():
        after = _set(after, key, value, anchor)
        anchor = key
    expected = {**before, **{key: tomllib.loads(f"x = {value}")["x"] for key, value in wanted.items()}}
    if tomllib.loads(after) != expected:
        raise ValueError(f"{name} cannot be set in it")
    return after


def _set(text: str, key: str, value: str, anchor: str) -> str:
    """`key` stands where it stood, else behind `anchor`, else at the top."""
    all_lines = text.splitlines(keepends=True)
    known = lines(text)
    if key in known:
        at = known[key] - 1
        line = re.fullmatch(
            r"""(\s*[\w.-]+\s*=\s*)("[^"]*"|'[^']*'|[^#\s]+)(\s*(?:#.*)?\n?)""", all_lines[at]
        )
        if line is None:
            raise ValueError(f"{key} in line {at + 1} is no plain value")
        all_lines[at] = f"{line[1]}{value}{line[3]}"
    else:
        all_lines.insert(known.get(anchor, 0), f"{key} = {value}\n")
    return "".join(all_lines)


def replace_file(file: Path, text: str) -> None:
    """Whole or not at all, with the same mode.  Raises ClickException."""
    try:
        mode = file.stat().st_mode & 0o777
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            os.fchmod(descriptor, mode)
            with open(descriptor, "w", encoding="utf-8") as new:
                new.write(text)
                new.flush()
                os.fsync(descriptor)
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None


def read_file(file: Path) -> tuple[str, Mapping[str, object]]:
    """Text and table.  Raises ClickException."""
    try:
        text = file.read_text("utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}") from None
