"""Profiles: what services keep of their customers.  In memory, as JSON: conditions ask for it at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.store.base import Delete, Store, Unit
from gateway.values.customer import Customer
from gateway.values.errors import BadInput
from gateway.values.variables import INTEGER_BITS, storable

LIMIT_ATTRIBUTES = 100
LIMIT_OCTETS = 8_192  # of all attributes of one customer, as JSON
OURS = ("address", "opted_out", "customerid")  # names that `customer.` has already

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_encode = msgspec.json.Encoder().encode


class _Kept(Struct, frozen=True, gc=False, array_like=True):
    customerid: str
    attributes: dict[str, Any]
    updated_at: float


_decode = msgspec.json.Decoder(_Kept).decode


class Customers:
    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}
        self._addresses: dict[tuple[str, str], str] = {}  # by service and customerid

    async def load(self, store: Store) -> None:
        for customer in await store.customers():
            self._put((customer.service, customer.address), _octets(customer))

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, service: str, address: str) -> Customer | None:
        kept = self._kept.get((service, address))
        if kept is None:
            return None
        found = _decode(kept)
        return Customer(
            service=service,
            address=address,
            customerid=found.customerid,
            attributes=found.attributes,
            updated_at=found.updated_at,
        )

    def known(self, service: str, address: str) -> Mapping[str, Any]:
        """What conditions and texts see as `customer.NAME`, beside what they always see."""
        if (service, address) not in self._kept:
            return {}
        customer = self.get(service, address)
        assert customer is not None
        return {**customer.attributes, "customerid": customer.customerid}

    def address(self, service: str, customerid: str) -> str:
        """Whose id that is, as the client calls them; "" = nobody's.  Of several: who got it last."""
        return self._addresses.get((service, customerid), "")

    def language(self, service: str, address: str) -> str:
        """The attribute of that name; "" where there is none."""
        return str(self.known(service, address).get("language", ""))

    def set(
        self,
        unit: Unit,
        service: str,
        address: str,
        attributes: Mapping[str, Any],
        now: float,
        *,
        customerid: str | None = None,
        whole: bool = False,
    ) -> Customer:
        """Change attributes, those that are None are taken away; `whole`: there are no others.

        `customerid` None leaves it as it is.  It holds at once, and for ever once the unit is durable.
        Raises BadInput, naming the attribute.
        """
        key = (service, address)
        before = self.get(service, address)
        merged = {} if before is None or whole else dict(before.attributes)
        for name, value in attributes.items():
            _check(name, value)
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = value
        if customerid is None:
            customerid = before.customerid if before is not None else ""
        customer = Customer(
            service=service, address=address, customerid=customerid, attributes=merged, updated_at=now
        )
        octets = _octets(customer)
        if len(merged) > LIMIT_ATTRIBUTES or len(octets) > LIMIT_OCTETS:
            what = f"a profile holds {LIMIT_ATTRIBUTES} attributes and {LIMIT_OCTETS} octets at most"
            raise BadInput(what, field="attributes", code="too_large")
        self._replace(unit, key, octets)
        unit.writes.append(customer)
        return customer

    def erase(self, unit: Unit, service: str, address: str) -> bool:
        """Forget the profile.  False: there is none."""
        if (service, address) not in self._kept:
            return False
        self._replace(unit, (service, address), None)
        unit.writes.append(Delete(Customer, (service, address)))
        return True

    def _replace(self, unit: Unit, key: tuple[str, str], octets: bytes | None) -> None:
        before = self._kept.get(key)
        self._put(key, octets)

        def take_back() -> None:
            if self._kept.get(key) is octets:  # else it has been changed since
                self._put(key, before)

        unit.undo.append(take_back)

    def _put(self, key: tuple[str, str], octets: bytes | None) -> None:
        service, address = key
        before = self._kept.get(key)
        had = _decode(before).customerid if before is not None else ""
        has = _decode(octets).customerid if octets is not None else ""
        if had and had != has and self._addresses.get((service, had)) == address:
            del self._addresses[service, had]
        if has:
            self._addresses[service, has] = address
        if octets is None:
            self._kept.pop(key, None)
        else:
            self._kept[key] = octets


def _check(name: str, value: Any) -> None:
    field = f"attributes.{name}"
    if name in OURS:
        raise BadInput(f"customer.{name} is given by the gateway", field=field)
    if not _NAME.fullmatch(name):
        raise BadInput("a name has letters, digits and underscores, 64 at most, no digit first", field=field)
    if isinstance(value, Mapping | list | tuple):
        raise BadInput("must be text, a number, true or false", field=field)
    if not storable(value):
        raise BadInput(f"a whole number has {INTEGER_BITS} bits at most", field=field)


def _octets(customer: Customer) -> bytes:
    return _encode(_Kept(customer.customerid, customer.attributes, customer.updated_at))
