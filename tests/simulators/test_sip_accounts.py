"""Credentials asked for, and calls to who has registered."""

import pytest
import trio

from simulators.console import CommandError
from simulators.sip_digest import Guard, read_credentials, response_of
from tests.simulators.carriers import CALLED, CALLER, field, peer, play, running, tag_of


def authorized(name: str, challenge: str, method: str, uri: str, password: str) -> str:
    """The header that answers a challenge."""
    given = read_credentials(challenge)
    assert given is not None
    given |= {"username": "acme", "uri": uri, "nc": "00000001", "cnonce": "1"}
    given["response"] = response_of(given, given["algorithm"], password, method)
    return f"{name}: Digest " + ", ".join(f'{key}="{value}"' for key, value in given.items()) + "\r\n"


@pytest.mark.parametrize(("password", "status"), [("secret", 486), ("guess", 403)])
def test_a_call_wants_credentials(password: str, status: int) -> None:
    async def scenario() -> None:
        guard = Guard({"acme": "secret"}, "east")
        async with peer() as gateway, running("east", {CALLED: "busy"}, guard=guard) as east:
            await gateway.send(gateway.request("INVITE", east.address), east.address)
            asked = await gateway.next()
            assert asked.startswith("SIP/2.0 407 ")
            ack = gateway.request("ACK", east.address, to_tag=tag_of(asked))
            await gateway.send(ack, east.address)
            uri = f"sip:{CALLED}@127.0.0.1:{east.address[1]}"
            header = authorized(
                "Proxy-Authorization", field(asked, "Proxy-Authenticate"), "INVITE", uri, password
            )
            again = gateway.request("INVITE", east.address, branch="z9hG4bK2", cseq="2", extra=header)
            await gateway.send(again, east.address)
            final = await gateway.next()
            if status == 486:
                final = await gateway.next()
            assert final.startswith(f"SIP/2.0 {status} ")
            assert east.one("challenged")["method"] == "INVITE"
            stats = east.stats()
            assert (stats["challenged"], stats["auth_refused"]) == (1, int(status == 403))
            assert stats["calls_in"] == int(status == 486)

    play(scenario)


def test_calls_go_to_who_has_registered_until_that_has_run_out() -> None:
    async def scenario() -> None:
        guard = Guard({"acme": "secret"}, "east", ["MD5"])
        async with peer() as gateway, running("east", guard=guard) as east:
            with pytest.raises(CommandError, match="nobody has registered"):
                await east.command("call", **{"from": CALLER, "to": CALLED})
            expires = "Expires: 60\r\n"
            request = gateway.request("REGISTER", east.address, number="acme", extra=expires)
            await gateway.send(request, east.address)
            asked = await gateway.next()
            assert asked.startswith("SIP/2.0 401 ")
            uri = f"sip:acme@127.0.0.1:{east.address[1]}"
            header = authorized("Authorization", field(asked, "WWW-Authenticate"), "REGISTER", uri, "secret")
            await gateway.send(
                gateway.request(
                    "REGISTER",
                    east.address,
                    number="acme",
                    branch="z9hG4bK2",
                    cseq="2",
                    extra=header + expires,
                ),
                east.address,
            )
            granted = await gateway.next()
            contact = f"sip:127.0.0.1:{gateway.address[1]}"
            assert field(granted, "Contact") == f"<{contact}>;expires=60"
            registered = east.one("registered")
            assert (registered["user"], registered["contact"], registered["expires"]) == ("acme", contact, 60)
            await east.command("missed-call", **{"from": CALLER, "to": CALLED, "max": 1})
            assert (await gateway.next()).startswith(f"INVITE sip:{CALLED}@127.0.0.1:{gateway.address[1]} ")
            await trio.sleep(60)
            with pytest.raises(CommandError, match="nobody has registered"):
                await east.command("call", **{"from": CALLER, "to": CALLED})

    play(scenario)


def test_nobody_registers_for_another_user() -> None:
    async def scenario() -> None:
        guard = Guard({"acme": "secret"}, "east")
        async with peer() as gateway, running("east", guard=guard) as east:
            await gateway.send(gateway.request("REGISTER", east.address, number="other"), east.address)
            asked = await gateway.next()
            uri = f"sip:other@127.0.0.1:{east.address[1]}"
            header = authorized("Authorization", field(asked, "WWW-Authenticate"), "REGISTER", uri, "secret")
            again = gateway.request("REGISTER", east.address, number="other", branch="z9hG4bK2", extra=header)
            await gateway.send(again, east.address)
            assert (await gateway.next()).startswith("SIP/2.0 403 ")
            assert east.one("auth_refused")["reason"] == "another user's"
            assert east.stats()["registered"] == 0

    play(scenario)


def test_a_contact_that_goes_is_told() -> None:
    async def scenario() -> None:
        async with peer() as gateway, running("east") as east:
            for cseq, expires in (("1", "60"), ("2", "0")):
                extra = f"Expires: {expires}\r\n"
                request = gateway.request(
                    "REGISTER", east.address, branch=f"z9hG4bK{cseq}", cseq=cseq, extra=extra
                )
                await gateway.send(request, east.address)
                assert (await gateway.next()).startswith("SIP/2.0 200 ")
            assert [n for n in east.names() if n != "listening"] == ["registered", "unregistered"]

    play(scenario)
