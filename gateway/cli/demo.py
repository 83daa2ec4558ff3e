"""gateway demo: the daemon between two simulated SMSCs and a simulated SIP carrier, telling what happens."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from gateway.cli.check import CONFIG
from gateway.cli.stage import Gateway, Json, Ports, Program, StageError

CUSTOMER = "447700900123"
NO_NORTH = "447700900200"  # north rejects this one
NO_TEXT = "447700900300"  # nobody can text this one
SHORTCODE = "12345"
NUMBER = "+442079460000"
KEY = "demo-key"
SECRET = "demo-hub-secret"
_READY_SECONDS = 90.0


class Demo:
    """The script.  Each scene prints what the simulators see, and checks that it came out as it should."""

    def __init__(self, console: Console, config: Path, ports: Ports, folder: Path) -> None:
        self._console = console
        self._base = f"http://127.0.0.1:{ports[8080]}"
        self._began = time.monotonic()
        self.north = self._smsc("north", ports[2776], f"{NO_NORTH}|{NO_TEXT}=ESME_RINVDSTADR", "same")
        self.south = self._smsc("south", ports[2777], "", "decimal", "--fail", f"{NO_TEXT}=UNDELIV:001")
        self.east = Program(
            "east",
            "simulators.sip_carrier",
            "--name=east",
            f"--listen=127.0.0.1:{ports[5080]}",
            f"--gateway=127.0.0.1:{ports[5060]}",
            f"--handset=+{NO_TEXT}=answer:ring=1.0,talk=30,hangup=caller",
            f"--record={folder}",
        )
        self.webhook = Program(
            "webhook", "simulators.webhook", f"--listen=127.0.0.1:{ports[8099]}", f"--secret={SECRET}"
        )
        self.gateway = Gateway(config, folder / "gateway.log", folder / "state")

    @property
    def base(self) -> str:
        return self._base

    async def start(self) -> None:
        await asyncio.gather(*(program.start() for program in self._programs))
        await self.gateway.start()
        await self._until_ready()
        for smsc, sessions in ((self.north, 2), (self.south, 1)):
            for _ in range(sessions):
                bound = await smsc.wait("bound")
            who, times = bound["system_id"], f"{sessions} session{'s' if sessions > 1 else ''}"
            self._say(f"the gateway is bound to SMSC {smsc.name} as {who}, {times}")

    async def stop(self) -> None:
        await self.gateway.stop()
        await asyncio.gather(*(program.stop() for program in self._programs))

    async def play(self) -> bool:
        """Every scene in turn.  True: all came out as they should."""
        scenes: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("A customer texts a keyword and gets an answer, in a conversation of two steps", self._keyword),
            ("A customer gives a missed call and gets a text", self._missed_call),
            ("An alert that carrier north rejects goes out by carrier south", self._fallback),
            ("An alert that nobody can text becomes a phone call", self._call),
            ("A customer says STOP, and it is respected", self._stop),
        ]
        good = 0
        for number, (title, scene) in enumerate(scenes, 1):
            self._console.print(f"\n[bold]{number}. {title}[/]")
            try:
                await scene()
            except (StageError, aiohttp.ClientError, AssertionError) as error:
                self._console.print(f"  [bold red]not as it should: {escape(str(error))}[/]")
                if not self.gateway.running:
                    self._console.print(escape(self.gateway.log_tail()))
            else:
                good += 1
        colour = "green" if good == len(scenes) else "red"
        self._console.print(f"\n[bold {colour}]{good} of {len(scenes)} scenes came out as they should.[/]")
        return good == len(scenes)

    # -- scenes ------------------------------------------------------------------------------------

    async def _keyword(self) -> None:
        await self._texts("PIZZA")
        await self._gets("Which size? S, M or L")
        await self._texts("m please")
        await self._gets("One medium pizza, on its way!")

    async def _missed_call(self) -> None:
        self.east.tell("missed-call", **{"from": f"+{CUSTOMER}", "to": NUMBER, "ring": 1.0})
        self._line(f"+{CUSTOMER}", NUMBER, "rings", "by east")
        await self.east.wait("provisional", status=180)
        final = await self.east.wait("final")
        _hold(final["status"] == 487, f"the call ended with {final['status']}")
        self._line(f"+{CUSTOMER}", NUMBER, "hangs up", f"after {final['after_s']:.1f} s, nothing to pay")
        await self._gets("We will call you back.")

    async def _fallback(self) -> None:
        id = await self._alert(NO_NORTH, "the server room is at 41 C")
        refused = await self.north.wait("submit", to=NO_NORTH, timeout=30)
        self._line(SHORTCODE, NO_NORTH, str(refused["text"]), "by north: rejected, invalid number", "red")
        await self._gets("ALERT: the server room is at 41 C", to=NO_NORTH, smsc=self.south)
        await self._reaches(id, "delivered", "south")

    async def _call(self) -> None:
        id = await self._alert(NO_TEXT, "the server room is on fire")
        refused = await self.north.wait("submit", to=NO_TEXT, timeout=30)
        self._line(SHORTCODE, NO_TEXT, str(refused["text"]), "by north: rejected, invalid number", "red")
        taken = await self.south.wait("submit", to=NO_TEXT, timeout=30)
        receipt = await self.south.wait("receipt_sent", id=taken["id"])
        self._line(SHORTCODE, NO_TEXT, str(taken["text"]), f"by south: receipt {receipt['stat']}", "red")
        await self.east.wait("ringing", timeout=30)
        self._line(NUMBER, f"+{NO_TEXT}", "rings", "by east")
        await self.east.wait("answered")
        heard = await self.east.wait("heard", timeout=60)
        _hold(heard["rms"] > 300, f"the prompt was not to be heard (rms {heard['rms']})")
        speech = f"hears {heard['seconds']:.1f} s of speech"
        self._line(
            NUMBER, f"+{NO_TEXT}", speech, f"{heard['packets']} packets, {heard['lost']} lost", "green"
        )
        await self._reaches(id, "answered", "east")

    async def _stop(self) -> None:
        await self._texts("Stop")
        confirmed = await self.north.wait("message", to=CUSTOMER, timeout=30)
        self._line(SHORTCODE, CUSTOMER, str(confirmed["text"]), "by north", "green")
        id = await self._alert(CUSTOMER, "you will not read this", expect="failed")
        story = await self._message(id)
        self._line("gateway", "application", f"{story['status']}: {story['reason']}", "", "green")
        _hold(story["status"] == "failed" and "opted out" in story["reason"], "STOP was not respected")

    # -- what they are made of ---------------------------------------------------------------------

    async def _texts(self, text: str) -> None:
        self.north.tell("mo", **{"from": CUSTOMER, "to": SHORTCODE, "text": text})
        ack = await self.north.wait("mo_ack")
        _hold(ack["status"] == 0, f"deliver_sm was answered {ack['status']:#x}")
        self._line(CUSTOMER, SHORTCODE, text, "by north")

    async def _gets(self, text: str, *, to: str = CUSTOMER, smsc: Program | None = None) -> None:
        smsc = smsc or self.north
        message = await smsc.wait("message", to=to, timeout=30)
        receipt = await smsc.wait("receipt_ack", status=0)
        self._line(SHORTCODE, to, str(message["text"]), f"by {smsc.name}, {receipt['stat']}", "green")
        _hold(message["text"] == text, f"expected {text!r}")

    async def _alert(self, to: str, what: str, expect: str = "queued") -> str:
        body = {"to": f"+{to}", "chain": "alert", "variables": {"what": what}, "correlationid": "demo"}
        self._line("application", "gateway", f"chain alert, to +{to}", "by POST /v2/messages")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._base}/v2/messages", json=body, headers={"key": KEY}) as response,
        ):
            answer = await response.json()
            _hold(response.status == 202, f"HTTP {response.status}: {answer}")
        _hold(answer["status"] == expect, f"the answer says {answer['status']}")
        return str(answer["id"])

    async def _message(self, id: str) -> Json:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._base}/v2/messages/{id}", headers={"key": KEY}) as response,
        ):
            story: Json = await response.json()
            return story

    async def _reaches(self, id: str, status: str, carrier: str) -> None:
        """The application is told of the final status, signed."""
        async with asyncio.timeout(60):
            while True:
                told = await self.webhook.wait("notification")
                body = told["body"]
                if body["transid"] == id and body["status"] == status:
                    break
        signed = "signature good" if told["valid"] else "signature WRONG"
        self._line("gateway", "application", f"status {status}, by {carrier}", f"notified, {signed}", "green")
        _hold(told["valid"] and body["carrier"] == carrier, f"notified of {body}")

    async def _until_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            until = time.monotonic() + _READY_SECONDS
            while time.monotonic() < until:
                if not self.gateway.running:
                    raise StageError(f"the gateway did not start:\n{self.gateway.log_tail()}")
                try:
                    async with session.get(f"{self._base}/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise StageError(f"the gateway is not ready:\n{self.gateway.log_tail()}")

    def _line(self, who: str, whom: str, what: str, how: str, colour: str = "cyan") -> None:
        line = Text(f"  {time.monotonic() - self._began:5.1f} s  ", style="dim")
        line.append(f"{_plus(who):>13} -> {_plus(whom):<13}  ", style="default")
        line.append(f"{what:<40} ", style=f"bold {colour}")
        line.append(how, style="dim")
        self._console.print(line, soft_wrap=True)

    def _say(self, what: str) -> None:
        line = Text(f"  {time.monotonic() - self._began:5.1f} s  {what}", style="dim")
        self._console.print(line, soft_wrap=True)

    def _smsc(self, name: str, port: int, reject: str, receipt_id: str, *more: str) -> Program:
        rejecting = ["--reject", reject] if reject else []
        return Program(
            name,
            "simulators.smsc",
            f"--name={name}",
            f"--listen=127.0.0.1:{port}",
            "--account=gw:secret",
            f"--receipt-id={receipt_id}",
            "--receipt-delay=0.3",
            *rejecting,
            *more,
        )

    @property
    def _programs(self) -> tuple[Program, ...]:
        return self.north, self.south, self.east, self.webhook


def _plus(number: str) -> str:
    """As people write it; SMPP has no plus sign."""
    return f"+{number}" if number.isdigit() and len(number) > 8 else number


def _hold(true: object, otherwise: str) -> None:
    if not true:
        raise StageError(otherwise)


@click.command(
    epilog="""\b
Examples:
  gateway demo
  gateway demo --once               for scripts: exit 0 if all came out as it should
  gateway demo --any-ports --once   beside another gateway
"""
)
@click.option("-c", "--config", default=CONFIG, show_default=True, metavar="FILE", help="The main file.")
@click.option("--once", is_flag=True, help="End after the script.")
@click.option("--any-ports", is_flag=True, help="Take free ports in the place of the configured ones.")
@click.pass_context
def demo(context: click.Context, config: str, once: bool, any_ports: bool) -> None:
    """Watch real SMPP and SIP traffic go through the gateway.

    Starts two simulated SMSCs, a SIP carrier with handsets, a webhook receiver and the daemon, each a
    program of its own, plays a script and prints what they see.  Then stays up until Ctrl-C.  Needs a
    checkout: the simulators and the example configuration are not part of the installed package.
    """
    if find_spec("simulators") is None or find_spec("trio") is None:
        raise click.ClickException("the demo runs from a checkout: git clone, then make demo")
    context.exit(asyncio.run(_demo(Path(config), once=once, any_ports=any_ports)))


async def _demo(config: Path, *, once: bool, any_ports: bool) -> int:
    console = Console(highlight=False, soft_wrap=True)  # a long line is one line, also in a log
    ports = Ports(config)
    with tempfile.TemporaryDirectory(prefix="trunkline-demo-") as name:
        folder = Path(name)
        if any_ports:
            config = ports.move(config, folder / "conf")
        elif taken := ports.taken():
            console.print(f"[red]in use already: {', '.join(taken)}.  Try: gateway demo --any-ports[/]")
            return 1
        demo = Demo(console, config, ports, folder)
        what = "a gateway, two SMSCs, a SIP carrier, an application; real traffic on loopback"
        console.print(f"[bold]trunkline demo[/]: {what}", soft_wrap=True)
        task = asyncio.current_task()
        assert task is not None
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
        try:
            await demo.start()
            good = await demo.play()
            if not once and good:
                _invite(console, demo)
                status = await demo.gateway.ended()
                raise StageError(f"the gateway ended with {status}:\n{demo.gateway.log_tail()}")
        except StageError as error:
            console.print(f"[bold red]{escape(str(error))}[/]")
            good = False
        except asyncio.CancelledError:
            console.print("\nstopping: unbinding and hanging up")
            good = True
        finally:
            await demo.stop()
    return 0 if good else 1


def _invite(console: Console, demo: Demo) -> None:
    console.print("\nThe gateway stays up until Ctrl-C.  Send something yourself:\n")
    curl = (
        f"  curl -s {demo.base}/v2/messages -H 'key: {KEY}' -H 'content-type: application/json' \\\n"
        """       -d '{"to": "+447700900200", "chain": "alert", "variables": {"what": "tea is ready"}}'\n"""
        f"  curl -s {demo.base}/v2/messages/ID -H 'key: {KEY}'        the whole story of it"
    )
    console.print(Text(curl), soft_wrap=True)
