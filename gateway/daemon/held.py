"""Binds that an operator has taken down, `gateway bind NAME down`: named in a file beside the store, so that
they stay down over a restart, and taken up at SIGUSR1.

    {"north": "down", "south": "drain"}
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

log = logging.getLogger(__name__)

FILE = "binds.json"

How = Literal["down", "drain"]

_decode = msgspec.json.Decoder(dict[str, How]).decode


def held(directory: Path) -> dict[str, How]:
    """Who is to be down, and how they get there.  A file that cannot be read holds nobody, and is logged."""
    try:
        return _decode((directory / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("bind.held_unreadable", extra={"path": str(directory / FILE), "reason": str(error)})
        return {}


def hold(directory: Path, name: str, how: How | None) -> None:
    """Note that a bind is to be down, or (None) no more.  Raises OSError."""
    wanted = held(directory)
    if how is None:
        wanted.pop(name, None)
    else:
        wanted[name] = how
    _replace(directory / FILE, wanted)


def _replace(file: Path, wanted: Mapping[str, How]) -> None:
    new = file.with_name(f"{file.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as to:
        to.write(msgspec.json.encode(wanted))
        to.flush()
        os.fsync(to.fileno())
    os.rename(new, file)
