"""How many accepted messages a second the store makes durable: one commit after the other, and together.

Each commit is what accepting a message writes, its row, in a group of its own.  `together`
callers commit at the same time and share transactions, as concurrent requests do.  Then the same beside an
event loop that never rests.

    python benchmarks/store.py [--seconds 1] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from gateway.observe.system import new_id
from gateway.store.base import Write
from gateway.store.sqlite import SqliteStore
from gateway.values.message import Message, StepPlan, StepRecord, StepState

TEXT = "Your table for four is booked for Friday at 19:30. Reply C to cancel."


def group(now: float) -> list[Write]:
    id = new_id()
    return [
        Message(
            id=id,
            direction="mt",
            service="alerts",
            sender="12345",
            recipient=f"+4477009{hash(id) % 100_000:05}",
            text=TEXT,
            plan=(StepPlan(channel="sms", sender="12345", text=TEXT),),
            steps=(StepRecord(state=StepState.TRYING, carrier="north", started_at=now),),
            step=0,
            waits="north",
            created_at=now,
            updated_at=now,
        ),
    ]


async def rate(directory: Path, together: int, seconds: float, *, busy: bool = False) -> tuple[float, float]:
    """Commits a second, and the median time of one in milliseconds."""
    store = SqliteStore(directory / f"{together}-{busy}.db", process=True)
    await store.open()
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (begin := time.perf_counter()) < end:
            await store.commit(group(time.time()))
            waits.append(time.perf_counter() - begin)

    async def never_rests() -> None:
        while time.perf_counter() < end:
            sum(range(2000))
            await asyncio.sleep(0)

    begin = time.perf_counter()
    callers = [caller() for _ in range(together)]
    await asyncio.gather(*callers, *([never_rests()] if busy else []))
    taken = time.perf_counter() - begin
    await store.close()
    return len(waits) / taken, sorted(waits)[len(waits) // 2] * 1000


async def main() -> None:
    parser = argparse.ArgumentParser(description="Commits a second of the SQLite store.")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each case (default: 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args()
    cases = [(1, False), (10, False), (100, False), (1000, False), (1, True), (100, True), (1000, True)]
    results = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        for together, busy in cases:
            commits, wait = await rate(Path(directory), together, options.seconds, busy=busy)
            results.append(
                {
                    "together": together,
                    "busy_loop": busy,
                    "commits_per_second": round(commits),
                    "median_milliseconds": round(wait, 2),
                }
            )
    if options.json:
        print(json.dumps({"store": results}))
        return
    print("together  busy loop  commits/s  median ms")
    for result in results:
        print(
            f"{result['together']:8}  {'yes' if result['busy_loop'] else 'no':>9}  "
            f"{result['commits_per_second']:9,}  "
            f"{result['median_milliseconds']:9.2f}"
        )


if __name__ == "__main__":
    asyncio.run(main())
