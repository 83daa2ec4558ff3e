"""Load on POST /v2/messages/batch: requests of `size` messages over keep-alive connections, closed loop.

    python benchmarks/batch.py --port 18080 --count 20000 --size 100 [--json]

The gateway must be up already (benchmarks/kit.py starts one and counts what its SMSC gets).  Each text
carries the measuring kit's token, B<number>.<microseconds>.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import msgspec
import uvloop

KEY = "bench-key"
SENDER = "+4620009"
FILL = ".this-is-a-plain-measuring-text-of-some-usual-length-for-one-sms-part"


def request(first: int, size: int, port: int) -> bytes:
    messages = [
        {
            "to": f"+4670{number:07}",
            "from": SENDER,
            "text": f"B{number:08}.{time.time_ns() // 1000:016}{FILL}",
        }
        for number in range(first, first + size)
    ]
    body = msgspec.json.encode({"messages": messages})
    return (
        f"POST /v2/messages/batch HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nkey: {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def load(port: int, count: int, size: int, connections: int) -> dict[str, float]:
    begun = accepted = refused = 0
    latencies: list[float] = []

    async def one() -> None:
        nonlocal begun, accepted, refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        while begun < count:
            take = min(size, count - begun)
            sent, begun = request(begun, take, port), begun + take
            at = time.perf_counter()
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            answer = msgspec.json.decode(await reader.readexactly(length))
            latencies.append(time.perf_counter() - at)
            taken = answer.get("accepted", 0)  # a problem document has none
            accepted, refused = accepted + taken, refused + take - taken
        writer.close()

    t0 = time.time()
    await asyncio.gather(*(one() for _ in range(connections)))
    seconds = time.time() - t0
    latencies.sort()
    return {
        "t0": t0,
        "acked": accepted,
        "refused": refused,
        "accepted_per_s": round(accepted / seconds, 1),
        "request_p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
        "request_p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = uvloop.run(load(options.port, options.count, options.size, options.connections))
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):>16}  {value:>14,}")


if __name__ == "__main__":
    main()
