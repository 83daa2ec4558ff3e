"""Secrets that stand elsewhere: `$env:NAME`, `$file:PATH`, `$credential:NAME`.

Anything else is the secret itself.  A credential is a file in $CREDENTIALS_DIRECTORY, which systemd sets for
a unit with LoadCredential=.  A file's path is relative to the configuration file that names it; line ends at
its end do not belong to the secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.values.fault import nearest

SOURCES = ("$env:", "$file:", "$credential:")
_REFERENCE = re.compile(r"(\$[A-Za-z]+:)(.*)", re.DOTALL)


def resolve(written: str, *, environ: Mapping[str, str], folder: Path) -> str:
    """The secret.  Raises ValueError saying which variable or file is missing."""
    match = _REFERENCE.fullmatch(written)
    if not match:
        return written
    source, name = match.groups()
    match source:
        case "$env:":
            if not environ.get(name):
                state = "empty" if name in environ else "not set"
                raise ValueError(f"the environment variable {name} is {state}")
            return environ[name]
        case "$file:":
            return _content(folder / name, f"the file {folder / name}")
        case "$credential:":
            directory = environ.get("CREDENTIALS_DIRECTORY")
            if not directory:
                raise ValueError(
                    f"the credential {name} cannot be read: CREDENTIALS_DIRECTORY is not set; "
                    f"systemd sets it for a unit with LoadCredential={name}:PATH"
                )
            return _content(Path(directory) / name, f"the credential {name} ({Path(directory) / name})")
    raise ValueError(
        f'"{source}" is no source of secrets{nearest(source, SOURCES) or "."} '
        f"There are {', '.join(SOURCES)}; a secret that begins like one has to stand in a file"
    )


def _content(path: Path, what: str) -> str:
    try:
        content = path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{what} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{what} is not UTF-8 text") from None
    if not content:
        raise ValueError(f"{what} is empty")
    return content
