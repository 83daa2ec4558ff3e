"""RTCP (RFC 3550 section 6): how each side tells the other what it sent and how well it came.

    |V=2|P| count |      PT       |         length in words - 1     |   200 SR, 201 RR, 202 SDES, 203 BYE

A compound packet is a report, then our name, then a BYE at the end.  Reports are read leniently: what another
profile adds behind a known part is passed over.
"""

from collections.abc import Iterator
from struct import Struct, error
from typing import Final, NamedTuple

from gateway.protocol.rtp.packet import RtpError

SENDER_REPORT, RECEIVER_REPORT, SDES, BYE = 200, 201, 202, 203
_HEAD: Final = Struct(">BBHI")  # with the SSRC that nearly every packet begins with
_SENDER: Final = Struct(">QIII")
_BLOCK: Final = Struct(">IIIIII")
_NTP_EPOCH: Final = 2_208_988_800  # 1 January 1900, in seconds before 1970
_CNAME: Final = 1


class Block(NamedTuple):
    """What one side says of the stream of `ssrc` that it receives; `jitter` in timestamp units.

    `last_sender_report` is the middle of that report's NTP time, `delay` the time since, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int  # of 256, since the last report
    lost: int  # altogether, signed
    highest_sequence: int  # with the number of its cycles above 2^16
    jitter: int
    last_sender_report: int
    delay: int


class SenderInfo(NamedTuple):
    """When a report was sent, as NTP time and as the stream's timestamp, and what was sent until then."""

    ntp: int  # 32.32 fixed point
    timestamp: int
    packets: int
    octets: int


class Report(NamedTuple):
    """An SR, or without `sender` an RR."""

    ssrc: int
    sender: SenderInfo | None
    blocks: tuple[Block, ...]


class Bye(NamedTuple):
    """These sources have nothing more to say."""

    ssrcs: tuple[int, ...]


def ntp(wall: float) -> int:
    """Unix seconds as NTP time, 32.32 fixed point."""
    return int((wall + _NTP_EPOCH) * 2**32) & (2**64 - 1)


def middle(ntp_time: int) -> int:
    """The 32 bits of an NTP time by which reports refer to each other: 16.16 fixed point."""
    return ntp_time >> 16 & 0xFFFFFFFF


def pack(report: Report, cname: str, *, bye: bool = False) -> bytes:
    """A compound packet of at most one block: the report, our canonical name, and a BYE."""
    body = b"" if report.sender is None else _SENDER.pack(*report.sender)
    body += b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | (max(-(2**23), min(block.lost, 2**23 - 1)) & 0xFFFFFF),
            *block[3:],
        )
        for block in report.blocks
    )
    kind = RECEIVER_REPORT if report.sender is None else SENDER_REPORT
    name = cname.encode()[:255]
    item = bytes([_CNAME, len(name)]) + name
    item += bytes(4 - len(item) % 4)  # one to four zeros: the end of the list, then padding
    packets = [(kind, len(report.blocks), body), (SDES, 1, item)]
    if bye:
        packets.append((BYE, 1, b""))
    return b"".join(
        _HEAD.pack(0x80 | count, kind, 1 + len(body) // 4, report.ssrc) + body
        for kind, count, body in packets
    )


def parse(data: bytes) -> list[Report | Bye]:
    """The reports and BYEs of a compound packet, in order.  Raises RtpError."""
    try:
        return list(_parse(data))
    except error as cut:
        raise RtpError("an RTCP packet is cut off") from cut


def _parse(data: bytes) -> Iterator[Report | Bye]:
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise RtpError(f"{len(data) - at} octets are too short for an RTCP header")
        first, kind = data[at], data[at + 1]
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if first >> 6 != 2:
            raise RtpError(f"RTCP version {first >> 6}, not 2")
        if end > len(data):
            raise RtpError("an RTCP packet runs past the end")
        count, body = first & 0x1F, data[at + 4 : end]
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            yield _parse_report(body, count, is_sender=kind == SENDER_REPORT)
        elif kind == BYE:
            words = range(0, 4 * count, 4)
            if 4 * count > len(body):
                raise RtpError("a BYE lists more sources than it holds")
            yield Bye(tuple(int.from_bytes(body[word : word + 4], "big") for word in words))
        at = end


def _parse_report(body: bytes, count: int, *, is_sender: bool) -> Report:
    ssrc = int.from_bytes(body[:4], "big")
    at = 4
    sender = None
    if is_sender:
        sender = SenderInfo(*_SENDER.unpack_from(body, at))
        at += _SENDER.size
    blocks = []
    for _ in range(count):
        source, losses, highest, jitter, last, delay = _BLOCK.unpack_from(body, at)
        lost = losses & 0xFFFFFF
        lost -= 2**24 if lost & 0x800000 else 0
        blocks.append(Block(source, losses >> 24, lost, highest, jitter, last, delay))
        at += _BLOCK.size
    if len(body) < at:
        raise RtpError("an RTCP report is cut off")
    return Report(ssrc, sender, tuple(blocks))
