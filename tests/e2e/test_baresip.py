"""The daemon's media and an independent telephone, baresip: what each hears of the other, and keys."""

from __future__ import annotations

import socket
import time
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.channels.voice.espeak import synthesise
from gateway.channels.voice.resample import resample
from gateway.channels.voice.sound_file import read_sound
from tests.peers.baresip_process import Baresip
from tests.peers.ports import free_port
from tests.peers.processes import KEY, Daemon, Simulator, until

pytestmark = [pytest.mark.e2e, pytest.mark.peer]

NUMBER = "+442079460021"
PROMPT = "The quick brown fox jumps over the lazy dog, and the five boxing wizards jump quickly."
PROMPT_SECONDS = 6.5
SAID = "Pack my box with five dozen liquor jugs, said the person who had called, again and again. " * 5
ENDED = "SELECT id FROM calls WHERE state = 'ended'"
DIGITS = "1593570*"

SETTINGS = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
addresses = ["12345"]

[sip]
listen = ["udp:127.0.0.1:{sip}"]
rtp_ports = "{rtp}-{rtp_last}"

[sip.trunks.east]
host = "127.0.0.1"
port = {east}
numbers = ["+442079460021"]
codecs = ["PCMU", "PCMA", "G722"]
srtp = "optional"
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "{NUMBER}"]

[templates.prompt]
text = "prompt"
wav = "prompt.wav"

[numbers."{NUMBER}"]
policy = "answer"
flow = "talk"

[flows.talk]
start = "hello"
[flows.talk.nodes.hello]
type = "play"
wav = "prompt.wav"
on = {{ done = "code", hangup = "end:11", error = "end:90" }}
[flows.talk.nodes.code]
type = "collect"
min = {len(DIGITS)}
max = {len(DIGITS)}
first_timeout = "10s"
on = {{ digits = "note", hangup = "end:12", error = "end:90", invalid = "end:91", timeout = "end:92" }}
[flows.talk.nodes.note]
type = "send-sms"
from = "12345"
to = "+447700900001"
text = "digits $(code.digits)"
on = {{ success = "tape", error = "tape" }}
[flows.talk.nodes.tape]
type = "record"
maximum = "3s"
silence = 0
beep = false
on = {{ stored = "bye", hangup = "end:15", error = "end:90" }}
[flows.talk.nodes.bye]
type = "hangup"
on = {{ done = "end" }}
"""


class Site:
    def __init__(self, daemon: Daemon, north: Simulator, sip: int, east: int) -> None:
        self.daemon = daemon
        self.north = north
        self.sip = sip  # our port
        self.east = east  # the carrier's


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    sip, east, rtp = (free_port(socket.SOCK_DGRAM, span=span) for span in (1, 1, 42))
    with Simulator("smsc", "--name=north", "--listen=127.0.0.1:0") as north:
        settings = SETTINGS.format(smsc=north.port, sip=sip, east=east, rtp=rtp, rtp_last=rtp + 41)
        daemon = Daemon(tmp_path_factory.mktemp("baresip") / "site", settings, {"shop": SHOP})
        speech(daemon.folder / "services" / "prompt.wav", PROMPT, 16_000)
        with daemon:
            north.wait("bound")
            yield Site(daemon, north, sip, east)


def speech(path: Path, text: str, rate: int) -> Path:
    made, pcm = synthesise(text, "en", limit_seconds=60)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(resample(array("h", pcm), made, rate).tobytes())
    return path


Sound = NDArray[np.float64]


def narrow(path: Path) -> Sound:
    """A file between 200 and 3000 Hz, 8000 samples a second: what every path and filter lets pass."""
    rate, samples = read_sound(path)
    sound = np.array(samples, dtype=np.float64)
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    spectrum[(hertz < 200) | (hertz > 3000)] = 0
    count = round(len(sound) * 8000 / rate)
    return np.fft.irfft(spectrum[: count // 2 + 1], count)


def likeness(heard: Sound, spoken: Sound) -> float:
    """The median over windows of half a second of how well each is found in what was spoken (1 = the same).

    Each for itself, since on a busy machine a telephone's jitter buffer drops or repeats a frame.
    """
    found = []
    for at in range(0, len(heard) - 4000, 4000):
        window = heard[at : at + 4000]
        if np.sqrt(np.mean(window**2)) < 300:
            continue  # silence is like any silence
        products = np.correlate(spoken, window, "valid")
        powers = np.convolve(spoken**2, np.ones(4000), "valid")
        found.append(float(np.max(products / np.sqrt(powers * np.sum(window**2) + 1))))
    assert len(found) >= 4, "hardly anything was heard"
    return float(np.median(found))


@pytest.mark.parametrize(
    ("codec", "security", "mux"),
    [
        ("PCMU", "", False),
        ("PCMA", "", True),
        ("G722", "", False),
        ("PCMA", "srtp", False),
        ("PCMU", "srtp-mand", True),
    ],
)
def test_each_hears_what_the_other_says_and_every_key(
    site: Site, tmp_path: Path, codec: str, security: str, mux: bool
) -> None:
    said = speech(tmp_path / "said.wav", SAID, 16_000 if codec == "G722" else 8000)
    before = len(site.north.heard("message"))
    query = "SELECT codec, dtmf, recording FROM calls WHERE state = 'ended' ORDER BY started_at DESC LIMIT 1"
    calls = len(site.daemon.rows(ENDED))
    with Baresip(tmp_path, said, codec=codec, security=security, mux=mux) as phone:
        phone.dial(f"sip:{NUMBER}@127.0.0.1:{site.sip}")
        phone.says("Call established")
        time.sleep(PROMPT_SECONDS)  # it is no prompt to be cut by a key
        phone.press(DIGITS)
        until(lambda: len(site.north.heard("message")) > before, "the digits as a text")
        phone.says("Call with sip")
        phone.says("terminated")
        until(lambda: len(site.daemon.rows(ENDED)) == calls + 1, "the call's record")
    assert ("SRTP is Enabled" in phone.log) == bool(security)
    assert site.north.heard("message")[before]["text"] == f"digits {DIGITS}"
    [(used, keys, file)] = site.daemon.rows(query)
    assert (used, keys) == (codec, len(DIGITS))
    [recording] = [path for path in (site.daemon.state / "recordings").iterdir() if path.is_file()]
    assert Path(file) == recording
    try:
        assert likeness(narrow(recording), narrow(said)) > 0.95
        assert likeness(narrow(phone.heard()), narrow(site.daemon.folder / "services" / "prompt.wav")) > 0.95
    finally:
        recording.unlink()


@pytest.mark.parametrize(("codec", "security"), [("G722", ""), ("PCMA", "srtp")])
def test_who_is_called_hears_the_prompt(site: Site, tmp_path: Path, codec: str, security: str) -> None:
    said = speech(tmp_path / "said.wav", SAID, 16_000 if codec == "G722" else 8000)
    with Baresip(
        tmp_path, said, codec=codec, security=security, user="+447700900300", port=site.east
    ) as phone:
        id = site.daemon.send(to="+447700900300", sender=NUMBER, channel="voice", template="prompt")
        assert site.daemon.reaches(id, "answered", "failed")["status"] == "answered"
        phone.says("terminated")
        query = "SELECT codec, packets_received > 50 FROM calls WHERE message = ? AND ended_at > 0"
        until(lambda: site.daemon.rows(query, id), "the call's record")
        assert site.daemon.rows(query, id) == [(codec, 1)]
    assert ("SRTP is Enabled" in phone.log) == bool(security)
    assert likeness(narrow(phone.heard()), narrow(site.daemon.folder / "services" / "prompt.wav")) > 0.95
