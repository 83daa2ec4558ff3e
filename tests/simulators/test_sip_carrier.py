"""Two carriers, or one and a peer written by hand, over loopback. Time is trio's mock clock: it jumps."""

import json
import random
import shutil
import subprocess
import sys
import wave
from collections import Counter
from pathlib import Path

import pytest
import trio

from simulators.console import CommandError
from simulators.sip_carrier import main
from tests.simulators.carriers import (
    CALLED,
    CALLER,
    SDP,
    field,
    peer,
    play,
    running,
    tag_of,
    two_carriers,
)

# Calls between two carriers


def test_missed_call_rings_is_cancelled_and_is_never_billed() -> None:
    async def scenario() -> None:
        async with two_carriers({CALLED: "no-answer"}) as (east, west):
            await east.command("missed-call", **{"from": CALLER, "to": CALLED, "ring": 2.0, "ref": 5})
            await trio.sleep(100)
            assert [n for n in east.names() if n != "listening"] == [
                "call_out",
                "provisional",
                "provisional",
                "cancelled",
                "final",
            ]
            assert east.one("call_out")["ref"] == 5
            assert [event["status"] for event in east.all("provisional")] == [100, 180]
            final = east.one("final")
            assert (final["status"], final["after_s"]) == (487, 2.0)
            assert [n for n in west.names() if n != "listening"] == ["ringing", "cancelled"]
            ringing = west.one("ringing")
            assert (ringing["from"], ringing["to"]) == (CALLER, CALLED)
            assert (east.stats()["billable"], west.stats()["billable"]) == (0, 0)
            assert east.stats()["retransmissions"] == west.stats()["retransmissions"] == 0

    play(scenario)


def test_missed_call_that_is_answered_is_told_and_ended_at_once() -> None:
    async def scenario() -> None:
        async with two_carriers({CALLED: "answer:ring=1"}) as (east, west):
            await east.command("missed-call", **{"from": CALLER, "to": CALLED, "ring": 3.0})
            await trio.sleep(100)
            assert east.one("final")["status"] == 200
            assert east.one("hung_up")["by"] == west.one("hung_up")["by"] == "caller"
            assert east.one("hung_up")["time"] - east.one("answered")["time"] < 0.1
            assert east.stats()["billable"] == west.stats()["billable"] == 1
            assert not east.all("error") + west.all("error")

    play(scenario)


@pytest.mark.parametrize(
    ("behaviour", "status", "after"),
    [("busy", 486, 0.0), ("reject:ring=1.5", 603, 1.5), ("unreachable", 480, 0.0), (None, 404, 0.0)],
)
def test_refusals_reach_the_caller(behaviour: str | None, status: int, after: float) -> None:
    async def scenario() -> None:
        async with two_carriers({CALLED: behaviour} if behaviour else {}) as (east, west):
            await east.command("call", **{"from": CALLER, "to": CALLED, "max": 30})
            await trio.sleep(100)
            final = east.one("final")
            assert (final["status"], final["after_s"]) == (status, after)
            assert west.one("refused")["status"] == status
            assert west.stats()["refused"] == {str(status): 1}
            assert west.stats()["retransmissions"] == 0  # the ACK was found
            assert not east.all("error") + west.all("error") + west.all("answered")

    play(scenario)


def test_call_nobody_answers_is_cancelled_after_its_longest_wait() -> None:
    async def scenario() -> None:
        async with two_carriers({CALLED: "no-answer"}) as (east, _):
            await east.command("call", **{"from": CALLER, "to": CALLED, "max": 30})
            await trio.sleep(100)
            assert (east.one("final")["status"], east.one("final")["after_s"]) == (487, 30.0)

    play(scenario)


@pytest.mark.parametrize(("hangup", "seconds"), [("callee", 3.0), ("caller", 5.0)])
def test_answered_call_is_heard_on_both_sides_until_one_hangs_up(hangup: str, seconds: float) -> None:
    async def scenario() -> None:
        handsets = {CALLED: f"answer:ring=1,talk=3,hangup={hangup},digits=12#"}
        async with two_carriers(handsets) as (east, west):
            call = {"from": CALLER, "to": CALLED, "talk": 5, "play": "tone"}
            await east.command("call", **call)
            await trio.sleep(2)
            assert (east.stats()["live"], west.stats()["live"]) == (1, 1)
            await trio.sleep(100)
            for side in (east, west):
                assert side.one("hung_up")["by"] == hangup
                heard = side.one("heard")
                assert heard["packets"] == pytest.approx(seconds * 50, abs=1)
                assert (heard["lost"], heard["codec"]) == (0, "PCMU")
                assert heard["jitter_ms"] < 1
                assert heard["rms"] == pytest.approx(5657, rel=0.02)
                assert not side.all("error")
                assert side.stats()["live"] == 0
                assert side.carrier.exchange.dialogs == {}
            assert east.one("heard")["digits"] == "12#"
            assert west.one("heard")["seconds"] == pytest.approx(seconds, abs=0.02)
            assert east.one("final")["after_s"] == 1.0

    play(scenario)


def test_recording_holds_what_was_heard(tmp_path: Path) -> None:
    handsets = {CALLED: "answer:ring=0,talk=0.5,play=silence"}

    async def scenario() -> None:
        async with two_carriers(handsets, record=tmp_path) as (east, west):
            await east.command("call", **{"from": CALLER, "to": CALLED})
            with trio.fail_after(30):
                await east.until("hung_up")
                await west.until("hung_up")
            with wave.open(west.one("heard")["wav"]) as loud, wave.open(east.one("heard")["wav"]) as quiet:
                assert loud.getnframes() == pytest.approx(4000, abs=480)
                samples = memoryview(loud.readframes(20_000)).cast("h").tolist()
                assert max(samples) > 7500
                assert set(quiet.readframes(20_000)) == {0}
            assert east.one("heard")["rms"] == 0.0

    trio.run(scenario)  # the mock clock would run on while a thread writes the file


def test_every_call_ends_rightly_when_a_tenth_of_all_datagrams_is_lost() -> None:
    handsets = {"1": "no-answer", "2": "busy:ring=1", "3": "answer:ring=1,talk=2", "4": "reject"}
    numbers = [*handsets, "404"] * 12
    wanted = {"1": 487, "2": 486, "3": 200, "4": 603, "404": 404}

    async def scenario() -> None:
        async with two_carriers(handsets, loss=0.1, seed=4) as (east, west):
            for number in numbers:
                await east.command("call", **{"from": CALLER, "to": number, "max": 10})
                await trio.sleep(0.37)
            await trio.sleep(300)
            called = {event["call_id"]: event["to"] for event in east.all("call_out")}
            finals = {event["call_id"]: event["status"] for event in east.all("final")}
            assert len(east.all("final")) == len(numbers)
            assert finals == {call_id: wanted[number] for call_id, number in called.items()}
            assert west.stats()["calls_in"] == len(numbers)  # a repeated INVITE is no second call
            assert east.stats()["billable"] == west.stats()["billable"] == numbers.count("3")
            assert Counter(east.names())["hung_up"] == Counter(west.names())["hung_up"] == numbers.count("3")
            assert sum(event["lost"] for event in west.all("heard")) > 0
            assert east.stats()["lost_on_purpose"] > 100
            assert east.stats()["live"] == west.stats()["live"] == 0
            assert not [e for e in east.all("error") + west.all("error") if "defect" in e["reason"]]

    play(scenario)


def test_handset_changes_its_mind() -> None:
    async def scenario() -> None:
        async with two_carriers({CALLED: "busy"}) as (east, west):
            await west.command("set-handset", number=CALLED, behaviour="reject")
            await east.command("call", **{"from": CALLER, "to": CALLED})
            await trio.sleep(10)
            assert east.one("final")["status"] == 603

    play(scenario)


def test_options_are_answered_by_command_and_on_schedule() -> None:
    async def scenario() -> None:
        async with running("west") as west, running("east", gateway=west.address, options_every=10.0) as east:
            await trio.sleep(25)
            await east.command("options")
            await trio.sleep(1)
            assert [event["status"] for event in east.all("options_reply")] == [200] * 4
            assert east.all("options_reply")[0]["after_s"] == 0.0

    play(scenario)


def test_options_that_nobody_answers_are_an_error_after_32_seconds() -> None:
    async def scenario() -> None:
        async with peer() as deaf, running("east", gateway=deaf.address) as east:
            await east.command("options")
            sent = await deaf.times(40)
            assert [time for time, _ in sent] == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
            assert east.one("error")["reason"] == "no answer to OPTIONS"

    play(scenario)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("call", {"from": CALLER}),
        ("call", {"from": CALLER, "to": "1\r\nX: y"}),
        ("call", {"from": CALLER, "to": "1", "talk": -1}),
        ("call", {"from": CALLER, "to": "1", "play": "music"}),
        ("missed-call", {"from": CALLER, "to": "1", "ring": "long"}),
        ("set-handset", {"number": "1", "behaviour": "sleep"}),
        ("press", {"number": CALLER, "digits": "1"}),
        ("hang-up", {}),
        ("dance", {}),
    ],
)
def test_bad_commands_are_refused(name: str, fields: dict[str, object]) -> None:
    async def scenario() -> None:
        async with running("east", gateway=("127.0.0.1", 9)) as east:
            with pytest.raises(CommandError):
                await east.command(name, **fields)

    play(scenario)


def test_calls_without_a_gateway_are_refused() -> None:
    async def scenario() -> None:
        async with running("east") as east:
            with pytest.raises(CommandError, match="--gateway"):
                await east.command("call", **{"from": CALLER, "to": CALLED})

    play(scenario)


# The callee's side, octet by octet


def test_repeated_invite_gets_the_same_response_and_rings_once() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "no-answer"}) as east:
            invite = gateway.request("INVITE", east.address)
            await gateway.send(invite, east.address)
            assert (await gateway.next()).startswith("SIP/2.0 100 Trying\r\n")
            ringing = await gateway.next()
            assert ringing.startswith("SIP/2.0 180 Ringing\r\n")
            assert tag_of(ringing)
            await gateway.send(invite, east.address)
            assert await gateway.next() == ringing
            assert len(east.all("ringing")) == 1

    play(scenario)


def test_via_tells_the_source_and_responses_go_there() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east") as east:
            await gateway.send(gateway.request("OPTIONS", east.address, via="10.9.8.7;rport"), east.address)
            reply = await gateway.next()
            port = gateway.address[1]
            assert field(reply, "Via") == (
                f"SIP/2.0/UDP 10.9.8.7;branch=z9hG4bK1;received=127.0.0.1;rport={port}"
            )

    play(scenario)


def test_refusal_is_repeated_until_its_ack() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "busy"}) as east:
            await gateway.send(gateway.request("INVITE", east.address), east.address)
            assert (await gateway.next()).startswith("SIP/2.0 100 ")
            busy = await gateway.next()
            assert busy.startswith("SIP/2.0 486 Busy Here\r\n")
            assert [time for time, _ in await gateway.times(12)] == [0.5, 1.5, 3.5, 7.5, 11.5]
            await gateway.send(gateway.request("ACK", east.address, to_tag=tag_of(busy)), east.address)
            assert await gateway.times(40) == []
            assert not east.all("error")

    play(scenario)


def test_refusal_without_ack_is_an_error_after_32_seconds() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "busy"}) as east:
            await gateway.send(gateway.request("INVITE", east.address), east.address)
            await trio.sleep(33)
            assert east.one("error")["reason"] == "no ACK to 486"

    play(scenario)


def test_200_is_repeated_until_its_ack_and_bye_ends_the_call() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer:ring=0,hangup=caller"}) as east:
            invite = gateway.request("INVITE", east.address, extra=SDP, body=gateway.offer())
            await gateway.send(invite, east.address)
            await gateway.next()
            answer = await gateway.next()
            assert answer.startswith("SIP/2.0 200 OK\r\n")
            assert "RTP/AVP 8\r\n" in answer  # the offerer's first choice, and no telephone events
            assert [time for time, _ in await gateway.times(4)] == [0.5, 1.5, 3.5]
            ack = gateway.request("ACK", east.address, branch="z9hG4bK2", to_tag=tag_of(answer))
            await gateway.send(ack, east.address)
            assert await gateway.times(40) == []
            bye = gateway.request("BYE", east.address, branch="z9hG4bK3", to_tag=tag_of(answer), cseq="2")
            await gateway.send(bye, east.address)
            assert (await gateway.next()).startswith("SIP/2.0 200 OK\r\n")
            await gateway.send(bye, east.address)
            assert (await gateway.next()).startswith("SIP/2.0 200 OK\r\n")
            await trio.sleep(1)
            assert east.one("hung_up")["by"] == "caller"
            assert not east.all("error")

    play(scenario)


def test_200_without_ack_ends_in_a_bye() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer:ring=0,talk=500"}) as east:
            invite = gateway.request("INVITE", east.address, extra=SDP, body=gateway.offer())
            await gateway.send(invite, east.address)
            came = await gateway.times(33)
            byes = [(time, line) for time, line in came if not line.startswith("SIP/2.0 ")]
            assert [time for time, _ in byes] == [32.0, 32.5]
            assert byes[0][1].startswith("BYE sip:127.0.0.1")
            assert east.all("error")[0]["reason"] == "no ACK to 200"
            assert east.one("hung_up")["by"] == "callee"

    play(scenario)


def test_ack_with_the_invites_branch_to_a_200_is_told() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer:ring=0,hangup=caller"}) as east:
            await gateway.send(gateway.request("INVITE", east.address), east.address)
            await gateway.next()
            answer = await gateway.next()
            ack = gateway.request("ACK", east.address, to_tag=tag_of(answer), extra=SDP, body=gateway.offer())
            await gateway.send(ack, east.address)
            assert await gateway.times(5) == []
            assert east.one("error")["reason"] == "the ACK of a 2xx has the INVITE's branch"

    play(scenario)


def test_late_offer_is_answered_in_the_ack() -> None:
    async def scenario() -> None:
        async with (
            peer() as gateway,
            peer() as media,
            running("east", {CALLED: "answer:ring=0,talk=2"}) as east,
        ):
            await gateway.send(gateway.request("INVITE", east.address), east.address)
            await gateway.next()
            offered = await gateway.next()
            assert "RTP/AVP 0 8 101\r\n" in offered
            answer = gateway.offer(media.address[1])
            ack = gateway.request(
                "ACK", east.address, branch="z9hG4bK2", to_tag=tag_of(offered), extra=SDP, body=answer
            )
            await gateway.send(ack, east.address)
            data, _ = await media.socket.recvfrom(2000)
            assert (len(data), data[1] & 0x7F) == (172, 8)
            assert not east.all("error")

    play(scenario)


def test_reinvite_moves_the_media() -> None:
    async def scenario() -> None:
        async with (
            peer() as gateway,
            peer() as media,
            running("east", {CALLED: "answer:ring=0,hangup=caller"}) as east,
        ):
            invite = gateway.request("INVITE", east.address, extra=SDP, body=gateway.offer(9))
            await gateway.send(invite, east.address)
            await gateway.next()
            tag = tag_of(await gateway.next())
            await gateway.send(
                gateway.request("ACK", east.address, branch="z9hG4bK2", to_tag=tag), east.address
            )
            moved = gateway.offer(media.address[1])
            again = {"branch": "z9hG4bK3", "to_tag": tag, "cseq": "2", "extra": SDP, "body": moved}
            await gateway.send(gateway.request("INVITE", east.address, **again), east.address)
            assert (await gateway.next()).startswith("SIP/2.0 200 OK\r\n")
            ack = gateway.request("ACK", east.address, branch="z9hG4bK4", to_tag=tag, cseq="2")
            await gateway.send(ack, east.address)
            data, _ = await media.socket.recvfrom(2000)
            assert len(data) == 172
            assert east.stats()["calls_in"] == 1
            assert not east.all("error")

    play(scenario)


def test_cancel_gets_200_and_the_invite_487_with_one_tag() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "no-answer"}) as east:
            await gateway.send(gateway.request("INVITE", east.address), east.address)
            await gateway.next()
            ringing = await gateway.next()
            await gateway.send(gateway.request("CANCEL", east.address), east.address)
            replies = [await gateway.next(), await gateway.next()]
            assert [reply[:11] for reply in replies] == ["SIP/2.0 200", "SIP/2.0 487"]
            assert [field(reply, "CSeq") for reply in replies] == ["1 CANCEL", "1 INVITE"]
            assert {tag_of(reply) for reply in replies} == {tag_of(ringing)}
            assert east.one("cancelled")["by"] == "caller"

    play(scenario)


def test_cancel_after_the_200_changes_nothing() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer:ring=0,hangup=caller"}) as east:
            invite = gateway.request("INVITE", east.address, extra=SDP, body=gateway.offer())
            await gateway.send(invite, east.address)
            await gateway.next()
            await gateway.next()
            await gateway.send(gateway.request("CANCEL", east.address), east.address)
            reply = await gateway.next(0.1)
            assert reply.startswith("SIP/2.0 200 ")
            assert field(reply, "CSeq") == "1 CANCEL"
            assert not east.all("cancelled")
            assert east.stats()["live"] == 1

    play(scenario)


def test_silent_handset_answers_nothing_not_even_a_cancel() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "silent"}) as east:
            for method in ("INVITE", "INVITE", "CANCEL"):
                await gateway.send(gateway.request(method, east.address), east.address)
            assert await gateway.times(40) == []
            assert len(east.all("ignored")) == 1

    play(scenario)


@pytest.mark.parametrize(
    ("method", "changes", "status", "header"),
    [
        ("INVITE", {"extra": "Require: 100rel\r\n"}, 420, "Unsupported: 100rel"),
        (
            "INVITE",
            {"extra": "Content-Type: text/plain\r\n", "body": "hello"},
            415,
            "Accept: application/sdp",
        ),
        ("INVITE", {"extra": SDP, "body": "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4 RTP/AVP 9\r\n"}, 488, ""),
        ("INVITE", {"to_tag": "unknown"}, 481, ""),
        ("CANCEL", {}, 481, ""),
        ("BYE", {"to_tag": "unknown"}, 481, ""),
        ("MESSAGE", {}, 405, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS"),
        ("DANCE", {}, 501, ""),
        ("OPTIONS", {}, 200, "Accept: application/sdp"),
    ],
)
def test_requests_that_cannot_be_served_get_their_status(
    method: str, changes: dict[str, str], status: int, header: str
) -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer"}) as east:
            await gateway.send(gateway.request(method, east.address, **changes), east.address)
            reply = await gateway.next()
            if reply.startswith("SIP/2.0 100 "):
                reply = await gateway.next()
            assert reply.startswith(f"SIP/2.0 {status} ")
            assert header in reply
            assert field(reply, "CSeq") == f"1 {method}"

    play(scenario)


def test_a_uri_of_an_unknown_scheme_gets_416() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east") as east:
            host, port = east.address
            invite = gateway.request("INVITE", east.address)
            odd = invite.replace(f"INVITE sip:{CALLED}@{host}:{port}", "INVITE urn:service:sos")
            assert odd != invite
            await gateway.send(odd, east.address)
            assert (await gateway.next()).startswith("SIP/2.0 416 ")

    play(scenario)


# The caller's side, octet by octet


def response(request: str, status: str, *, tag: str = "gw", extra: str = "", body: str = "") -> str:
    copied = [f"{name}: {field(request, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    to = f"To: {field(request, 'To')}" + (f";tag={tag}" if tag and "tag=" not in field(request, "To") else "")
    head = "\r\n".join([f"SIP/2.0 {status}", *copied, to])
    return f"{head}\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"


def branch_of(message: str) -> str:
    return field(message, "Via").partition("branch=")[2].partition(";")[0]


def test_unanswered_invite_is_repeated_by_timer_a_and_given_up_by_timer_b() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", gateway=gateway.address) as east:
            await east.command("call", **{"from": CALLER, "to": CALLED})
            sent = await gateway.times(80)
            assert [time for time, _ in sent] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
            assert {line for _, line in sent} == {
                f"INVITE sip:{CALLED}@127.0.0.1:{gateway.address[1]} SIP/2.0"
            }
            assert east.one("error")["reason"] == "no response to INVITE"
            assert east.stats()["unanswered"] == 1

    play(scenario)


def test_refusal_is_acknowledged_with_the_invites_branch_each_time() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", gateway=gateway.address) as east:
            await east.command("call", **{"from": CALLER, "to": CALLED})
            invite = await gateway.next()
            busy = response(invite, "486 Busy Here")
            for _ in range(3):
                await gateway.send(busy, east.address)
                ack = await gateway.next()
                assert ack.startswith("ACK ")
                assert branch_of(ack) == branch_of(invite)
                assert field(ack, "To") == field(busy, "To")
                assert field(ack, "CSeq") == "1 ACK"
            assert east.one("final")["status"] == 486

    play(scenario)


def test_200_is_acknowledged_with_a_branch_of_its_own_each_time() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", gateway=gateway.address) as east:
            await east.command("call", **{"from": CALLER, "to": CALLED, "talk": 3})
            invite = await gateway.next()
            contact = f"Contact: <sip:gw@127.0.0.1:{gateway.address[1]}>\r\n{SDP}"
            accepted = response(invite, "200 OK", extra=contact, body=gateway.offer())
            acks = []
            for _ in range(2):
                await gateway.send(accepted, east.address)
                acks.append(await gateway.next(0.1))
            assert acks[0].startswith(f"ACK sip:gw@127.0.0.1:{gateway.address[1]} SIP/2.0\r\n")
            assert acks[0] == acks[1]
            assert branch_of(acks[0]) != branch_of(invite)
            bye = await gateway.next(5)
            assert bye.startswith("BYE sip:gw@127.0.0.1")
            assert field(bye, "CSeq") == "2 BYE"
            await gateway.send(response(bye, "200 OK"), east.address)
            assert await gateway.times(40) == []
            assert east.stats()["billable"] == 1
            assert not east.all("error")

    play(scenario)


def test_cancel_waits_for_a_provisional() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", gateway=gateway.address) as east:
            await east.command("call", **{"from": CALLER, "to": CALLED, "max": 2})
            invite = await gateway.next()
            assert all(line.startswith("INVITE") for _, line in await gateway.times(10))
            await gateway.send(response(invite, "100 Trying", tag=""), east.address)
            cancel = await gateway.next()
            assert cancel.startswith("CANCEL ")
            assert branch_of(cancel) == branch_of(invite)
            assert (field(cancel, "CSeq"), field(cancel, "To")) == ("1 CANCEL", field(invite, "To"))

    play(scenario)


def test_200_that_crosses_the_cancel_is_acknowledged_and_ended_by_bye() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", gateway=gateway.address) as east:
            await east.command("missed-call", **{"from": CALLER, "to": CALLED, "ring": 1})
            invite = await gateway.next()
            await gateway.send(response(invite, "180 Ringing"), east.address)
            cancel = await gateway.next(2)
            assert cancel.startswith("CANCEL ")
            await gateway.send(response(cancel, "200 OK"), east.address)
            contact = f"Contact: <sip:127.0.0.1:{gateway.address[1]}>\r\n{SDP}"
            await gateway.send(response(invite, "200 OK", extra=contact, body=gateway.offer()), east.address)
            lines = [line for _, line in await gateway.times(0.4)]
            assert [line.split()[0] for line in lines] == ["ACK", "BYE"]

    play(scenario)


def test_gateway_that_forgets_the_487_is_an_error_32_seconds_after_the_cancel() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", gateway=gateway.address) as east:
            await east.command("missed-call", **{"from": CALLER, "to": CALLED, "ring": 1})
            invite = await gateway.next()
            await gateway.send(response(invite, "180 Ringing"), east.address)
            cancel = await gateway.next(2)
            await gateway.send(response(cancel, "200 OK"), east.address)
            await trio.sleep(33)
            assert east.one("error")["reason"] == "no final response after CANCEL"

    play(scenario)


# Hostile input


def test_malformed_datagrams_are_told_with_their_peer_and_change_nothing() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "busy"}) as east:
            good = gateway.request("INVITE", east.address)
            broken: list[bytes] = [
                b"\xff" * 100,
                b"GET / HTTP/1.1\r\n\r\n",
                good.replace("\r\n\r\n", "").encode(),
                good.replace("Via: SIP/2.0/UDP", "Via: nonsense").encode(),
                b"SIP/2.0 200 OK\r\n\r\n",
                response(good, "200 OK").encode(),  # a stray response
            ]
            for data in broken:
                await gateway.send(data, east.address)
            await gateway.send(b"\r\n\r\n", east.address)  # a keep-alive is no error
            assert await gateway.times(1) == []
            errors = east.all("error")
            assert len(errors) == len(broken)
            assert {error["peer"] for error in errors} == {f"127.0.0.1:{gateway.address[1]}"}
            for name in ("From", "CSeq", "Contact"):
                odd = good.replace(f"\r\n{name}: ", "\r\nX-Gone: ").replace("bK1", f"bK{name}")
                await gateway.send(odd, east.address)
                assert (await gateway.next()).startswith("SIP/2.0 400 ")
            await gateway.send(gateway.request("OPTIONS", east.address, branch="z9hG4bK9"), east.address)
            assert (await gateway.next()).startswith("SIP/2.0 200 ")

    play(scenario)


def test_damaged_requests_never_meet_a_defect() -> None:
    chance = random.Random(7)

    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer:ring=0,talk=1"}) as east:
            for number in range(400):
                method = chance.choice(["INVITE", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"])
                text = gateway.request(
                    method, east.address, branch=f"z9hG4bK{number // 3}", extra=SDP, body=gateway.offer(9)
                )
                data = bytearray(text.encode())
                for _ in range(chance.randrange(4)):
                    start = chance.randrange(len(data))
                    data[start : start + chance.randrange(30)] = chance.randbytes(chance.randrange(6))
                await gateway.send(bytes(data), east.address)
            await trio.sleep(200)
            assert not [error for error in east.all("error") if "defect" in error["reason"]]
            async with peer() as other:
                await other.send(other.request("OPTIONS", east.address), east.address)
                assert (await other.next()).startswith("SIP/2.0 200 ")

    play(scenario)


def test_what_is_not_rtp_is_told_once_a_call() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer:ring=0,talk=1"}) as east:
            invite = gateway.request("INVITE", east.address, extra=SDP, body=gateway.offer())
            await gateway.send(invite, east.address)
            await gateway.next()
            answer = await gateway.next()
            port = int(answer.partition("m=audio ")[2].split()[0])
            assert port % 2 == 0
            for junk in (b"", b"junk", b"\x00" * 172, b"\x9f" * 172):
                await gateway.send(junk, ("127.0.0.1", port))
            await trio.sleep(0.1)
            assert east.one("error")["reason"] == "not RTP: 0 octets"

    play(scenario)


def test_digits_for_a_peer_without_telephone_events_are_told() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east", {CALLED: "answer:ring=0,talk=1,digits=5"}) as east:
            invite = gateway.request("INVITE", east.address, extra=SDP, body=gateway.offer())
            await gateway.send(invite, east.address)
            await trio.sleep(0.1)
            assert "no telephone events" in east.one("error")["reason"]

    play(scenario)


# The program


def test_calls_still_up_at_the_end_get_a_bye() -> None:
    async def scenario() -> None:
        async with peer() as gateway:
            async with running("east", {CALLED: "answer:ring=0,hangup=caller"}) as east:
                invite = gateway.request("INVITE", east.address, extra=SDP, body=gateway.offer())
                await gateway.send(invite, east.address)
                await gateway.next()
                assert (await gateway.next()).startswith("SIP/2.0 200 ")
            assert (await gateway.next()).startswith(f"BYE sip:127.0.0.1:{gateway.address[1]} ")

    play(scenario)


def test_program_speaks_json_lines() -> None:
    command = [sys.executable, "-m", "simulators.sip_carrier", "--listen", "127.0.0.1:0", "--name", "east"]
    lines = '{"cmd":"stats","ref":1}\n{"cmd":"call","from":"1","to":"2"}\n{"cmd":"quit"}\n'
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, "--handset", "+1=busy"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=90,
        cwd=root,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    by_name = {event["event"]: event for event in events}
    assert by_name["listening"]["port"] > 0
    assert by_name["stats"]["billable"] == 0
    assert by_name["error"]["reason"] == "no --gateway was given, and nobody has registered"
    assert by_name["closing"]["reason"] == "quit"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--handset", "1=sleep"],
        ["--handset", "busy"],
        ["--listen", "5080"],
        ["--loss", "2"],
        ["--options", "0"],
        ["--user", "acme"],
        ["--digest", "MD4"],
        ["--min-expires", "-1"],
        ["--min-expires", "60", "--max-expires", "30"],
    ],
)
def test_bad_arguments_end_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_port_in_use_is_said_and_ends_with_status_1() -> None:
    async def take_and_try() -> None:
        async with peer() as first:
            port = first.address[1]
            command = [sys.executable, "-m", "simulators.sip_carrier", "--listen", f"127.0.0.1:{port}"]
            root = Path(__file__).parents[2]
            done = await trio.run_process(
                command, capture_stdout=True, capture_stderr=True, check=False, cwd=root
            )
            assert done.returncode == 1
            assert b"Address already in use" in done.stderr
            assert b"Traceback" not in done.stderr

    trio.run(take_and_try)


@pytest.mark.peer
def test_sipp_calls_a_handset_that_answers() -> None:
    sipp = shutil.which("sipp")
    if sipp is None:
        pytest.skip("apt-get install sip-tester")

    async def scenario() -> None:
        async with running("east", {"100": "answer:ring=0.2,hangup=caller"}) as east:
            command = [sipp, "-sn", "uac", "-m", "1", "-d", "300", "-s", "100", "-i", "127.0.0.1", "-nostdin"]
            target = f"127.0.0.1:{east.address[1]}"
            done = await trio.run_process(
                [*command, "-timeout", "10s", target], capture_stdout=True, capture_stderr=True, check=False
            )
            assert done.returncode == 0, done.stderr
            await trio.sleep(0.2)
            assert east.one("hung_up")["by"] == "caller"
            assert east.stats()["billable"] == 1
            assert not east.all("error")

    trio.run(scenario)
