"""HTTP to SMSC, end to end: the daemon as a program, its store on disk, an SMSC simulator behind it.

    python benchmarks/end_to_end.py [--count 10000] [--connections 32] [--json]

Every message is accepted by POST /v2/messages (202 after its commit) and counted when the SMSC has it.  The
bound printed beside it is the same load on GET /healthz in the same run: what this HTTP server does on this
machine when it has nothing to do.  Load generator, SMSC and gateway share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from gateway.cli.stage import Gateway, Program

KEY = "bench-key"
CONFIG = """
[http]
listen = "127.0.0.1:{http}"
[log]
level = "warning"
[smpp.binds.sink]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
password = "secret"
window = 100
addresses = ["12345"]
receipts = false
"""
SERVICE = f"""
name = "Bench"
key = "{KEY}"
assets = ["12345"]
"""


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def load(
    port: int, count: int, connections: int, request: bytes, expect: int
) -> tuple[float, list[float]]:
    """`count` requests over keep-alive connections, each waiting for its answer.  (seconds, latencies)"""
    left = count
    latencies: list[float] = []

    async def one() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            began = time.perf_counter()
            writer.write(request)
            status, body = await answer(reader)
            if status != expect:
                raise SystemExit(f"HTTP {status}: {body.decode()}")
            latencies.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return time.perf_counter() - began, latencies


def http(method: str, path: str, port: int, body: bytes = b"") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nkey: {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ready(port: int) -> None:
    for _ in range(200):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(http("GET", "/readyz", port))
            status, _ = await answer(reader)
            writer.close()
            if status == 200:
                return
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("the gateway did not become ready")


async def measure(count: int, connections: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        folder = Path(name)
        smsc = Program(
            "sink", "simulators.smsc", "--listen=127.0.0.1:0", "--receipts=none", "--quiet", "--name=sink"
        )
        listening = await smsc.start()
        port = free_port()
        (folder / "services").mkdir()
        (folder / "gateway.toml").write_text(CONFIG.format(http=port, smsc=listening["port"]))
        (folder / "services" / "bench.toml").write_text(SERVICE)
        gateway = Gateway(folder / "gateway.toml", folder / "gateway.log", folder / "state")
        try:
            await gateway.start()
            await ready(port)
            bound_seconds, _ = await load(port, count, connections, http("GET", "/healthz", port), 200)
            body = json.dumps({"to": "+447700900123", "from": "12345", "text": "benchmark " * 7}).encode()
            request = http("POST", "/v2/messages", port, body)
            began = time.perf_counter()
            accept_seconds, latencies = await load(port, count, connections, request, 202)
            while True:  # until the SMSC has them all
                smsc.tell("stats")
                stats = await smsc.wait("stats")
                if stats["accepted"] >= count:
                    break
                await asyncio.sleep(0.05)
            seconds = time.perf_counter() - began
        finally:
            await gateway.stop()
            await smsc.stop()
    latencies.sort()
    return {
        "messages": count,
        "connections": connections,
        "bare_http_per_second": round(count / bound_seconds),
        "accepted_per_second": round(count / accept_seconds),
        "delivered_per_second": round(count / seconds),
        "share_of_bare_http": round(bound_seconds / seconds, 2),
        "answer_p50_ms": round(statistics.median(latencies) * 1000, 2),
        "answer_p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    figures = asyncio.run(measure(options.count, options.connections))
    if options.json:
        json.dump(figures, sys.stdout)
        print()
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):>24}  {value:>10,}")


if __name__ == "__main__":
    main()
