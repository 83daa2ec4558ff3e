import asyncio
import json
import logging

from gateway.observe.about import concerning
from tests.peers.logs import SetUp, Written

log = logging.getLogger("gateway.somebody")


def told(written: Written) -> list[tuple[str, str, str]]:
    lines = [json.loads(line) for line in written()]
    return [(line["event"], line.get("session", ""), line.get("transid", "")) for line in lines]


def test_lines_within_say_what_they_are_about(logged: SetUp) -> None:
    written = logged("json")
    log.info("before")
    with concerning(session="s", transid="t"):
        log.info("within")
        with concerning(session="", transid="inner"):
            log.info("deeper")
        log.info("itself", extra={"transid": "own"})
    log.info("after")
    assert told(written) == [
        ("before", "", ""),
        ("within", "s", "t"),
        ("deeper", "s", "inner"),
        ("itself", "s", "own"),
        ("after", "", ""),
    ]


async def test_tasks_and_timers_that_begin_within_inherit_it(logged: SetUp) -> None:
    written, done = logged("json"), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        log.info("task")
        done.set()

    with concerning(session="s"):
        task = asyncio.create_task(work())
        asyncio.get_running_loop().call_soon(log.info, "timer")
    await asyncio.gather(task, done.wait())
    assert sorted(told(written)) == [("task", "s", ""), ("timer", "s", "")]
