"""baresip as a process: a telephone with SIP, codecs and SRTP of its own, played by its standard input."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from tests.peers.ports import free_port
from tests.peers.processes import PATIENCE_SECONDS, until
from tests.peers.sounds import write_tone

CONFIG = """
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
audio_source aufile,{said}
audio_player aubridge,nowhere
audio_alert aubridge,nowhere
audio_channels 1
rtp_ports {rtp}-{rtp_last}
rtcp_mux {mux}
jitter_buffer_type fixed
jitter_buffer_delay 5-20
snd_path {folder}
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp account.so
module_app menu.so
"""
ACCOUNT = "<sip:{user}@127.0.0.1:{port}>;{registers};answermode=auto;audio_codecs={codec}{security}\n"
RATES = {"G722": "G722/16000/1"}  # as it calls what it has under another name
OUTLASTS_SECONDS = 120.0
KEY_SECONDS = 0.4  # it lets a key go 0.25 s after it was typed
PAUSE_SECONDS = 0.15
LET_GO = "send DTMF digit end"


class Baresip:
    """Says `said`, a WAV file, in every call, and keeps what it hears.

    It looks once a second whether the file has ended, and then hangs up: whoever has no words for it to say
    gets a tone that outlasts the test.
    With a `password` it registers as `user` with the carrier at port `carrier`.
    `security` is "" or one of its kinds of SRTP: "srtp" (offered under RTP/AVP), "srtp-mand" (RTP/SAVP).
    """

    def __init__(
        self,
        folder: Path,
        said: Path | None = None,
        *,
        codec: str,
        security: str = "",
        user: str = "41795550102",
        mux: bool = False,
        port: int = 0,
        carrier: int = 0,
        password: str = "",
    ) -> None:
        program = shutil.which("baresip")
        if program is None:
            pytest.skip("baresip is missing: apt-get install baresip-core")
        self.folder = folder
        self.port = port or free_port(socket.SOCK_DGRAM)
        rtp = free_port(socket.SOCK_DGRAM, span=42)
        said = said or write_tone(folder / "said.wav", OUTLASTS_SECONDS)
        settings = {"port": self.port, "said": said, "rtp": rtp, "rtp_last": rtp + 40, "folder": folder}
        (folder / "config").write_text(CONFIG.format(mux="yes" if mux else "no", **settings))
        more = f";mediaenc={security}" if security else ""
        account = ACCOUNT.format(
            user=user,
            port=carrier or self.port,
            registers=f"regint=60;auth_pass={password}" if password else "regint=0",
            codec=RATES.get(codec, codec),
            security=more,
        )
        (folder / "accounts").write_text(account)
        (folder / "contacts").touch()
        self._log = (folder / "baresip.log").open("wb")
        self._process = subprocess.Popen(
            ["stdbuf", "-oL", program, "-f", str(folder), "-v"],  # or its log comes in blocks
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        try:
            self.says("baresip is ready")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self.type("q")
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._log.close()

    @property
    def log(self) -> str:
        return (self.folder / "baresip.log").read_text(errors="replace")

    def says(self, what: str) -> None:
        """Wait until its log has these words."""
        try:
            until(lambda: what in self.log or self._process.poll() is not None, f"baresip says {what!r}")
        finally:
            if what not in self.log:
                print(self.log[-3000:])
        assert what in self.log, f"baresip has ended without saying {what!r}"

    def type(self, keys: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(keys.encode())
        self._process.stdin.flush()

    def dial(self, uri: str) -> None:
        self.type(f"/dial {uri}\n")

    def press(self, digits: str) -> None:
        """Keys in a call, as RFC 4733 events."""
        for digit in digits:
            before = self.log.count(LET_GO)
            self.type(digit)
            until(lambda before=before: self.log.count(LET_GO) > before, f"baresip lets {digit} go")
            time.sleep(PAUSE_SECONDS)

    def heard(self) -> Path:
        """The WAV file of what it decoded, complete once the call is over."""
        return until(lambda: next(self.folder.glob("*dec.wav"), None), "baresip's recording")
