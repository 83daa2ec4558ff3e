"""What all calls of one carrier share, and the dialog of one answered call: RFC 3261 section 12."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import trio

from simulators.rtp_socket import Audio
from simulators.sip_message import DEFAULT_PORT, Malformed, Message, NameAddr, Request, Response, Uri
from simulators.sip_transactions import Address, Emit, TransactionLayer, new_branch, new_tag

DialogKey = tuple[str, str, str]
ALLOW = ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER")
SDP_TYPE = ("Content-Type", "application/sdp")


@dataclass(slots=True)
class Exchange:
    """The carrier as its calls see it. `host` and `port` are what it tells peers about itself."""

    name: str
    host: str
    port: int
    nursery: trio.Nursery
    layer: TransactionLayer
    emit: Emit
    dropped: Callable[[], bool]
    record: Path | None = None
    counts: Counter[str] = field(default_factory=Counter)
    dialogs: dict[DialogKey, "Dialog"] = field(default_factory=dict)

    @property
    def contact(self) -> tuple[str, str]:
        return "Contact", f"<sip:{self.host}:{self.port}>"

    def user_uri(self, number: str) -> str:
        return f"sip:{number}@{self.host}:{self.port}"

    def via(self) -> tuple[str, str]:
        """A topmost Via of ours with a new branch."""
        return "Via", f"SIP/2.0/UDP {self.host}:{self.port};branch={new_branch()};rport"

    def outside_dialog(
        self, method: str, uri: str, *, from_: str, to: str, call_id: str, body: bytes = b""
    ) -> Request:
        """A request that begins something; `from_` and `to` are URIs."""
        headers = [
            self.via(),
            ("Max-Forwards", "70"),
            ("From", f"<{from_}>;tag={new_tag()}"),
            ("To", f"<{to}>"),
            ("Call-ID", call_id),
            ("CSeq", f"1 {method}"),
            self.contact,
            ALLOW,
            ("User-Agent", f"trunkline-carrier-{self.name}"),
        ]
        return Request([*headers, SDP_TYPE] if body else headers, body, method, uri)


@dataclass(slots=True)
class Dialog:
    """One side of an answered call: `number`'s. `local` and `remote` are From and To of what we send."""

    exchange: Exchange
    role: str
    call_id: str
    local: str
    remote: str
    target: str
    peer: Address
    audio: Audio
    number: str
    cseq: int
    remote_cseq: int = 0
    ack: Request | None = None
    unacked: dict[int, trio.Event] = field(default_factory=dict)
    over: trio.Event = field(default_factory=trio.Event)
    over_by: str = ""

    @property
    def key(self) -> DialogKey:
        return self.call_id, NameAddr.parse(self.local).tag, NameAddr.parse(self.remote).tag

    @property
    def other(self) -> str:
        return "callee" if self.role == "caller" else "caller"

    def end(self, by: str) -> None:
        """The first cause counts."""
        if not self.over.is_set():
            self.over_by = by
            self.over.set()

    def request(self, method: str, *, cseq: int | None = None) -> Request:
        """The next request in the dialog, or the ACK of an INVITE by its CSeq number."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        headers = [
            self.exchange.via(),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        return Request(headers, b"", method, self.target)

    def send_ack(self) -> None:
        """The ACK of our INVITE's 2xx, the same one each time. Source: RFC 3261 section 13.2.2.4."""
        if self.ack is not None:
            self.exchange.layer.send(self.ack.encode(), self.peer)

    async def talk(self, *, seconds: float) -> None:
        """Play and listen until the peer's BYE or so many seconds, then tell what was heard."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.audio.run)
            with trio.move_on_after(seconds):
                await self.over.wait()
            nursery.cancel_scope.cancel()
        self.end(self.role)
        bye = None
        if self.over_by == self.role:
            bye = self.exchange.layer.request(self.request("BYE"), self.peer)
        self.audio.close()
        await self._report()
        self.exchange.emit("hung_up", call_id=self.call_id, by=self.over_by)
        if bye is not None and await bye.final() is None:
            self.exchange.emit("error", reason="no answer to BYE", call_id=self.call_id)
        # repeats of a 2xx and crossing BYEs still find their dialog for a while
        await trio.sleep(self.exchange.layer.timers.life)
        self.exchange.dialogs.pop(self.key, None)

    async def _report(self) -> None:
        wav: Path | None = None
        if self.exchange.record is not None:
            safe = re.sub(r"[^A-Za-z0-9.@_-]", "_", self.call_id)[:120]
            wav = self.exchange.record / f"{safe}-{self.role}.wav"
            try:
                await trio.to_thread.run_sync(self.audio.listener.write_wav, wav)
            except OSError as error:
                self.exchange.emit("error", reason=f"recording: {error}", call_id=self.call_id)
                wav = None
        self.exchange.emit(
            "heard",
            call_id=self.call_id,
            role=self.role,
            **self.audio.listener.report(),
            wav=None if wav is None else str(wav),
        )


def contact_of(message: Request | Response) -> str:
    """The URI of the Contact. Raises Malformed."""
    return NameAddr.parse(message.need("Contact")).uri


def address_of(uri: str, fallback: Address) -> Address:
    """Where a Contact's URI points, if it is an IPv4 address; names are not looked up."""
    parsed = Uri.parse(uri)
    try:
        return str(IPv4Address(parsed.host)), parsed.port or DEFAULT_PORT
    except AddressValueError:
        return fallback


def user_of(message: Message, header: str) -> str:
    """The number in From or To, or the whole URI where there is no user part."""
    uri = NameAddr.parse(message.need(header)).uri
    try:
        return Uri.parse(uri).user or uri
    except Malformed:
        return uri
