"""A scripted peer around one user agent, on a virtual clock."""

import random

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import Call, IncomingCall, SipEvent
from gateway.protocol.sip.headers import Via
from gateway.protocol.sip.message import Request, Response, make_request, parse, respond

US = Address("192.0.2.1", 5060)
PEER = Address("192.0.2.2", 5070)


class Wire:
    """What PEER sends and sees."""

    def __init__(self, **options: int) -> None:
        trunks = {"192.0.2.2": "east", "192.0.2.3": "west"}
        self.agent = UserAgent(
            *US[:2], admit=trunks.get, rng=random.Random(1), user_agent="trunkline", **options
        )
        self.now = 0.0
        self._branches = 0
        self._unread: list[tuple[float, Address, Request | Response]] = []

    # --- what the agent did

    def _collect(self) -> None:
        for datagram in self.agent.datagrams():
            message = parse(datagram.data)
            assert message is not None
            self._unread.append((self.now, datagram.address, message))

    def take(self) -> list[tuple[float, Address, Request | Response]]:
        """(time, destination, message) since the last call."""
        self._collect()
        out, self._unread = self._unread, []
        return out

    def sent(self) -> list[Request | Response]:
        return [message for _, _, message in self.take()]

    def words(self) -> list[str]:
        """The same as `METHOD` or `status METHOD`."""
        return [word(message) for message in self.sent()]

    def events(self) -> list[SipEvent]:
        out: list[SipEvent] = []
        while (event := self.agent.next_event()) is not None:
            out.append(event)
        return out

    def pass_time(self, seconds: float) -> None:
        self._collect()
        end = self.now + seconds
        while (deadline := self.agent.deadline()) is not None and deadline <= end:
            self.now = deadline
            self.agent.tick(deadline)
            self._collect()
        self.now = end

    # --- what the peer does

    def send(self, message: Request | Response | bytes, source: Address = PEER) -> None:
        self.agent.receive(bytes(message), source, self.now)
        self._collect()

    def request(
        self,
        method: str,
        uri: str = "sip:+442079460000@192.0.2.1",
        *,
        to_tag: str = "",
        from_tag: str = "f",
        call_id: str = "c1",
        cseq: int = 1,
        branch: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> Request:
        if not branch:
            self._branches += 1
            branch = f"z9hG4bKp{self._branches}"
        return make_request(
            method, uri, via=Via("UDP", *PEER[:2], {"branch": branch, "rport": None}),
            from_=f'"Ann" <sip:+41795550102@192.0.2.2>;tag={from_tag}',
            to="<sip:+442079460000@192.0.2.1>" + (f";tag={to_tag}" if to_tag else ""),
            call_id=call_id, cseq=cseq, headers=(("Contact", f"<sip:ann@{PEER[0]}:{PEER[1]}>"), *headers),
            body=body, content_type=content_type,
        )  # fmt: skip

    def call(self, body: bytes = b"offer", **fields: object) -> tuple[Call, Request]:
        """An INVITE arrived; its 100 and its event are taken."""
        invite = self.request("INVITE", body=body, **fields)
        self.send(invite)
        assert self.words() == ["100 INVITE"]
        (event,) = self.events()
        assert isinstance(event, IncomingCall)
        return event.call, invite

    def answered(self, **fields: object) -> tuple[Call, Response]:
        """An inbound call that stands."""
        call, _ = self.call(**fields)
        self.agent.answer(call, b"answer", self.now)
        ok = self.sent()[0]
        self.send(self.inside(call, "ACK", 1))
        self.events()
        return call, ok

    def dialled(self, headers: tuple[tuple[str, str], ...] = ()) -> tuple[Call, Request]:
        """An outbound call that stands."""
        call, invite = self.dial()
        self.reply(invite, 200, body=b"answer", headers=headers)
        assert self.words() == ["ACK"]
        self.events()
        return call, invite

    def inside(self, call: Call, method: str, cseq: int, **fields: object) -> Request:
        """A request of the peer in the dialog of a call."""
        assert call.dialog is not None
        dialog = call.dialog
        return self.request(
            method,
            call_id=dialog.call_id,
            to_tag=dialog.local_tag,
            from_tag=dialog.remote_tag,
            cseq=cseq,
            **fields,
        )

    def dial(self) -> tuple[Call, Request]:
        """An INVITE of ours; it is taken."""
        call = self.agent.invite(PEER, "+41795550102", "+442079460000", b"offer", self.now)
        (invite,) = self.sent()
        return call, invite

    def reply(
        self,
        request: Request,
        status: int,
        tag: str = "p",
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        contact = (
            ()
            if any(name == "Contact" for name, _ in headers)
            else (("Contact", f"<sip:bob@{PEER[0]}:{PEER[1]}>"),)
        )
        self.send(respond(request, status, to_tag=tag, headers=(*contact, *headers), body=body,
                          content_type="application/sdp"))  # fmt: skip


def word(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq_method}"


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def small_wire() -> Wire:
    """One call at a time."""
    return Wire(max_calls=1)
