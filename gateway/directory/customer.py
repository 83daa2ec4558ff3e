"""Profiles: what services keep of their customers.  In memory, since conditions ask for it at once, and
packed: the names of attributes, which many have in common, are kept once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.store.base import Delete, Store, Unit
from gateway.values.customer import Customer
from gateway.values.errors import BadInput
from gateway.values.variables import INTEGER_BITS, storable

LIMIT_ATTRIBUTES = 100
LIMIT_OCTETS = 8_192  # of all attributes of one customer, as JSON
OURS = ("address", "opted_out", "customerid")  # names that `customer.` has already

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LIMIT_NAMES = 4_096  # sets of names; one beyond these is written out in each profile
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Customers:
    def __init__(self) -> None:
        self._kept: dict[str, dict[str, bytes]] = {}  # by service and address
        self._addresses: dict[str, dict[str, str]] = {}  # by service and customerid
        self._names: list[tuple[str, ...]] = []
        self._numbers: dict[tuple[str, ...], int] = {}

    async def load(self, store: Store) -> None:
        for customer in await store.customers():
            self._put((customer.service, customer.address), self._packed(customer))

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def get(self, service: str, address: str) -> Customer | None:
        octets = self._octets((service, address))
        if octets is None:
            return None
        customerid, updated_at, number, *values = _decode(octets)
        names = self._names[number] if isinstance(number, int) else number
        return Customer(
            service=service,
            address=address,
            customerid=customerid,
            attributes=dict(zip(names, values, strict=True)),
            updated_at=updated_at,
        )

    def known(self, service: str, address: str) -> Mapping[str, Any]:
        """What conditions and texts see as `customer.NAME`, beside what they always see."""
        customer = self.get(service, address)
        return {} if customer is None else {**customer.attributes, "customerid": customer.customerid}

    def address(self, service: str, customerid: str) -> str:
        """Whose id that is, as the client calls them; "" = nobody's.  Of several: who got it last."""
        return self._addresses.get(service, {}).get(customerid, "")

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
        if len(merged) > LIMIT_ATTRIBUTES or len(msgspec.json.encode(merged)) > LIMIT_OCTETS:
            what = f"a profile holds {LIMIT_ATTRIBUTES} attributes and {LIMIT_OCTETS} octets at most"
            raise BadInput(what, field="attributes", code="too_large")
        self._replace(unit, (service, address), self._packed(customer))
        unit.writes.append(customer)
        return customer

    def erase(self, unit: Unit, service: str, address: str) -> bool:
        """Forget the profile.  False: there is none."""
        if self._octets((service, address)) is None:
            return False
        self._replace(unit, (service, address), None)
        unit.writes.append(Delete(Customer, (service, address)))
        return True

    def _replace(self, unit: Unit, key: tuple[str, str], octets: bytes | None) -> None:
        before = self._octets(key)
        self._put(key, octets)

        def take_back() -> None:
            if self._octets(key) is octets:  # else it has been changed since
                self._put(key, before)

        unit.undo.append(take_back)

    def _put(self, key: tuple[str, str], octets: bytes | None) -> None:
        service, address = key
        kept = self._kept.setdefault(service, {})
        addresses = self._addresses.setdefault(service, {})
        had = _decode(kept[address])[0] if address in kept else ""
        has = _decode(octets)[0] if octets is not None else ""
        if had and had != has and addresses.get(had) == address:
            del addresses[had]
        if has:
            addresses[has] = address
        if octets is None:
            kept.pop(address, None)
        else:
            kept[address] = octets

    def _octets(self, key: tuple[str, str]) -> bytes | None:
        service, address = key
        return self._kept.get(service, {}).get(address)

    def _packed(self, customer: Customer) -> bytes:
        """[customerid, updated_at, names or their number, value, ...]"""
        names = tuple(customer.attributes)
        number = self._numbers.get(names)
        if number is None and len(self._names) < _LIMIT_NAMES:
            number = self._numbers[names] = len(self._names)
            self._names.append(names)
        known = names if number is None else number
        octets = _encode((customer.customerid, customer.updated_at, known, *customer.attributes.values()))
        return bytes(memoryview(octets))  # what the encoder gives has a third of its room to spare


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
