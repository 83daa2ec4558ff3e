"""How evenly the media of many calls goes out, measured where it arrives.

    python benchmarks/media.py [--calls 500] [--seconds 30] [--in-band] [--record] [--json]

Three processes.  The gateway's is its media pump as the daemon runs it: every call plays a prompt and listens
for keys.  The peer is two processes on one socket: one sends each call 50 packets a second with a key in each
second, as RFC 4733 events or with --in-band as tones; one receives, and takes for each packet the time at
which the kernel got it (SO_TIMESTAMPNS).

A packet's deviation is its distance from the grid of 20 ms on which its call's packets lie: sequence number
times 20 ms, moved so that the call's median is 0.  The first two seconds are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import math
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import processes
import uvloop

from gateway.observe.system import collect_for_calls, collect_rarely
from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.g711 import encode
from gateway.protocol.rtp.recording import RecordingLimits
from gateway.protocol.rtp.stream import FRAME_SECONDS, RtpSender
from gateway.protocol.rtp.tones import key
from gateway.protocol.sdp import Direction, Negotiated
from gateway.transport.recordings import Recordings
from gateway.transport.rtp_ports import RtpPorts
from gateway.transport.rtp_udp import MediaPump

HOST = "127.0.0.1"
CODEC = Codec.PCMA
EVENTS = 101
WARM_SECONDS = 2.0
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python has no name for it
RECEIVE_OCTETS = 8 * 1024 * 1024


def prompt() -> bytes:
    """Ten seconds of a tone that comes and goes."""
    samples = (round(6000 * math.sin(n / 3) * math.sin(n / 9000)) for n in range(80_000))
    return encode(array("h", samples).tobytes(), CODEC)


# -- the gateway's side --------------------------------------------------------------------------------


async def gateway(options: argparse.Namespace) -> None:
    """Opens the calls, says their ports, connects them when told the peer's, and reports when stdin ends."""
    pauses: list[float] = []
    began = 0.0

    def collecting(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            pauses.append(time.perf_counter() - began)

    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="media-bench-") as folder:
        pump = MediaPump(
            RtpPorts(HOST, random.sample(range(20_000, 60_000, 2), 20_000)),
            chance=random.Random(),
            recordings=Recordings(Path(folder)),
            in_use=collect_for_calls,
        )
        collect_rarely()
        streams = [pump.open() for _ in range(options.calls)]
        print(json.dumps([stream.local_port for stream in streams]), flush=True)
        peer = int(await loop.run_in_executor(None, sys.stdin.readline))
        sound = prompt()
        gc.callbacks.append(collecting)
        for stream in streams:
            stream.connect(
                Negotiated(
                    CODEC,
                    CODEC.static_payload_type,
                    EVENTS,
                    HOST,
                    peer,
                    Direction.SENDRECV,
                    0,
                    peer,
                    in_band_keys=options.in_band,
                )
            )
            stream.play(*[sound] * math.ceil((options.seconds + 10) / 10))
            if options.record:
                stream.record(f"call-{stream.local_port}", RecordingLimits(600.0, 30.0, beep=False))
        print("connected", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        stats = [stream.stats() for stream in streams]
        gc.callbacks.remove(collecting)
        report = {
            "keys": sum(one.dtmf for one in stats),
            "received": sum(one.packets for one in stats),
            "lost": sum(one.lost for one in stats),
            "jitter_ms": round(1000 * max(one.jitter_seconds for one in stats), 2),
            "collections": len(pauses),
            "longest_collection_ms": round(1000 * max(pauses, default=0.0), 2),
        }
        print(json.dumps(report), flush=True)
        await pump.close()


# -- the peer's side -----------------------------------------------------------------------------------


def send(options: argparse.Namespace) -> None:
    """Speaks into every call, on the socket that it was given, until stdin ends; then says how many keys."""
    own = socket.socket(fileno=options.socket)
    ports: list[int] = json.loads(sys.stdin.readline())
    sound, phases = prompt(), 20
    senders = []
    for number, port in enumerate(ports):
        sender = RtpSender(
            ssrc=number,
            sequence=1,
            timestamp=0,
            codec=CODEC,
            payload_type=CODEC.static_payload_type,
            dtmf_payload_type=EVENTS,
        )
        sender.play(sound)
        senders.append((sender, (HOST, port)))
    keys = packets = 0
    began = time.monotonic()
    for tick in itertools.count():
        wait = began + tick * FRAME_SECONDS / phases - time.monotonic()
        if select.select([sys.stdin], [], [], max(wait, 0.0))[0]:
            break
        if wait < -0.1:  # what is so late is not made up for: no telephone would
            began -= wait
        elapsed = tick // phases
        for number in range(tick % phases, len(senders), phases):
            sender, address = senders[number]
            if elapsed % 50 == number % 50 and elapsed > 50:  # one key a second, each call in its own moment
                digit = "0123456789*#ABCD"[(elapsed // 50) % 16]
                keys += 1
                if options.in_band:
                    sender.play(key(digit, CODEC) + sound[:160])
                else:
                    sender.send_digits(digit)
            elif sender.finished:
                sender.play(sound)
            own.sendto(sender.next_packet(), address)
            packets += 1
    # keys under way are spoken to their end
    for _ in range(12):
        time.sleep(FRAME_SECONDS)
        for sender, address in senders:
            own.sendto(sender.next_packet(), address)
            packets += 1
    print(json.dumps({"keys": keys, "packets": packets}), flush=True)


class Arrivals:
    """What came on the peer's socket: SSRC, sequence number, kernel time in nanoseconds."""

    def __init__(self) -> None:
        self.ssrc, self.sequence, self.at = array("I"), array("H"), array("q")

    def receive(self, own: socket.socket, until: float) -> None:
        header, moment = struct.Struct(">xBH4xI"), struct.Struct("qq")
        while time.monotonic() < until:
            # the kernel notes when each one came: to be woken for each would only take time from others
            time.sleep(0.002)
            try:
                for _ in range(2000):
                    data, ancillary, _, _ = own.recvmsg(2048, 64, socket.MSG_DONTWAIT)
                    kind, sequence, ssrc = header.unpack_from(data)
                    if 192 <= kind < 224:
                        continue  # RTCP
                    seconds, nanoseconds = moment.unpack(ancillary[0][2])
                    self.ssrc.append(ssrc)
                    self.sequence.append(sequence)
                    self.at.append(seconds * 1_000_000_000 + nanoseconds)
            except BlockingIOError:
                continue

    def report(self) -> dict[str, Any]:
        ssrc, sequence, at = (np.array(one, dtype=np.int64) for one in (self.ssrc, self.sequence, self.at))
        first = at.min() + WARM_SECONDS * 1e9
        deviations, lost, jitters = [], 0, []
        for call in np.unique(ssrc):
            mine = (ssrc == call) & (at >= first)
            numbers = np.unwrap(sequence[mine], period=65536)
            times = at[mine] / 1e6
            lost += int(numbers.max() - numbers.min() + 1 - len(np.unique(numbers)))
            off = times - numbers * 1000 * FRAME_SECONDS
            deviations.append(np.abs(off - np.median(off)))
            jitters.append(_jitter(off))
        every = np.concatenate(deviations)
        p50, p99, p999 = np.percentile(every, [50, 99, 99.9])
        return {
            "calls": len(deviations),
            "packets": len(every),
            "lost": lost,
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
            "p99.9_ms": round(float(p999), 2),
            "worst_ms": round(float(every.max()), 2),
            "jitter_ms": round(max(jitters), 2),
        }


def _jitter(transit: np.ndarray[Any, Any]) -> float:
    """RFC 3550 appendix A.8, its greatest value: milliseconds."""
    jitter = worst = 0.0
    for step in np.abs(np.diff(transit)).tolist():
        jitter += (step - jitter) / 16
        worst = max(worst, jitter)
    return worst


# -- both ----------------------------------------------------------------------------------------------


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((HOST, 0))
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_OCTETS)
        own.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        mine = [sys.executable, __file__, f"--calls={options.calls}", f"--seconds={options.seconds}"]
        mine += ["--in-band"] * options.in_band + ["--record"] * options.record
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with (
            subprocess.Popen([*mine, "--side=gateway"], **pipes) as ours,
            subprocess.Popen(
                [*mine, "--side=sender", f"--socket={own.fileno()}"], pass_fds=[own.fileno()], **pipes
            ) as theirs,
        ):
            assert ours.stdin and ours.stdout and theirs.stdin and theirs.stdout
            ports = ours.stdout.readline()
            ours.stdin.write(f"{own.getsockname()[1]}\n")
            ours.stdin.flush()
            ours.stdout.readline()  # the calls are up: what came before would be a stranger's
            theirs.stdin.write(ports)
            theirs.stdin.flush()
            arrivals = Arrivals()
            gc.disable()
            arrivals.receive(own, time.monotonic() + WARM_SECONDS)
            pids = ours.pid, theirs.pid, os.getpid()
            before, began = [sum(processes.cpu(pid).values()) for pid in pids], time.monotonic()
            arrivals.receive(own, began + options.seconds)
            taken = time.monotonic() - began
            used = [sum(processes.cpu(pid).values()) - first for pid, first in zip(pids, before, strict=True)]
            cores = [round(seconds / taken, 2) for seconds in used]
            rss = processes.memory(ours.pid).rss_mib
            theirs.stdin.close()
            arrivals.receive(own, time.monotonic() + 0.8)
            sent = json.loads(theirs.stdout.readline())
            ours.stdin.close()
            told = json.loads(ours.stdout.readline())
    return {
        **arrivals.report(),
        "keys_pressed": sent["keys"],
        "keys_heard": told["keys"],
        "lost_to_us": sent["packets"] - told["received"],
        "cores": cores[0],
        "cores_of_sender": cores[1],
        "cores_of_receiver": cores[2],
        "rss_mib": round(rss),
        "longest_collection_ms": told["longest_collection_ms"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How evenly the media of many calls goes out.")
    parser.add_argument("--calls", type=int, help="how many at once (default: 1, then 500)")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured for so long (default: 30)")
    parser.add_argument("--in-band", action="store_true", help="look for keys as tones in every frame, too")
    parser.add_argument("--record", action="store_true", help="record every call")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--side", choices=["gateway", "sender"], help=argparse.SUPPRESS)
    parser.add_argument("--socket", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side == "gateway":
        uvloop.run(gateway(options))
        return
    if options.side == "sender":
        send(options)
        return
    counts = [options.calls] if options.calls else [1, 500]
    results = [measure(argparse.Namespace(**vars(options) | {"calls": count})) for count in counts]
    if options.json:
        print(json.dumps({"media": results}))
        return
    for name in results[0]:
        print(f"{name:22}", *(f"{result[name]:>12,}" for result in results))


if __name__ == "__main__":
    main()
