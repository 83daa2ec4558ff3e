"""A registrar: who has registered, from where and until when. RFC 3261 section 10.3."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulators.sip_dialog import address_of
from simulators.sip_handset import number_key
from simulators.sip_message import Malformed, NameAddr, Request, Uri, split_outside_quotes
from simulators.sip_transactions import Address

DEFAULT_SECONDS = 3600
CONTACTS_LIMIT = 10
USERS_LIMIT = 1000

Headers = list[tuple[str, str]]
_Place = tuple[str, str, int | None]  # user, host and port: what makes two contacts one


@dataclass(frozen=True, slots=True)
class Binding:
    """`peer`: where the contact is; what it was registered from, if its host is a name."""

    user: str
    uri: str
    call_id: str
    cseq: int
    peer: Address
    until: float


@dataclass(slots=True)
class Registrar:
    """Grants at least `shortest` (else 423) and at most `longest` seconds. Times are of one steady clock."""

    shortest: int = 0
    longest: int = DEFAULT_SECONDS
    _bindings: dict[str, dict[_Place, Binding]] = field(default_factory=dict)

    def register(self, request: Request, source: Address, now: float) -> tuple[int, Headers]:
        """The answer to a REGISTER, as status and headers; all contacts count, or none. Raises Malformed."""
        user = Uri.parse(request.to.uri).user
        known = {place: binding for place, binding in self._of(user).items() if binding.until > now}
        contacts = [c for value in request.all("Contact") for c in split_outside_quotes(value, ",")]
        wanted = self._new(user, request, contacts, source, now)
        for place, binding in wanted.items():
            before = known.get(place)
            if before and before.call_id == binding.call_id and before.cseq >= binding.cseq:
                return 500, []  # an old one that comes late
            if 0 < binding.until - now < self.shortest:
                return 423, [("Min-Expires", str(self.shortest))]
        kept = {} if contacts == ["*"] else known
        kept = {place: binding for place, binding in (kept | wanted).items() if binding.until > now}
        if len(kept) > CONTACTS_LIMIT or (user not in self._bindings and len(self._bindings) >= USERS_LIMIT):
            return 503, [("Retry-After", "60")]
        self._bindings[user] = kept
        if not kept:
            del self._bindings[user]
        return 200, [("Contact", f"<{b.uri}>;expires={round(b.until - now)}") for b in kept.values()]

    def live(self, now: float) -> Iterator[Binding]:
        return (b for known in self._bindings.values() for b in known.values() if b.until > now)

    def find(self, number: str, now: float) -> Binding | None:
        """Where a number is reached: that user's contact, else anybody's (a trunk's account); the one that
        holds longest."""
        live = list(self.live(now))
        own = [binding for binding in live if number_key(binding.user) == number_key(number)]
        return max(own or live, key=lambda binding: binding.until, default=None)

    def _of(self, user: str) -> dict[_Place, Binding]:
        return self._bindings.get(user, {})

    def _new(
        self, user: str, request: Request, contacts: list[str], source: Address, now: float
    ) -> dict[_Place, Binding]:
        expires = whole_seconds(request.get("Expires") or str(DEFAULT_SECONDS))
        if "*" in contacts:
            if contacts != ["*"] or expires != 0:
                raise Malformed("Contact: * goes alone and with Expires: 0")
            return {}
        found = {}
        for contact in contacts:
            address = NameAddr.parse(contact)
            uri = Uri.parse(address.uri)
            given = address.params.get("expires")
            seconds = min(expires if given is None else whole_seconds(given), self.longest)
            peer = address_of(address.uri, source)
            found[uri.user, uri.host.lower(), uri.port] = Binding(
                user, address.uri, request.call_id, request.cseq[0], peer, now + seconds
            )
        return found


def whole_seconds(text: str) -> int:
    """Raises Malformed."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10:
        raise Malformed(f"expires {text[:20]!r}")
    return int(text)
