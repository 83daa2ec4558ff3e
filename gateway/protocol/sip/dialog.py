"""Dialogs: what two ends remember of each other between requests (RFC 3261 section 12)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from gateway.protocol.sip.headers import BadHeader, NameAddr, Via
from gateway.protocol.sip.message import Message, Request, Response, make_request
from gateway.protocol.sip.uri import BadUri, Uri

TARGET_REFRESH = ("INVITE", "UPDATE")  # requests that may move the peer's Contact
DialogId = tuple[str, str, str]  # Call-ID, local tag, remote tag

_REQUEST_URI = re.compile(r"[^\s<>\"]+")  # what a request line can carry; `Uri` reads more than that
# nearly every Contact looks like this; the rest goes the long way
_USUAL_CONTACT = re.compile(
    r"<(sips?:(?:\+?[0-9A-Za-z]++@)?[A-Za-z0-9_.\-]++(?::[1-9][0-9]{0,3})?)>(?:;[^,\"]*)?"
)


def contact_of(message: Message) -> str | None:
    """The URI of the Contact, if there is one that sip can reach."""
    if usual := _USUAL_CONTACT.fullmatch(message.headers.get("Contact")):
        return usual[1]
    try:
        uri = message.address("Contact").uri
        return uri if Uri.parse(uri).host and _REQUEST_URI.fullmatch(uri) else None
    except (BadHeader, BadUri):
        return None


def _caller(request: Request) -> str:
    """Where to reach who sent this INVITE: its Contact, or From where that is missing.  Raises BadHeader."""
    if (contact := contact_of(request)) is not None:
        return contact
    uri = request.address("From").uri
    try:
        Uri.parse(uri)
    except BadUri as bad:
        raise BadHeader(f"no Contact, and From cannot stand in: {bad}") from None
    if not _REQUEST_URI.fullmatch(uri):
        raise BadHeader("no Contact, and From is not one word")
    return uri


@dataclass(slots=True)
class Dialog:
    """`local` and `remote` are From and To values with tags; `routes` are Route values, nearest first."""

    call_id: str
    local: str
    local_tag: str
    remote: str
    remote_tag: str
    remote_target: str
    routes: list[str]
    local_cseq: int
    remote_cseq: int
    invite_cseq: int = 0  # of ours that made it

    @classmethod
    def of_request(cls, request: Request, local_tag: str) -> Self:
        """The dialog that answering this INVITE makes (section 12.1.1).

        Raises BadHeader when no request could ever be sent back in it.
        """
        headers = request.headers
        return cls(
            request.call_id,
            f"{headers.get('To')};tag={local_tag}",
            local_tag,
            headers.get("From"),
            request.from_tag,
            _caller(request),
            _usable(headers.values("Record-Route")),
            0,
            request.cseq,
        )

    @classmethod
    def of_response(cls, request: Request, response: Response) -> Self:
        """The dialog that this response to our INVITE makes (section 12.1.2)."""
        return cls(
            request.call_id,
            request.headers.get("From"),
            request.from_tag,
            response.headers.get("To"),
            response.to_tag,
            contact_of(response) or request.uri,
            _usable(response.headers.values("Record-Route"))[::-1],
            request.cseq,
            -1,
            request.cseq,
        )

    @property
    def id(self) -> DialogId:
        return self.call_id, self.local_tag, self.remote_tag

    def next_hop(self) -> Uri | None:
        """Where requests go first (section 12.2.1.1); None when that is no sip URI."""
        try:
            return Uri.parse(NameAddr.parse(self.routes[0]).uri if self.routes else self.remote_target)
        except (BadHeader, BadUri):
            return None

    def request(
        self,
        method: str,
        via: Via,
        *,
        headers: Iterable[tuple[str, str]] = (),
        cseq: int | None = None,
        body: bytes = b"",
        content_type: str = "",
    ) -> Request:
        """A request inside the dialog; an ACK names the CSeq of its INVITE, others take the next."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self.remote_target, self.routes
        if routes:
            first = NameAddr.parse(routes[0]).uri
            if not Uri.parse(first).loose:
                # a strict router takes the Request-URI's place and finds the target last (section 12.2.1.1)
                uri, routes = first, [*routes[1:], f"<{self.remote_target}>"]
        return make_request(
            method,
            uri,
            via=via,
            from_=self.local,
            to=self.remote,
            call_id=self.call_id,
            cseq=cseq,
            headers=[*(("Route", route) for route in routes), *headers],
            body=body,
            content_type=content_type,
        )

    def refresh(self, request: Request) -> None:
        """Take note of a request of the peer: its CSeq, and the new Contact of one that may bring it."""
        self.remote_cseq = request.cseq
        if request.method in TARGET_REFRESH:
            self.remote_target = contact_of(request) or self.remote_target

    def go_on_from(self, early: Dialog) -> None:
        """Take over the numbers of what was an early dialog until this 2xx (section 13.2.2.4)."""
        self.local_cseq = max(self.local_cseq, early.local_cseq)
        self.remote_cseq = max(self.remote_cseq, early.remote_cseq)

    def refresh_by(self, response: Response) -> None:
        """Take the new Contact of a 2xx to an INVITE or UPDATE of ours."""
        self.remote_target = contact_of(response) or self.remote_target


def _usable(routes: list[str]) -> list[str]:
    """The route set, or none at all when a part of it cannot be read."""
    try:
        for route in routes:
            uri = NameAddr.parse(route).uri
            if not Uri.parse(uri).loose and not _REQUEST_URI.fullmatch(uri):
                return []
    except (BadHeader, BadUri):
        return []
    return routes
