"""The running gateway, asked over its own HTTP interface."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from gateway.config.endpoint import host_port
from gateway.config.model import Gateway
from gateway.config.secrets import resolve
from gateway.values.errors import GatewayError
from gateway.values.service_key import is_hashed

_SECONDS = 30.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Unanswered(GatewayError):
    """The gateway cannot be reached, or what answers is no gateway."""


class Refused(GatewayError):
    """It answered with a problem."""


def address(gateway: Gateway) -> str:
    """http://127.0.0.1:8080: where a gateway with this configuration listens, seen from this machine."""
    host, port = host_port(gateway.http.listen)
    host = _EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def key_of(gateway: Gateway, service: str, config: str) -> str:
    """The service's key, resolved.  Raises Refused with the reason and the way out."""
    folder = Path(config).parent / "services"
    if is_hashed(gateway.services[service].key):
        raise Refused(
            f"the file of {service} has only the hash of its key; give it as --key or in GATEWAY_KEY"
        )
    try:
        return resolve(gateway.services[service].key, environ=os.environ, folder=folder)
    except ValueError as error:
        raise Refused(f"the key of {service}: {error}; give it as --key or in GATEWAY_KEY") from None


class Api:
    """`async with Api(url, key) as api`."""

    def __init__(self, url: str, key: str = "") -> None:
        self._url = url
        self._headers = {"key": key} if key else {}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        # an operator's proxy is not for the gateway on this machine
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON body, whatever the status."""
        return await self._ask("GET", path)

    async def fetch(self, path: str) -> dict[str, Any]:
        """The body of a success.  Raises Refused."""
        return _success(*await self._ask("GET", path))

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The body of a success.  Raises Refused."""
        return _success(*await self._ask("POST", path, body))

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, dict[str, Any]]:
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
                status, content = answer.status, await answer.read()
        except TimeoutError:
            raise Unanswered(f"{self._url} did not answer within {_SECONDS:g} s") from None
        except aiohttp.ClientConnectorError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise Unanswered(f"no gateway answers at {self._url} ({reason}): is it running?") from None
        except aiohttp.ClientError as error:
            raise Unanswered(f"{self._url} broke off: {error}") from None
        try:
            return status, msgspec.json.decode(content, type=dict[str, Any])
        except msgspec.DecodeError:
            raise Unanswered(f"what answers at {self._url}{path} is no gateway (status {status})") from None


def _success(status: int, body: dict[str, Any]) -> dict[str, Any]:
    if status < 300:
        return body
    field = f"{body['field']}: " if body.get("field") else ""
    raise Refused(f"{field}{body.get('reason', 'no reason given')} ({status} {body.get('code', '')})")
