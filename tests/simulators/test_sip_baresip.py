"""The carrier and a telephone that nobody here wrote: baresip registers, is called, and calls."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.baresip_process import Baresip
from tests.simulators.conftest import Simulator

pytestmark = pytest.mark.peer


def telephone(folder: Path, carrier: int, password: str) -> Baresip:
    return Baresip(folder, codec="PCMU", user="acme", carrier=carrier, password=password)


def test_a_telephone_registers_is_called_and_calls(start: Callable[..., Simulator], tmp_path: Path) -> None:
    handset = "--handset=100=answer:ring=0.4,early=tone,talk=0.6,digits=1,after=0.2"
    east = start("sip_carrier", "--listen=127.0.0.1:0", "--user=acme:secret", "--digest=MD5", handset)
    port = east.port()
    with telephone(tmp_path, port, "secret") as phone:
        assert east.wait("registered", user="acme")["expires"] == 60
        east.command("call", to="acme", talk=0.5, **{"from": "100"})
        east.wait("final", status=200)
        assert east.wait("heard", role="caller")["packets"] > 10
        phone.dial(f"sip:100@127.0.0.1:{port}")
        east.wait("challenged", method="INVITE")
        assert east.wait("ringing", to="100")["early"] == "tone"
        assert east.wait("heard", role="callee")["packets"] > 10
        phone.says("183 Session Progress")
        assert east.wait("hung_up", by="callee")
    assert east.wait("unregistered", user="acme")


def test_a_telephone_with_another_password_is_refused(
    start: Callable[..., Simulator], tmp_path: Path
) -> None:
    east = start("sip_carrier", "--listen=127.0.0.1:0", "--user=acme:secret", "--digest=MD5")
    with telephone(tmp_path, east.port(), "guess") as phone:
        assert east.wait("auth_refused", user="acme")["reason"] == "wrong password"
        phone.says("403 Forbidden")
