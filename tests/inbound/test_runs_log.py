"""Every line of the log that is written for a session names it and its transaction, and so do its rows."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from gateway.store.base import Unit
from gateway.values.outcome import Result
from tests.peers.logs import SetUp, Written

SURVEY = Path("conf/services/survey.toml").read_text()
NAGGING = """
[rules.afterwards]
on = "session.ended"
do = [{ flow = "nowhere" }, { notify = "https://survey.example/ended" }]
"""
CUSTOMER = "+447700900123"


def lines(written: Written) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written()]


async def test_the_survey_names_its_session_and_transaction_in_every_line(
    open_world: Any, mo: Any, logged: SetUp
) -> None:
    world = await open_world(survey=SURVEY + NAGGING)
    written = logged("json")
    await world.deliver(*mo("SURVEY", to="12346"))
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    session = world.runs.open_run(CUSTOMER, "12346")
    [began] = [line for line in lines(written) if line["event"] == "sms.received"]
    for text in ("a 2 I think", "It was cold"):
        await world.deliver(*mo(text, to="12346"))
        await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    assert world.runs.open_run(CUSTOMER, "12346") == ""

    of_session = [line for line in lines(written) if line is not began and line != began]
    assert [line["event"] for line in of_session] == [
        "session.started",
        "sms.received",
        "sms.received",
        "session.ended",
        "action.failed",
    ]
    assert {line["session"] for line in of_session} == {session}
    own = [line["transid"] for line in of_session if line["event"] != "sms.received"]
    assert own == [began["transid"]] * 3
    others = [line["transid"] for line in of_session if line["event"] == "sms.received"]
    assert len({*others, began["transid"]}) == 3  # each text is a transaction

    [row] = await world.store.logbook("survey", "answers", limit=10)
    assert (row.run, row.transid) == (session, began["transid"])
    [told] = world.notifier.to("https://survey.example/ended")
    assert (told["id"], told["transid"]) == (session, began["transid"])


async def test_what_a_session_sends_and_what_goes_wrong_with_it_is_told_of_the_session(
    open_world: Any, mo: Any, logged: SetUp
) -> None:
    world = await open_world(survey=SURVEY)
    await world.deliver(*mo("SURVEY", to="12346"))
    session = world.runs.open_run(CUSTOMER, "12346")
    assert world.sms.sent[-1].session == session

    def fail(message: Any, index: int, carrier: str, done: Any = ()) -> bool:
        logging.getLogger("gateway.channel").warning("within")
        raise ValueError("a defect")

    world.sms.send = fail
    written = logged("json")
    await world.outcome(world.sms.sent[-1], Result.ACCEPTED)
    await world.deliver(*mo("nothing that is a number", to="12346"))
    wrong = [line for line in lines(written) if line["level"] != "info"]
    assert wrong
    assert {line.get("session") for line in wrong} == {session}
    assert all(line["transid"] for line in wrong)


async def test_a_session_that_is_stopped_says_so(open_world: Any, mo: Any, logged: SetUp) -> None:
    world = await open_world(survey=SURVEY)
    await world.deliver(*mo("SURVEY", to="12346"))
    session = world.runs.open_run(CUSTOMER, "12346")
    written = logged("json")
    unit = Unit()
    world.runs.stop(unit, session, "an operator asked")
    await unit.commit(world.store)
    [line] = lines(written)
    assert (line["event"], line["session"], bool(line["transid"])) == ("session.ended", session, True)
