"""Who a flow's HTTP request comes from: the headers that the service's [auths] ask for."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from gateway.config.model import Auth, Service
from gateway.values.clock import Clock
from gateway.values.errors import GatewayError

_TOKEN_TIMEOUT_SECONDS = 10.0
_TOKEN_OCTETS = 65_536
_EARLY_SECONDS = 30.0  # a token is asked for anew so long before it ends
_USUAL_SECONDS = 300.0  # of a token that does not say how long it is good for


class Unauthorised(GatewayError):
    """The request cannot show who it is from."""


class Authorised(Protocol):
    async def __call__(
        self, session: aiohttp.ClientSession, service: str, auth: str, method: str, url: str, body: str, /
    ) -> Mapping[str, str]:
        """Headers.  Raises Unauthorised."""
        ...


class _Token(Struct):
    """RFC 6749 section 5.1."""

    access_token: str
    expires_in: float = _USUAL_SECONDS


class Authoriser:
    def __init__(self, services: Mapping[str, Service], clock: Clock) -> None:
        self._services = services
        self._clock = clock
        self._tokens: dict[Auth, tuple[str, float]] = {}  # and when it ends, monotonic
        self._turns: dict[Auth, asyncio.Lock] = {}

    async def __call__(
        self, session: aiohttp.ClientSession, service: str, name: str, method: str, url: str, body: str, /
    ) -> Mapping[str, str]:
        if not name:
            return {}
        found = self._services.get(service)
        auth = found.auths.get(name) if found is not None else None
        if auth is None:
            raise Unauthorised(f"service {service!r} has no auth {name!r}")
        match auth.kind:
            case "none":
                return {}
            case "basic":
                return {"Authorization": _basic(auth.user, auth.password)}
            case "bearer":
                return {"Authorization": f"Bearer {auth.token}"}
            case "oauth2-client":
                return {"Authorization": f"Bearer {await self._token(session, auth)}"}
            case "hmac":
                return self._signed(auth, method, url, body)

    def _signed(self, auth: Auth, method: str, url: str, body: str) -> Mapping[str, str]:
        at = f"{self._clock.now():.0f}"
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        signed = f"{at}.{method}.{target}.{body}".encode()
        mac = hmac.new(auth.secret.encode(), signed, hashlib.sha256).hexdigest()
        return {"X-Timestamp": at, "X-Signature": mac}

    async def _token(self, session: aiohttp.ClientSession, auth: Auth) -> str:
        """One request for however many wait for it."""
        async with self._turns.setdefault(auth, asyncio.Lock()):
            token, ends = self._tokens.get(auth, ("", 0.0))
            now = self._clock.monotonic()
            if token and now < ends:
                return token
            answer = await self._ask(session, auth)
            self._tokens[auth] = answer.access_token, now + answer.expires_in - _EARLY_SECONDS
            return answer.access_token

    async def _ask(self, session: aiohttp.ClientSession, auth: Auth) -> _Token:
        form = {"grant_type": "client_credentials", **({"scope": auth.scope} if auth.scope else {})}
        try:
            async with session.post(
                auth.token_url,
                data=form,
                headers={
                    "Accept": "application/json",
                    "Authorization": _basic(auth.client_id, auth.client_secret),
                },
                timeout=aiohttp.ClientTimeout(total=_TOKEN_TIMEOUT_SECONDS),
                allow_redirects=False,
            ) as response:
                octets = bytearray()
                while len(octets) < _TOKEN_OCTETS and (some := await response.content.read(_TOKEN_OCTETS)):
                    octets += some
                if response.status != 200:
                    raise Unauthorised(f"{auth.token_url} gave no token: {response.status}")
                return msgspec.json.decode(octets, type=_Token)
        except TimeoutError:
            raise Unauthorised(f"{auth.token_url} did not answer in time") from None
        except (aiohttp.ClientError, OSError, msgspec.DecodeError, ValueError) as error:
            raise Unauthorised(f"{auth.token_url} gave no token: {type(error).__name__}: {error}") from None


def _basic(user: str, password: str) -> str:
    """RFC 7617."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
