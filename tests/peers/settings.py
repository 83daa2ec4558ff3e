"""Sections of gateway.toml that many tests need, each with what is its own."""

from __future__ import annotations


def account(name: str, *more: str) -> str:
    """An account of the service "shop" whose system_id is its name and whose password is "right"."""
    usual = (f'system_id = "{name}"', 'password = "right"', 'service = "shop"')
    return _section(f"smpp.accounts.{name}", *usual, *more)


def bind(name: str, port: int | str, address: str, *more: str, system_id: str = "gw") -> str:
    """A bind to a carrier on this machine that sends from `address`."""
    there = ('host = "127.0.0.1"', f"port = {port}")
    usual = (*there, f'system_id = "{system_id}"', f'addresses = ["{address}"]')
    return _section(f"smpp.binds.{name}", *usual, *more)


def _section(name: str, *lines: str) -> str:
    return "\n".join(("", f"[{name}]", *lines, ""))
