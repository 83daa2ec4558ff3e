"""Smart links of messages: made with the message, opened by its customer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from gateway.config.model import Service
from gateway.content import smart_link
from gateway.content.smart_link import PATH, Tokens
from gateway.store.base import Store, Unit
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.event import Event, Trigger
from gateway.values.link import Link
from gateway.values.message import Message

_REMEMBERED = 10_000  # links that were opened lately

# service, click or preview
Count = Callable[[str, str], None]


# What follows from a click, by a device, joins the unit that records it: rules, waiting sessions
Clicked = Callable[[Unit, Event, Link, str], None]


class Links:
    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        base: str,
        tokens: Tokens,
        clock: Clock,
        store: Store,
        record: Callable[[Unit], None],
        clicked: Clicked,
        count: Count = lambda service, what: None,
    ) -> None:
        """`base` is the URL that all begin with, without a path: "https://s.example.org"."""
        self._services = services
        self._base = base.rstrip("/")
        self._tokens = tokens
        self._clock = clock
        self._store = store
        self._record = record
        self._clicked = clicked
        self._count = count
        self._next = 1
        self._opened: OrderedDict[str, Link] = OrderedDict()

    async def load(self) -> None:
        self._next = await self._store.last_link() + 1

    def make(self, unit: Unit, service: str, name: str, address: str, ref: str) -> str:
        """A link of the service for that customer: its URL.  Raises BadInput."""
        settings = self._services.get(service)
        wanted = settings.links.get(name) if settings is not None else None
        if settings is None or wanted is None:
            known = ", ".join(settings.links) if settings is not None else ""
            raise BadInput(
                f"service {service!r} has no link {name!r} (it has: {known or 'none'})",
                field="link",
                code="unknown_link",
            )
        now, number = self._clock.now(), self._next
        self._next += 1
        link = Link(
            token=self._tokens.token(number),
            number=number,
            service=service,
            name=name,
            address=address,
            ref=ref,
            android=wanted.android,
            ios=wanted.ios,
            other=wanted.other,
            after=wanted.after,
            created_at=now,
            expires_at=now + wanted.expires,
        )
        unit.writes.append(link)
        return f"{self._base}{PATH}{link.token}"

    def put_in(self, unit: Unit, message: Message) -> Message:
        """The message with links of its own for $(link.NAME); one of each name in all its steps."""
        settings = self._services.get(message.service)
        if settings is None or not settings.links:
            return message
        names = {name for step in message.plan for name in smart_link.named(step.text)}
        urls = {
            name: self.make(unit, message.service, name, message.recipient, message.id)
            for name in sorted(names & settings.links.keys())
        }
        if not urls:
            return message
        plan = tuple(replace(step, text=smart_link.put_in(step.text, urls)) for step in message.plan)
        return replace(message, text=plan[0].text, plan=plan)

    async def forget(self, unit: Unit, service: str, address: str) -> bool:
        """Links that were made for a customer lead on, and say no more whose they are.  False: there are
        none.  Raises StoreError."""
        found = await self._store.links_of(service, address)
        for link in found:
            before = self._opened.get(link.token)
            nobodys = replace(before or link, address="", ref="")
            unit.writes.append(nobodys)
            if before is not None:
                self._opened[link.token] = nobodys
        return bool(found)

    async def find(self, token: str) -> Link | None:
        """Raises StoreError."""
        if not smart_link.is_token(token):
            return None
        link = self._opened.get(token) or await self._store.link(token)
        # another request may have counted a click meanwhile
        return self._opened.get(token, link)

    def open(self, link: Link, device: str, *, by_program: bool) -> str:
        """Count a look at a link: the URL that it leads to, "" = it has expired."""
        link = self._opened.get(link.token, link)
        now = self._clock.now()
        unit = Unit()
        if by_program:
            after = replace(link, previews=link.previews + 1)
        else:
            after = replace(link, clicks=link.clicks + 1, clicked_at=now)
            data = {"link": link.name, "device": device, "count": after.clicks}
            event = Event(ref=link.ref, type=Trigger.LINK_CLICKED, service=link.service, at=now, data=data)
            unit.writes.append(event)
            self._clicked(unit, event, after, device)
        unit.writes.append(after)
        self._opened[link.token] = after
        self._opened.move_to_end(link.token)
        if len(self._opened) > _REMEMBERED:
            self._opened.popitem(last=False)
        self._count(link.service, "preview" if by_program else "click")
        self._record(unit)
        return smart_link.target(after, device, now)
