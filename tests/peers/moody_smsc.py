"""An SMSC that answers submit_sm as its mood is, by octets written by hand, and remembers what it meant."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import threading
from collections import defaultdict

from tests.peers.hostile import (
    BIND_RX,
    BIND_TRX,
    BIND_TX,
    DELIVER,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RALYBND,
    RESPONSE,
    RINVCMDID,
    RINVDSTADR,
    RSYSERR,
    SUBMIT,
    UNBIND,
    pdu,
    short_message,
    tlv,
)

RTHROTTLED, RMSGQFUL = 0x58, 0x14
TAKEN, REFUSED, PUT_OFF, DOUBTFUL = "taken", "refused", "put off", "doubtful"
MOODS = {  # and how often it has each
    "well": 45,
    "twice": 5,
    "no id": 3,
    "throttled": 10,
    "ill": 8,
    "wrong": 5,
    "nack": 3,
    "silent": 6,
    "late": 6,
    "gone": 3,
    "in mid answer": 2,
    "lost framing": 2,
    "unbinds": 2,
}
LATE_SECONDS = (1.7, 2.1)


class MoodySmsc:
    """`meant` says of each part of each customer's message what its answers were to say, in their order.

    While `calm` all goes well.
    """

    def __init__(self, chance: random.Random, customer: bytes) -> None:
        """`customer` is the pattern of their numbers."""
        self.meant: dict[tuple[str, int], list[str]] = defaultdict(list)
        self.calm = False
        self.faults: list[Exception] = []
        self._chance = chance
        self._customer = re.compile(customer)
        self._ids = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                header = await reader.readexactly(16)
                length, command, _, sequence = (
                    int.from_bytes(header[at : at + 4], "big") for at in (0, 4, 8, 12)
                )
                body = await reader.readexactly(length - 16)
                if command in (BIND_TX, BIND_RX, BIND_TRX):
                    self._bind(writer, command, sequence)
                elif command == SUBMIT:
                    await self._submit(writer, sequence, body)
                elif command in (ENQUIRE_LINK, UNBIND):
                    writer.write(pdu(command | RESPONSE, sequence))
                    if command == UNBIND:
                        writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:
            self.faults.append(error)
        finally:
            writer.close()

    def _bind(self, writer: asyncio.StreamWriter, command: int, sequence: int) -> None:
        mood = "well" if self.calm else self._chance.choice(("well", "well", "parameters", "not now", "gone"))
        if mood == "gone":
            writer.close()
        elif mood == "not now":
            writer.write(pdu(command | RESPONSE, sequence, status=RALYBND))
        else:
            tlvs = tlv(0x0210, b"\x34") + b"\xff\xff" if mood == "parameters" else b""
            writer.write(pdu(command | RESPONSE, sequence, b"moody\0" + tlvs))

    async def _submit(self, writer: asyncio.StreamWriter, sequence: int, body: bytes) -> None:
        found = self._customer.search(body)
        assert found is not None
        at = body.find(b"\5\0\3")
        meant = self.meant[found[0].decode(), body[at + 5] if at >= 0 else 1]
        id = next(self._ids)
        taken = pdu(SUBMIT | RESPONSE, sequence, b"%d\0" % id)
        chance = self._chance
        mood = "well" if self.calm else chance.choices(list(MOODS), list(MOODS.values()))[0]
        match mood:
            case "well" | "twice":
                meant.append(TAKEN)
                receipt = self._receipt(found[0], id)
                if chance.random() < 0.3:  # the receipt is first
                    writer.write(receipt + taken)
                else:
                    writer.write(taken * (2 if mood == "twice" else 1))
                    self._later(writer, receipt, chance.uniform(0, 0.3))
            case "no id":
                meant.append(TAKEN)
                writer.write(pdu(SUBMIT | RESPONSE, sequence))
            case "throttled" | "ill":
                meant.append(PUT_OFF)
                status = RSYSERR if mood == "ill" else chance.choice((RTHROTTLED, RMSGQFUL))
                writer.write(pdu(SUBMIT | RESPONSE, sequence, chance.choice((b"", b"\0")), status=status))
            case "wrong":
                meant.append(REFUSED)
                writer.write(pdu(SUBMIT | RESPONSE, sequence, status=RINVDSTADR))
            case "nack":
                meant.append(REFUSED)
                writer.write(pdu(GENERIC_NACK, sequence, status=RINVCMDID))
            case _:
                meant.append(DOUBTFUL)
                if mood == "late":
                    self._later(writer, taken, chance.uniform(*LATE_SECONDS))
                elif mood == "unbinds":
                    writer.write(pdu(UNBIND, 99))
                elif mood != "silent":
                    if mood == "in mid answer":
                        writer.write(taken[: chance.randrange(1, len(taken))])
                    elif mood == "lost framing":
                        length = chance.choice((0, 15, 90_000, 2**31))
                        writer.write(pdu(SUBMIT | RESPONSE, sequence, length=length))
                        await asyncio.sleep(0.05)
                    writer.close()

    def _receipt(self, customer: bytes, id: int) -> bytes:
        stat = self._chance.choice((b"DELIVRD", b"UNDELIV", b"ENROUTE", b"WHATEVER"))
        text = b"id:%d sub:001 dlvrd:001 stat:%s err:000" % (id, stat)
        return pdu(DELIVER, id, short_message(text, source=customer, to=b"23456", esm_class=4))

    def _later(self, writer: asyncio.StreamWriter, data: bytes, seconds: float) -> None:
        self._loop.call_later(seconds, lambda: writer.is_closing() or writer.write(data))
