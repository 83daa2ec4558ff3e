"""The command line of the SIP carrier, and how its handsets are written there."""

import argparse
from pathlib import Path

from simulators.console import add_arguments, host_and_port
from simulators.sip_digest import ALGORITHMS, NONCE_SECONDS
from simulators.sip_handset import NUMBER, BadBehaviour, Behaviour, number_key, seconds
from simulators.sip_registrar import DEFAULT_SECONDS

EXAMPLE = """\
example:
  python -m simulators.sip_carrier --listen 127.0.0.1:5080 --gateway 127.0.0.1:5060 --user acme:secret \\
      --handset +447700900123=answer:ring=1.0,talk=10,hangup=callee,digits=123 \\
      --handset +447700900124=machine:greeting=4,early=tone --handset +447700900125=busy

behaviours:
  answer[:ring=1,talk=10,hangup=callee|caller,digits=123,after=0.5,greeting=0,play=tone]
                    after a greeting of so many seconds it plays on; presses digits after so many seconds;
                    callee: BYE after talk seconds
  machine[:ring=1,talk=30,greeting=5,...]           an answering machine: greeting, beep, then it listens
  busy (486), reject (603), unreachable (480)       each [:ring=0]; any other number: 404
  forward:to=NUMBER[,ring=0] (302)
  no-answer (180 for ever), silent (nothing at all, not even to a CANCEL)
  sounds, for play: tone, silence, speech, beep; all but silent take early=SOUND: while it rings, 183 with
  that sound

commands, one JSON object per line on stdin:
  {"cmd":"missed-call","from":"+447700900123","to":"+442079460000","ring":2.0}
  {"cmd":"call","from":"+447700900123","to":"+442079460000","max":30,"talk":10,"play":"tone","digits":"1","after":2}
  {"cmd":"set-handset","number":"+447700900123","behaviour":"busy"}
  {"cmd":"press","number":"+447700900123","digits":"1#"}      in the call that this handset is in
  {"cmd":"hang-up","number":"+447700900123"}
  {"cmd":"options"}   {"cmd":"stats"}   {"cmd":"quit"}
"""


def handset(text: str) -> tuple[str, Behaviour]:
    """Read NUMBER=BEHAVIOUR. Raises argparse.ArgumentTypeError."""
    called, equals, behaviour = text.partition("=")
    if not equals or not NUMBER.fullmatch(called):
        raise argparse.ArgumentTypeError(f"{text!r} is not NUMBER=BEHAVIOUR")
    try:
        return number_key(called), Behaviour.parse(behaviour)
    except BadBehaviour as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def account(text: str) -> tuple[str, str]:
    """Read NAME:PASSWORD. Raises argparse.ArgumentTypeError."""
    name, colon, password = text.partition(":")
    if not colon or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PASSWORD")
    return name, password


def share(text: str) -> float:
    """Read a number from 0 to 1. Raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def every(text: str) -> float:
    """Read a time span in seconds above 0. Raises argparse.ArgumentTypeError."""
    try:
        value = seconds(text, "seconds")
    except BadBehaviour as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if value == 0:
        raise argparse.ArgumentTypeError("it must be more than 0 seconds")
    return value


def whole(text: str) -> int:
    """Read a whole number of seconds. Raises argparse.ArgumentTypeError."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds")
    return int(text)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.sip_carrier",
        description="A SIP carrier on UDP (IPv4) with handsets. Events on stdout, commands on stdin.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser, name="east")
    address = "HOST:PORT"
    parser.add_argument(
        "--listen",
        type=host_and_port,
        default=("127.0.0.1", 5080),
        metavar=address,
        help="where SIP is spoken; port 0 takes any (default: 127.0.0.1:5080)",
    )
    parser.add_argument(
        "--gateway", type=host_and_port, metavar=address, help="where calls for the gateway's numbers go"
    )
    parser.add_argument(
        "--handset",
        type=handset,
        action="append",
        default=[],
        metavar="NUMBER=BEHAVIOUR",
        help="a phone behind the carrier; may be given often",
    )
    parser.add_argument("--record", type=Path, metavar="DIR", help="write what each call heard as WAV")
    parser.add_argument(
        "--options", type=every, metavar="S", help="send OPTIONS to the gateway every S seconds"
    )
    parser.add_argument(
        "--loss", type=share, default=0.0, metavar="P", help="lose this share of datagrams each way"
    )
    parser.add_argument("--seed", type=int, default=0, help="for --loss (default: %(default)s)")
    parser.add_argument(
        "--user",
        type=account,
        action="append",
        default=[],
        metavar="NAME:PASSWORD",
        help="ask for credentials, 401 to REGISTER and 407 to INVITE, and refuse others by 403; "
        "may be given often",
    )
    parser.add_argument("--realm", help="of those credentials (default: the name)")
    parser.add_argument(
        "--digest",
        choices=list(ALGORITHMS),
        action="append",
        help="their algorithm; may be given often, and all are offered (default: SHA-256, then MD5)",
    )
    parser.add_argument(
        "--nonce-life",
        type=every,
        default=NONCE_SECONDS,
        metavar="S",
        help="credentials are stale after so long (default: %(default)s)",
    )
    parser.add_argument(
        "--min-expires",
        type=whole,
        default=0,
        metavar="S",
        help="refuse a REGISTER for less by 423; calls go to who has registered, else to --gateway",
    )
    parser.add_argument(
        "--max-expires",
        type=whole,
        default=DEFAULT_SECONDS,
        metavar="S",
        help="grant no longer (default: %(default)s)",
    )
    return parser
