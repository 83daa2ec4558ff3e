"""The gateway's own secret: what one-time passwords and tokens are made from."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from gateway.config.model import Secret
from gateway.values.errors import StoreUnusable

FILE = "secret.key"
_OCTETS = 32


def secret_of(written: Secret, state_directory: Path) -> bytes:
    """As the configuration has it, else that of the state directory, which is made if there is none.

    Raises StoreUnusable.
    """
    if written:
        return str(written).encode()
    path = state_directory / FILE
    try:
        state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # whole or not at all, also when the machine stops meanwhile
            fresh = path.with_suffix(f".{os.getpid()}")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(_OCTETS))
                file.flush()
                os.fsync(file.fileno())
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink(missing_ok=True)
        found = path.read_text("ascii").strip()
    except OSError as error:
        raise StoreUnusable(
            f"{error.filename or path}: {error.strerror}; the gateway's user needs to read and write it"
        ) from error
    if len(found) < _OCTETS:
        raise StoreUnusable(
            f"{path} is no key: restore it from a backup, or remove it to have a new one made"
        )
    return found.encode()
