"""The daemon's media and an independent telephone, baresip: what each hears of the other, and keys."""

from __future__ import annotations

import json
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

NUMBER, TONES = "+442079460021", "+442079460022"
GREETING = "You have reached the voice mail of somebody who cannot talk to you now. Leave your message. "
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
dtmf = "in-band"
numbers = ["+442079460021", "+442079460022"]
codecs = ["PCMU", "PCMA", "G722"]
srtp = "optional"
"""

SHOP = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345", "{NUMBER}", "{TONES}"]

[templates.prompt]
text = "prompt"
wav = "prompt.wav"

[numbers."{NUMBER}"]
policy = "answer"
flow = "talk"

[numbers."{TONES}"]
policy = "answer"
flow = "tones"

[flows.tones]
start = "code"
[flows.tones.nodes.code]
type = "collect"
text = "Your code"
min = {len(DIGITS)}
max = {len(DIGITS)}
terminator = ""
first_timeout = "10s"
on = {{ digits = "end", hangup = "end:12", error = "end:90", invalid = "end:91", timeout = "end:92" }}

[keywords.CALL]
number = "12345"
flow = "ring"
[flows.ring]
start = "ring"
[flows.ring.nodes.ring]
type = "call"
from = "{NUMBER}"
detect = true
on = {{ answered = "hello", machine = "leave", error = "end:90" }}
[flows.ring.nodes.hello]
type = "say"
text = "Hello"
on = {{ done = "end:1", hangup = "end:2", error = "end:90" }}
[flows.ring.nodes.leave]
type = "hangup"
on = {{ done = "end:3" }}

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
    """How well windows of half a second are found in what was spoken (1 = the same): the upper quartile.

    Each for itself, and not all of them, since on a busy machine both ends drop or repeat a frame now and
    then; what is wrong with codec, rate or encryption is wrong with every window.
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
    return float(np.quantile(found, 0.75))


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


def test_keys_that_are_only_heard_are_heard_each_once(site: Site, tmp_path: Path) -> None:
    said = keypad(tmp_path / "said.wav", DIGITS)
    with Baresip(tmp_path, said, codec="PCMA") as phone:
        phone.dial(f"sip:{TONES}@127.0.0.1:{site.sip}")
        phone.says("terminated")
    result, data = ended(site, "tones")
    assert (result, data["code.digits"]) == (0, DIGITS)


@pytest.mark.parametrize(
    ("greeting", "beeps", "result", "answerer", "causes"),
    [
        ("Hello?", False, 1, "human", {"short-greeting"}),
        (GREETING, True, 3, "machine", {"beep", "long-greeting"}),
    ],
)
def test_a_machine_is_told_from_a_person_by_what_another_telephone_plays(
    site: Site, tmp_path: Path, greeting: str, beeps: bool, result: int, answerer: str, causes: set[str]
) -> None:
    said = greets(tmp_path / "said.wav", greeting, beeps=beeps)
    customer = f"+4477009003{result:02}"
    with Baresip(tmp_path, said, codec="PCMU", user=customer, port=site.east) as phone:
        site.north.tell("mo", to="12345", text="CALL", **{"from": customer})
        phone.says("Call established")
        phone.says("terminated")
    code, data = ended(site, "ring")
    assert (code, data["ring.answerer"]) == (result, answerer)
    assert data["ring.answerer_cause"] in causes and 0 < data["ring.answerer_seconds"] < 12


def ended(site: Site, flow: str) -> tuple[int, dict[str, object]]:
    """Result and data of the youngest session of a flow, once it is over."""
    query = "SELECT state, result, data FROM runs WHERE flow = ? ORDER BY id DESC LIMIT 1"
    until(lambda: site.daemon.rows(query, flow)[0][0] == "ended", "the session's end")
    [(_, result, data)] = site.daemon.rows(query, flow)
    return result, json.loads(data)


def keypad(path: Path, digits: str) -> Path:
    """Keys as they sound (ITU-T Q.23), 100 ms each and 100 ms apart, after a pause and before a long one."""
    at = np.arange(800) / 8000
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    keys = []
    for digit in digits:
        place = "123456789*0#".index(digit)
        tone = np.sin(2 * np.pi * rows[place // 3] * at) + np.sin(2 * np.pi * columns[place % 3] * at)
        keys += [6000 * tone, np.zeros(800)]
    return pcm(path, np.concatenate([np.zeros(24_000), *keys, np.zeros(240_000)]))


def greets(path: Path, text: str, *, beeps: bool) -> Path:
    """A greeting, maybe a beep, and silence that outlasts the test."""
    rate, spoken = synthesise(text, "en", limit_seconds=60)
    sound = np.array(resample(array("h", spoken), rate, 8000), dtype=np.float64)
    beep = 8000 * np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000) if beeps else np.zeros(0)
    return pcm(path, np.concatenate([np.zeros(4000), sound, np.zeros(4000), beep, np.zeros(480_000)]))


def pcm(path: Path, sound: Sound) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(sound.astype("<i2").tobytes())
    return path
