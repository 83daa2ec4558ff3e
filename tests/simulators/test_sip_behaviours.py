"""What handsets do beyond answering and refusing, as callers hear it."""

import pytest
import trio

from simulators.console import CommandError
from simulators.rtp import PCMA, Packet
from simulators.rtp_socket import sound
from tests.simulators.carriers import CALLED, CALLER, SDP, field, peer, play, running, tag_of, two_carriers


@pytest.mark.parametrize(("kind", "status"), [("answer", 200), ("busy", 486)])
def test_early_media_is_heard_before_the_final_response(kind: str, status: int) -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("west", {CALLED: f"{kind}:ring=2,early=tone"}) as west:
            media = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
            with media:
                await media.bind(("127.0.0.1", 0))
                body = gateway.offer(media.getsockname()[1])
                await gateway.send(
                    gateway.request("INVITE", west.address, extra=SDP, body=body), west.address
                )
                assert (await gateway.next()).startswith("SIP/2.0 100 ")
                progress = await gateway.next()
                assert progress.startswith("SIP/2.0 183 Session Progress\r\n")
                heard = [Packet.parse(await media.recv(2048)) for _ in range(50)]
                final = await gateway.next(3.0)
            assert final.startswith(f"SIP/2.0 {status} ")
            assert tag_of(final) == tag_of(progress)
            if status == 200:
                assert final.partition("\r\n\r\n")[2] == progress.partition("\r\n\r\n")[2]
            assert {packet.payload_type for packet in heard} == {8}
            assert all(packet.payload in sound(PCMA, "tone") for packet in heard[::10])

    play(scenario)


def test_without_an_offer_there_is_no_early_media() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("west", {CALLED: "answer:early=tone"}) as west:
            await gateway.send(gateway.request("INVITE", west.address), west.address)
            assert [line[8:11] for _, line in await gateway.times(1.2)] == ["100", "180", "200"]

    play(scenario)


def test_a_machine_speaks_beeps_and_listens() -> None:
    async def scenario() -> None:
        async with two_carriers({CALLED: "machine:greeting=2,talk=8"}) as (east, west):
            await east.command("call", **{"from": CALLER, "to": CALLED, "talk": 30})
            await trio.sleep(100)
            assert east.one("heard")["seconds"] == pytest.approx(8, abs=0.05)
            assert 1000 < east.one("heard")["rms"] < 4000  # of which three quarters are silent
            assert west.one("hung_up")["by"] == "callee"

    play(scenario)


def test_a_forwarding_handset_names_where_to() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("west", {CALLED: "forward:to=+447700900124"}) as west:
            await gateway.send(gateway.request("INVITE", west.address), west.address)
            await gateway.next()
            moved = await gateway.next()
            assert moved.startswith("SIP/2.0 302 Moved Temporarily\r\n")
            assert field(moved, "Contact") == f"<sip:+447700900124@127.0.0.1:{west.address[1]}>"

    play(scenario)


def test_keys_are_pressed_and_a_call_is_ended_by_command() -> None:
    async def scenario() -> None:
        async with two_carriers({CALLED: "answer:hangup=caller"}) as (east, west):
            await east.command(
                "call", **{"from": CALLER, "to": CALLED, "talk": 600, "digits": "9", "after": 2}
            )
            await trio.sleep(2)
            await west.command("press", number=CALLED, digits="1#")
            await east.command("press", number=CALLER, digits="2")
            await trio.sleep(5)
            await west.command("hang-up", number=CALLED)
            await trio.sleep(1)
            assert (east.one("heard")["digits"], west.one("heard")["digits"]) == ("1#", "92")
            assert east.one("hung_up")["by"] == west.one("hung_up")["by"] == "callee"
            assert west.one("hung_up")["time"] == pytest.approx(7.0, abs=0.1)
            with pytest.raises(CommandError, match="no answered call"):
                await west.command("press", number=CALLED, digits="1")

    play(scenario)
