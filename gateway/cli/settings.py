"""What commands read of the configuration, and the store that it names."""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.check import CONFIG
from gateway.cli.lint import lint
from gateway.config.load import Lint, load
from gateway.config.model import Gateway, Service
from gateway.config.shape import Reader
from gateway.store.file import path_of
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import GatewayError, StoreUnusable

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

_option = click.option(
    "-c", "--config", default=CONFIG, show_default=True, metavar="FILE", help="The main configuration file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def config_option(command: Command) -> Command:
    """-c/--config, as the argument `config`."""
    return _option(command)


def settings(config: str, *, lint: Lint = lint) -> Gateway:
    """The whole configuration, secrets as they are written; what is wrong with it ends the command."""
    loaded = load(config, environ=os.environ, lint=lint, secrets=False)
    if loaded.gateway is None:
        raise click.ClickException("\n".join(map(str, loaded.faults)))
    return loaded.gateway


def service_of(gateway: Gateway, name: str) -> Service:
    if name not in gateway.services:
        known = ", ".join(gateway.services) or "none"
        raise click.ClickException(f"no service is named {name!r} (there are: {known})")
    return gateway.services[name]


def store_path(config: str) -> Path:
    """The store's file.  Reads nothing else, so that a fault elsewhere does not hide what has happened."""
    try:
        table = tomllib.loads(Path(config).read_text("utf-8"))
    except OSError as error:
        raise click.ClickException(f"{config} cannot be read: {error.strerror}") from None
    except ValueError as error:  # no UTF-8, no TOML
        raise click.ClickException(f"{config}: {error}") from None
    gateway = Reader(str).struct(Gateway, table, "")
    try:
        return path_of(gateway.store.url, os.environ.get("STATE_DIRECTORY") or gateway.state_directory)
    except StoreUnusable as error:
        raise click.ClickException(str(error)) from None


def look(config: str, question: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """Ask the store something, beside a daemon that may be using it."""

    async def asked() -> T:
        store = SqliteStore(store_path(config), read_only=True)
        await store.open()
        try:
            return await question(store)
        finally:
            await store.close()

    return run(asked)


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work`; what the gateway raises on purpose becomes the command's error."""

    async def told() -> T:
        return await work()

    try:
        return asyncio.run(told())
    except GatewayError as error:
        raise click.ClickException(str(error)) from None
