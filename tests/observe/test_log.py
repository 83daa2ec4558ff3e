from __future__ import annotations

import logging
from typing import Any, Literal

import msgspec
import pytest

from gateway.config.model import Log, Secret
from tests.peers.logs import SetUp, Written

log = logging.getLogger("gateway.somewhere")


def one(written: Written) -> dict[str, Any]:
    [line] = written()
    event: dict[str, Any] = msgspec.json.decode(line)
    return event


def test_text_line_has_time_level_event_and_every_field(logged: SetUp) -> None:
    written = logged("text")
    log.info("bind.up", extra={"bind": "north", "sessions": 2, "reason": "all is well", "up": True})
    [line] = written()
    at, level, rest = line.split(maxsplit=2)
    assert at.endswith("Z")
    assert "T" in at
    assert level == "INFO"
    assert rest == 'bind.up bind=north sessions=2 reason="all is well" up=true logger=gateway.somewhere'


def test_json_line_is_one_object_with_every_field(logged: SetUp) -> None:
    written = logged("json")
    log.warning("bind.down", extra={"bind": "north", "waits": [1, 2], "detail": {"code": None}})
    event = one(written)
    assert event.pop("at").endswith("Z")
    assert event == {
        "event": "bind.down",
        "level": "warning",
        "logger": "gateway.somewhere",
        "bind": "north",
        "waits": [1, 2],
        "detail": {"code": None},
    }


@pytest.mark.parametrize("format", ["text", "json"])
def test_line_breaks_from_outside_forge_no_entry(format: Literal["text", "json"], logged: SetUp) -> None:
    written = logged(format)
    log.info("bind.down", extra={"reason": "bye\n2026-01-01 ERROR forged"})
    log.info("odd\nevent")
    assert len(written()) == 2


@pytest.mark.parametrize(
    "name", ["from", "to", "msisdn", "caller", "called", "number", "sender", "recipient", "customer"]
)
@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("+447700900123", "+44770090****"),
        ("447700900123", "44770090****"),
        ("12345", "12345"),
        ("PIZZA", "PIZZA"),
        ("", ""),
    ],
)
def test_subscriber_numbers_are_masked_and_public_addresses_are_not(
    name: str, value: str, seen: str, logged: SetUp
) -> None:
    written = logged("json")
    log.info("sms.received", extra={name: value})
    assert one(written)[name] == seen


def test_numbers_inside_other_words_are_masked_too(logged: SetUp) -> None:
    written = logged("json")
    try:
        raise ValueError("'+447700900123' is not an asset")
    except ValueError:
        log.exception(
            "refused for +447700900123",
            extra={
                "reason": "'+447700900123' is not an asset",
                "inner": {"to": "+447700900123", "list": ["+447700900123"]},
            },
        )
    event = one(written)
    assert "447700900123" not in str(event)
    assert event["event"] == "refused for +44770090****"
    assert event["inner"] == {"to": "+44770090****", "list": ["+44770090****"]}
    assert "ValueError: '+44770090****' is not an asset" in event["exception"]


def test_times_and_ids_are_no_numbers(logged: SetUp) -> None:
    written = logged("json")
    log.info("submit_sm", extra={"smsc_id": "447700900123", "transid": "01932f6e-7a3c", "offset": "+05:30"})
    event = one(written)
    assert (event["smsc_id"], event["transid"], event["offset"]) == (
        "447700900123",
        "01932f6e-7a3c",
        "+05:30",
    )


def test_message_texts_are_left_out_and_secrets_always(logged: SetUp) -> None:
    written = logged("json")
    log.info(
        "sms.received", extra={"text": "hello", "inner": {"text": "hello"}, "password": "a", "k": Secret("b")}
    )
    event = one(written)
    assert "hello" not in str(event)
    assert (event["password"], event["k"]) == ("***", "***")


def test_operator_may_see_numbers_and_texts(logged: SetUp) -> None:
    written = logged(config=Log(format="json", show_numbers=True, show_text=True))
    log.info("sms.received", extra={"from": "+447700900123", "text": "hello", "password": "a"})
    event = one(written)
    assert (event["from"], event["text"], event["password"]) == ("+447700900123", "hello", "***")


def test_exception_follows_its_line_in_text(logged: SetUp) -> None:
    written = logged("text")
    try:
        raise RuntimeError("surprise")
    except RuntimeError:
        log.exception("outbound.task_failed")
    first, *rest = written()
    assert "ERROR" in first
    assert "outbound.task_failed" in first
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "RuntimeError: surprise"


def test_journal_gets_priorities_and_no_time(logged: SetUp) -> None:
    written = logged("text", journal=True)
    log.info("bind.up")
    try:
        raise RuntimeError("surprise")
    except RuntimeError:
        log.exception("outbound.task_failed")
    first, *rest = written()
    assert first == "<6>INFO    bind.up logger=gateway.somewhere"
    assert all(line.startswith("<3>") for line in rest)


def test_level_is_the_configured_one(logged: SetUp) -> None:
    written = logged(config=Log(level="warning"))
    log.info("bind.up")
    log.warning("bind.down")
    assert ["bind.down" in line for line in written()] == [True]


def test_libraries_log_the_same_way(logged: SetUp) -> None:
    written = logged("json")
    logging.getLogger("aiohttp.client").warning("%s closed after %d s", "session", 3)
    assert one(written)["event"] == "session closed after 3 s"


def test_what_json_has_no_form_for_is_shown_as_python_shows_it(logged: SetUp) -> None:
    written = logged("json")
    log.info("odd", extra={"what": 1j, "state": object})
    event = one(written)
    assert (event["what"], event["state"]) == ("1j", "<class 'object'>")


def test_configuring_again_replaces(logged: SetUp) -> None:
    first, second = logged("text"), logged("json")
    log.info("bind.up")
    assert (len(first()), len(second())) == (0, 1)


def test_a_fault_that_repeats_does_not_flood_the_log(logged: SetUp) -> None:
    written = logged("json")
    for _ in range(1000):
        log.warning("deliver_sm.refused", extra={"bind": "north"})
    assert len(written()) < 100
