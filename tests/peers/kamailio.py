"""Kamailio as a process: a carrier's registrar and proxy, which neither SIPp nor we have a say in."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.peers.processes import PATIENCE_SECONDS, until

REALM = "carrier, ltd"  # a comma that is no separator
PASSWORD = "s3cret"
MODULES = Path("/usr/lib")
TLS = Path(__file__).parent.parent / "e2e" / "tls"

CONFIG = f"""
debug=2
log_stderror=yes
children=1
tcp_children=1
disable_tcp=no
enable_tls=yes
auto_aliases=no
listen=udp:127.0.0.1:PORT
listen=tcp:127.0.0.1:PORT
listen=tls:127.0.0.1:SECURE
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"

loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "tls.so"

modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "TLSFOLDER/localhost.pem")
modparam("tls", "private_key", "TLSFOLDER/key.pem")
modparam("tls", "ca_list", "TLSFOLDER/ca.pem")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "SHA-256")
modparam("auth", "nonce_expire", 30)
modparam("registrar", "min_expires", 90)
modparam("registrar", "max_expires", 3600)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (has_totag()) {{
        if (is_method("BYE") && ($sp == GATEWAY || $pr == "tls")) {{
            if (!pv_proxy_authenticate("{REALM}", "{PASSWORD}", "0")) {{
                proxy_challenge("{REALM}", "1");
                exit;
            }}
        }}
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not Here");
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (is_method("ACK")) exit;
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{REALM}", "{PASSWORD}", "0")) {{ www_challenge("{REALM}", "1"); exit; }}
        save("location");
        exit;
    }}
    if (!is_method("INVITE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
    record_route();
    if ($sp == GATEWAY || $pr == "tls") {{
        if (!pv_proxy_authenticate("{REALM}", "{PASSWORD}", "0")) {{ proxy_challenge("{REALM}", "1"); exit; }}
        consume_credentials();
        $ru = "sip:" + $rU + "@127.0.0.1:TALKER;transport=tcp";
        append_branch("sip:busy@127.0.0.1:REFUSER");
        t_relay();
        exit;
    }}
    $rU = "trunkuser";
    if (!lookup("location")) {{ sl_send_reply("404", "Not Registered"); exit; }}
    t_relay();
}}
"""


class Kamailio:
    """A registrar, and a proxy that calls two places at once: one over TCP, one over UDP.

    `gateway` is whose port gets challenged, as is who comes by TLS to `secure` with a certificate of the test
    authority; its calls go to `talker` and to `refuser`, all others to whoever
    has registered as trunkuser.
    """

    def __init__(
        self, folder: Path, *, port: int, secure: int, gateway: int, talker: int, refuser: int
    ) -> None:
        program = shutil.which("kamailio")
        if program is None or not any(MODULES.glob("*/kamailio/modules/tls.so")):
            pytest.skip("kamailio is missing: apt-get install kamailio kamailio-tls-modules")
        self._port = port
        config = CONFIG
        values = {
            "TLSFOLDER": TLS,
            "SECURE": secure,
            "PORT": port,
            "GATEWAY": gateway,
            "TALKER": talker,
            "REFUSER": refuser,
        }
        for name, value in values.items():
            config = config.replace(name, str(value))
        file = folder / "kamailio.cfg"
        file.write_text(config)
        place = str(folder)
        self._log = folder / "kamailio.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-f", str(file), "-DD", "-E", "-m", "32", "-M", "8", "-Y", place, "-w", place],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        def up() -> bool:
            assert self._process.poll() is None, self.log
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                return probe.connect_ex(("127.0.0.1", self._port)) == 0

        until(up, "kamailio is up")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")
