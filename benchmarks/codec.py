"""How many PDUs a second the codec writes and reads, beside smpplib in the same run.

    python benchmarks/codec.py [--json] [--seconds 0.04]

Each figure is the best of five rounds in CPU time, so that a busy machine disturbs little.  Both libraries
get the same values.  "encode" goes from an object to octets, "build, encode" from the values of the fields to
octets, "decode" from octets to an object with all its fields, TLVs included where the PDU has some.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from smpplib import smpp

from gateway.protocol.smpp.codec import Framer, decode
from gateway.protocol.smpp.fields import pack_tlvs
from gateway.protocol.smpp.pdu import DeliverSm, Pdu, SubmitSm, SubmitSmResp

ROUNDS = 5
RECEIPT = (
    b"id:0a1b2c3d4e sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 "
    b"text:Hello"
)
NUMBERS: dict[str, str | int | bytes] = {
    "source_addr_ton": 1,
    "source_addr_npi": 1,
    "source_addr": "447700900123",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "447700900456",
}
CASES: list[tuple[type[Pdu], dict[str, str | int | bytes], dict[str, str | int]]] = [
    (SubmitSm, {**NUMBERS, "registered_delivery": 1, "short_message": b"x" * 100}, {}),
    (SubmitSmResp, {"message_id": "0a1b2c3d4e"}, {}),
    (
        DeliverSm,
        {**NUMBERS, "esm_class": 4, "short_message": RECEIPT},
        {"receipted_message_id": "0a1b2c3d4e", "message_state": 2},
    ),
]
TLVS = pack_tlvs({0x001E: b"0a1b2c3d4e\0", 0x0427: b"\x02"})


def rate(function: Callable[[], object], seconds: float) -> float:
    """Calls a second: the best of some rounds of about `seconds` each."""
    count = 1
    while (took := _time(function, count)) < seconds / 10:
        count *= 4
    count = max(1, int(count * seconds / took))
    return max(count / _time(function, count) for _ in range(ROUNDS))


def _time(function: Callable[[], object], count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        function()
    return max(time.process_time() - started, 1e-9)


def _read(wire: bytes) -> object:
    """Our decoding with the TLVs, which smpplib reads in any case."""
    return getattr(decode(wire), "tlvs", None)


def _build_encode(build: Callable[[], Pdu]) -> bytes:
    return build().encode(7)


def _build_generate(build: Callable[[], Any]) -> object:
    return build().generate()


def measure(seconds: float) -> list[dict[str, str | float]]:
    rows: list[dict[str, str | float]] = []

    def row(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
        own, other = rate(ours, seconds), rate(theirs, seconds)
        rows.append({"case": name, "ours_per_s": own, "smpplib_per_s": other, "ratio": own / other})

    for kind, fields, tlvs in CASES:
        values = {name: value.encode() if isinstance(value, str) else value for name, value in fields.items()}
        values |= {"tlv_octets": TLVS} if tlvs else {}
        make: Callable[..., Pdu] = kind
        build = partial(make, **values)
        build_theirs = partial(smpp.make_pdu, kind.name, sequence=7, **fields, **tlvs)
        built = build()
        wire = built.encode(7)
        row(f"{kind.name} encode", partial(built.encode, 7), build_theirs().generate)
        row(
            f"{kind.name} build, encode",
            partial(_build_encode, build),
            partial(_build_generate, build_theirs),
        )
        row(
            f"{kind.name} decode",
            partial(_read, wire),
            partial(smpp.parse_pdu, wire, sequence=0, allow_unknown_opt_params=True),
        )
    stream = SubmitSm(short_message=b"x" * 100).encode(1) * 1000
    framed = rate(lambda: Framer().feed(stream), seconds) * 1000
    rows.append({"case": "frames cut from a stream", "ours_per_s": framed})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="SMPP codec against smpplib, PDUs a second")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument(
        "--seconds", type=float, default=0.04, help=f"CPU time of each of the {ROUNDS} rounds"
    )
    arguments = parser.parse_args()
    rows = measure(arguments.seconds)
    if arguments.json:
        print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "rows": rows}))
        return
    print(f"{'PDUs a second':<32}{'ours':>12}{'smpplib':>12}{'ratio':>8}")
    for line in rows:
        theirs = f"{line['smpplib_per_s']:>12,.0f}{line['ratio']:>7.1f}x" if "ratio" in line else ""
        print(f"{line['case']:<32}{line['ours_per_s']:>12,.0f}{theirs}")


if __name__ == "__main__":
    main()
