"""One call's media: what is sent every 20 ms, and what becomes of each packet that comes."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final, Self

from gateway.protocol.rtp.codec import Codec
from gateway.protocol.rtp.control import ControlStream
from gateway.protocol.rtp.digits import Presses, Way
from gateway.protocol.rtp.ear import CONVERSATION_MILLISECONDS, PATIENT_MILLISECONDS, Ear, Heard
from gateway.protocol.rtp.machine import MachineDetector, MachineLimits, Verdict
from gateway.protocol.rtp.packet import RtpPacket, parse
from gateway.protocol.rtp.recording import Ended, Recording, RecordingLimits
from gateway.protocol.rtp.stream import MediaStats, RtpReceiver, RtpSender
from gateway.protocol.rtp.telephone_event import DigitReceiver
from gateway.protocol.rtp.tone_listener import ToneListener
from gateway.protocol.rtp.tones import BEEP_FRAMES, beep, key
from gateway.protocol.rtp.transcode import Transcoder
from gateway.protocol.sdp import DTMF_PAYLOAD_TYPE, Negotiated
from gateway.transport.recordings import ActiveRecording, Recordings
from gateway.transport.rtp_path import MediaPath

_LIMIT_DIGITS: Final = 64


class MediaStream:
    """One call's media: made by `MediaPump.open`, silent until `connect`."""

    def __init__(
        self,
        sender: RtpSender,
        recordings: Recordings,
        pair: tuple[socket.socket, socket.socket],
        *,
        cname: str,
        chance: Callable[[], float],
        gone: Callable[["MediaStream"], None],
    ) -> None:
        """`pair` is for RTP and RTCP; `cname` names us in RTCP, the same in all calls; `chance` spreads its
        packets; `gone` is told when `close` has closed the sockets."""
        self._sender = sender
        self._receiver = RtpReceiver()
        self._control = ControlStream(sender, self._receiver, cname=cname, chance=chance)
        self.path = MediaPath(*pair, self._receive, self._receive_rtcp)
        self._gone = gone
        self._digit_receiver = DigitReceiver()
        self._recordings = recordings
        self._recording: ActiveRecording | None = None
        self._detecting: tuple[MachineDetector, asyncio.Future[Verdict]] | None = None
        self._partner: MediaStream | None = None
        self._transcoder = Transcoder(Codec.PCMU, Codec.PCMU)  # of what is relayed
        self._ear: Ear | None = None  # only while somebody listens
        self._hearers: list[Callable[[Heard], None]] = []
        self.tones: ToneListener | None = None  # whose block the pump has judged, for all streams at once
        self._presses = Presses()
        self._pressed = 0
        self._barge_in = False
        self._loop = asyncio.get_running_loop()
        self._sending = False
        self._codecs: dict[int, Codec] = {}  # by payload type
        self._dtmf_payload_types: frozenset[int] = frozenset()
        self._playing: asyncio.Future[bool] | None = None
        self.codec = Codec.PCMU  # until `connect` says what was agreed
        self.digits: asyncio.Queue[str] = asyncio.Queue(_LIMIT_DIGITS)

    @property
    def local_port(self) -> int:
        return self.path.local_port

    def stats(self) -> MediaStats:
        received = self._receiver.stats()
        return MediaStats(
            codec=str(self.codec) if self._control.due else "",
            packets=received.packets,
            lost=received.lost,
            jitter_seconds=received.jitter_seconds,
            dtmf=self._pressed,
            sent=self._sender.packets,
            duplicates=received.duplicates,
            out_of_order=received.out_of_order,
            foreign=self.path.foreign,
            malformed=self.path.malformed,
            errors=self.path.errors,
            recording=self._recording.path if self._recording is not None else "",
            lost_there=self._control.lost_there,
            round_trip_seconds=self._control.round_trip_seconds,
            encrypted=self.path.is_encrypted,
        )

    def connect(self, media: Negotiated) -> None:
        """Send to the peer, as agreed; again after every further offer and answer (hold, new address).

        Raises PeerUnreachable and changes nothing then.
        """
        self.path.connect(media)
        if not self._control.due:
            self._control.begin(self._loop.time())
        self.codec = media.codec
        self._sender.set_format(media.codec, media.payload_type, media.dtmf_payload_type)
        # the peer's own number after its offer, ours after our offer (RFC 3264 section 5.1)
        ours_and_theirs = {DTMF_PAYLOAD_TYPE, media.dtmf_payload_type or DTMF_PAYLOAD_TYPE}
        self._dtmf_payload_types = frozenset(ours_and_theirs - {media.payload_type})
        static = {codec.static_payload_type: codec for codec in Codec}
        self._codecs = static | {
            media.payload_type: media.codec
        }  # a peer may change between what was offered
        self._sending = media.direction.sends
        self._listen_for_tones(media.in_band_keys)

    def play(self, *prompts: bytes, barge_in: bool = False) -> asyncio.Future[bool]:
        """Play octets of the agreed codec one after the other, in the place of what plays now.

        The future is done 20 ms after the last frame went out: True, or False when `stop`, another `play`,
        `close`, or with `barge_in` a key cut it.  Cancelling it stops the prompts.
        """
        self.stop()
        playing: asyncio.Future[bool] = self._loop.create_future()
        if not self.path.is_open:
            playing.set_result(False)
            return playing
        self._sender.play(*prompts)
        self._playing = playing
        self._barge_in = barge_in
        playing.add_done_callback(self._stop_when_cancelled)
        return playing

    def stop(self) -> None:
        """Cut the prompt; silence goes on."""
        self._sender.stop()
        self._settle_prompt(False)

    def press(self, digit: str) -> None:
        """A key that the peer told of by SIP INFO."""
        self._press(digit, Way.INFO)

    def record(self, name: str, limits: RecordingLimits) -> asyncio.Future[Recording]:
        """Record what the peer says as NAME.wav, in the place of one under way; a beep cuts the prompt.

        The future is done when the file is stored, and never fails.  Raises ValueError if NAME is none.
        """
        file = self._recordings.open(name, self._law)
        self.stop_recording()
        if limits.beep:
            self.play(beep(self.codec))
        skip = BEEP_FRAMES if limits.beep else 0
        self._recording = ActiveRecording(file, self._law, limits, skip_frames=skip)
        self._listen(self._recording.hear, PATIENT_MILLISECONDS)
        if not self.path.is_open:
            self._end_recording(Ended.HANGUP)
        return self._recording.done

    def stop_recording(self) -> None:
        """End the recording under way, if there is one; what was said so far is kept."""
        self._end_recording(Ended.STOPPED)

    def detect_machine(self, limits: MachineLimits = MachineLimits()) -> asyncio.Future[Verdict]:  # noqa: B008
        """Judge from now on who answered; the future never fails: the call's end is a verdict too."""
        self._settle_detection()
        detector = MachineDetector(self._law, limits)
        verdict: asyncio.Future[Verdict] = self._loop.create_future()
        self._detecting = detector, verdict
        self._listen(self._detect, PATIENT_MILLISECONDS)
        if not self.path.is_open:
            self._settle_detection()
        return verdict

    def patch(self, other: Self) -> None:
        """Let this call's peer and the other's hear each other, keys included, until `unpatch` or an end.

        Prompts still go before what is relayed.
        """
        self.unpatch()
        other.unpatch()
        for one, partner in ((self, other), (other, self)):
            one._partner = partner
            one._listen(one._relay, CONVERSATION_MILLISECONDS)

    def unpatch(self) -> None:
        """Part the two again; nothing happens when there are none."""
        partner, self._partner = self._partner, None
        if partner is not None:
            self._ignore(self._relay)
            partner.unpatch()

    def press_tone(self, digit: str) -> None:
        """A key that the pump has heard in the audio."""
        self._press(digit, Way.TONE)

    def send_digits(self, digits: str) -> None:
        """Press keys as RFC 4733 events.  Raises ValueError when the peer takes none or one is no key."""
        self._sender.send_digits(digits)

    def close(self) -> None:
        """Stop and give the port back; may be called again."""
        self.stop()
        self._end_recording(Ended.HANGUP)
        self._settle_detection()
        self._listen_for_tones(False)
        self.unpatch()
        self._sending = False
        if self.path.is_connected:
            self.path.send_rtcp(self._control.next_packet(self._loop.time(), time.time(), bye=True))
        if self.path.is_open:
            self.path.close()
            self._gone(self)

    def relay(self, heard: Heard) -> None:
        """Say to the peer what the other side of a patch said in these 20 ms."""
        frame, codec = (
            (heard.octets, heard.codec) if heard.codec is self.codec else (heard.frame, heard.codec.law)
        )
        if codec is not self._transcoder.source or self.codec is not self._transcoder.target:
            self._transcoder = Transcoder(codec, self.codec)
        self._sender.relay(self._transcoder.convert(frame))

    def relay_digit(self, digit: str) -> None:
        """Press a key for the other side of a patch, as an event or as it sounds."""
        if self._sender.takes_digits:
            self._sender.send_digits(digit)
        else:
            self.play(key(digit, self.codec))

    def tick(self) -> None:
        """Send the packet of this 20 ms; called by the pump alone."""
        sender = self._sender
        if self._playing is not None and sender.finished:
            self._settle_prompt(True)
        if self._sending:
            self.path.send(sender.next_packet())
        else:
            sender.skip()

    def leave_out(self, frames: int) -> None:
        """So many packets were not sent in their time, and will not be; called by the pump alone."""
        self._sender.skip(frames)

    def hear(self, now: float, since_epoch: float, *, control: bool) -> None:
        """Take what came, with `control` RTCP too; report by RTCP; give who listens the 20 ms that are due.

        Called by the pump alone, when all have sent.  Unix time is `since_epoch` ahead of monotonic `now`.
        """
        self.path.read(now, since_epoch)
        if control:
            self.path.read_rtcp(now, since_epoch)
        if 0 < self._control.due <= now and self.path.is_open:
            self.path.send_rtcp(self._control.next_packet(now, time.time()))
        if not self._hearers or self._ear is None:
            return
        heard = self._ear.next_frame()
        for hearer in list(self._hearers):
            hearer(heard)
        if self._recording is not None and self._recording.ended:
            self._ignore(self._recording.hear)

    def _receive(self, data: bytes, at: float) -> None:
        packet = parse(data)
        is_event = packet.payload_type in self._dtmf_payload_types
        if not self._receiver.receive(packet, at, is_audio=not is_event):
            return
        if is_event:
            digit = self._digit_receiver.receive(packet.timestamp, packet.payload)
            if digit is not None:
                self._press(digit, Way.EVENT)
        elif self._ear is not None:
            self._overhear(self._ear, packet)

    def _receive_rtcp(self, data: bytes, at: float) -> None:
        self._control.receive(data, at, time.time() - time.monotonic() + at)

    def _press(self, digit: str, way: Way) -> None:
        if not self._presses.is_new(digit, way, self._loop.time()):
            return
        self._pressed += 1
        if self._recording is not None and not self._recording.ended and self._recording.press(digit):
            self._ignore(self._recording.hear)
            return
        if self._partner is not None:
            self._partner.relay_digit(digit)
        if self._barge_in:
            self.stop()
        if not self.digits.full():  # nobody asks for them: what is pressed after 64 keys is not wanted either
            self.digits.put_nowait(digit)

    @property
    def _law(self) -> Codec:
        """What those who listen get."""
        return self._ear.law if self._ear is not None else self.codec.law

    def _listen(self, hearer: Callable[[Heard], None], depth_milliseconds: int) -> None:
        if self._ear is None or self._ear.depth_milliseconds > depth_milliseconds:
            self._ear = Ear(self._law, depth_milliseconds=depth_milliseconds)
        self._hearers.append(hearer)

    def _ignore(self, hearer: Callable[[Heard], None]) -> None:
        if hearer in self._hearers:
            self._hearers.remove(hearer)
        if not self._hearers:
            self._ear = None

    def _overhear(self, ear: Ear, packet: RtpPacket) -> None:
        codec = self._codecs.get(packet.payload_type)
        if codec is not None:  # else comfort noise, or what nobody agreed on
            ear.put(codec, packet.ssrc, packet.timestamp, packet.payload)

    def _listen_for_tones(self, wanted: bool) -> None:
        if wanted and self.tones is None:
            self.tones = ToneListener(self._law)
            self._listen(self._hear_tones, PATIENT_MILLISECONDS)
        elif not wanted and self.tones is not None:
            self.tones = None
            self._ignore(self._hear_tones)

    def _hear_tones(self, heard: Heard) -> None:
        if self.tones is not None:
            self.tones.hear(heard.frame)

    def _relay(self, heard: Heard) -> None:
        if self._partner is not None:
            self._partner.relay(heard)

    def _detect(self, heard: Heard) -> None:
        if self._detecting is not None:
            verdict = self._detecting[0].hear(heard.frame)
            if verdict is not None:
                self._settle_detection(verdict)

    def _settle_detection(self, verdict: Verdict | None = None) -> None:
        if self._detecting is None:
            return
        (detector, future), self._detecting = self._detecting, None
        self._ignore(self._detect)
        if not future.done():
            future.set_result(verdict or detector.hung_up())

    def _end_recording(self, cause: Ended) -> None:
        if self._recording is not None and not self._recording.ended:
            self._recording.end(cause)
            self._ignore(self._recording.hear)

    def _stop_when_cancelled(self, playing: asyncio.Future[bool]) -> None:
        if playing is self._playing and playing.cancelled():
            self.stop()

    def _settle_prompt(self, played: bool) -> None:
        playing, self._playing = self._playing, None
        if playing is not None and not playing.done():
            playing.set_result(played)
