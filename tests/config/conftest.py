import tomllib
from collections.abc import Callable, Mapping
from textwrap import dedent

import pytest

from gateway.config.check import check
from gateway.config.model import Gateway, Service
from gateway.config.shape import Reader

Found = Callable[..., dict[str, str]]


@pytest.fixture
def found() -> Found:
    """Faults by path of a main file and services, both as TOML text that is right in shape."""

    def _found(main: str = "", services: Mapping[str, str] | None = None) -> dict[str, str]:
        reader = Reader(str)
        gateway = reader.struct(Gateway, tomllib.loads(dedent(main)), "")
        for name, text in (services or {}).items():
            table = tomllib.loads(dedent(text))
            gateway.services[name] = reader.struct(Service, table, f"services.{name}")
        assert reader.faults == []
        faults = check(gateway)
        assert len({fault.path for fault in faults}) == len(faults)
        return {fault.path: fault.what for fault in faults}

    return _found
