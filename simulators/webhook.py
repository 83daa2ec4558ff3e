"""A developer's web server: takes notifications, checks their signatures and shows them.

HTTP/1.1 in as much as a notification needs: POST with Content-Length, keep-alive, `Expect: 100-continue`. The
signature is `X-Hub-Signature-256: sha256=HEX`, HEX being HMAC-SHA256 with the hub secret over the body;
`X-Hub-Timestamp-Signature-256` is the same over `X-Hub-Timestamp`, a full stop and the body. See
`python -m simulators.webhook --help`.
"""

import argparse
import hashlib
import hmac
import http
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import trio

from simulators.console import Command, CommandError, Console, add_arguments, host_and_port

HEAD_LIMIT_OCTETS = 65_536
BODY_LIMIT_OCTETS = 10_000_000

EPILOG = """
example:
  python -m simulators.webhook --listen 127.0.0.1:8090 --secret s3cret --fail-first 2

commands, one JSON object per line on stdin:
  {"cmd": "set", "secret": "new", "fail_first": 3, "status": 500, "delay": 2}     any of them; fail_first
                                                                                  counts from now
  {"cmd": "stats"}   {"cmd": "quit"}

events:
  listening {host, port}
  notification {method, path, valid, reason, status, attempt, timestamp, headers, body}
      valid: the signature is right; reason: why not, else null; status: what it was answered;
      attempt: how often this very body has come; body: JSON if it is JSON, else a string
  malformed {peer, reason}
  stats {received, valid, invalid, failed, unique}
      failed: answered 400 or above; unique: different bodies
  done, error, closing

A notification with a wrong signature is answered 401, whatever --status says.
"""


class BadRequest(Exception):
    """Not HTTP as served here; the connection ends with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    keep_alive: bool


class Connection:
    """Reads requests one by one."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def request(self) -> Request | None:
        """None when the peer has closed. Raises BadRequest."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT_OCTETS:
                raise BadRequest(431, "the header is too long")
            if not await self._more():
                return None
        head = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        words = head[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(400, f"{head[0][:80]!r} is not a request line")
        headers = {}
        for line in head[1:]:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise BadRequest(400, f"{line[:80]!r} is not a header")
            headers[name.lower()] = value.strip()
        body = await self._body(words[0], headers)
        wish = headers.get("connection", "").lower()
        return Request(words[0], words[1], headers, body, "close" not in wish and words[2] == "HTTP/1.1")

    async def _body(self, method: str, headers: Mapping[str, str]) -> bytes:
        length = headers.get("content-length")
        if "transfer-encoding" in headers or (length is None and method == "POST"):
            raise BadRequest(411, "a body needs Content-Length")
        if length is None:
            return b""
        if not length.isascii() or not length.isdecimal():
            raise BadRequest(400, f"Content-Length {length!r}")
        if int(length) > BODY_LIMIT_OCTETS:
            raise BadRequest(413, "the body is too long")
        if headers.get("expect", "").lower() == "100-continue":
            await self._stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self._buffer) < int(length):
            if not await self._more():
                raise BadRequest(400, "the body ends early")
        body = bytes(self._buffer[: int(length)])
        del self._buffer[: int(length)]
        return body

    async def answer(self, status: int, text: str, *, keep_alive: bool) -> None:
        phrase = http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else "Status"
        head = f"HTTP/1.1 {status} {phrase}\r\nConnection: {'keep-alive' if keep_alive else 'close'}\r\n"
        body = b""
        if status not in (204, 304):  # these never have a body: RFC 9110 section 6.4.1
            body = text.encode() + b"\n"
            head += f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        await self._stream.send_all(head.encode("latin-1") + b"\r\n" + body)

    async def _more(self) -> bool:
        data = await self._stream.receive_some(65536)
        self._buffer += data
        return bool(data)


def fault(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    """What is wrong with the signatures; None when they are right."""
    timestamp = headers.get("x-hub-timestamp")
    if timestamp is None:
        return "no X-Hub-Timestamp"
    stamped = timestamp.encode("latin-1") + b"." + body
    for name, signed in (("X-Hub-Signature-256", body), ("X-Hub-Timestamp-Signature-256", stamped)):
        signature = headers.get(name.lower())
        if signature is None:
            return f"no {name}"
        right = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature.encode("latin-1"), right.encode()):
            return f"{name} does not match"
    return None


@dataclass(slots=True)
class Webhook:
    console: Console
    secret: str
    fail_first: int = 0
    status: int = 200
    delay: float = 0.0
    failed_to_listen: bool = False
    _counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("received", "valid", "invalid", "failed"), 0)
    )
    _seen: dict[bytes, int] = field(default_factory=dict)

    async def serve(self, host: str, port: int) -> None:
        try:
            listeners = await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            self.console.emit("error", reason=f"cannot listen on {host}:{port}: {error}")
            self.failed_to_listen = True
            return
        self.console.emit("listening", host=host, port=listeners[0].socket.getsockname()[1])
        try:
            await trio.serve_listeners(self._serve, listeners)
        finally:
            self.stats()

    async def _serve(self, stream: trio.SocketStream) -> None:
        connection = Connection(stream)
        peer = ""
        try:
            peer = "{}:{}".format(*stream.socket.getpeername()[:2])
            while (request := await connection.request()) is not None:
                await self._notification(connection, request)
                if not request.keep_alive:
                    break
        except BadRequest as error:
            self.console.emit("malformed", peer=peer, reason=str(error))
            with trio.move_on_after(1):
                try:
                    await connection.answer(error.status, str(error), keep_alive=False)
                except trio.BrokenResourceError:
                    pass
        except (trio.BrokenResourceError, OSError):
            pass  # the peer is gone: nobody is left to tell
        except Exception as error:  # one peer, even one that finds a defect here, must not end the others
            self.console.emit("error", peer=peer, reason=repr(error))

    async def _notification(self, connection: Connection, request: Request) -> None:
        if request.method != "POST":
            await connection.answer(405, "POST a notification", keep_alive=request.keep_alive)
            return
        reason = fault(self.secret, request.headers, request.body)
        status, text = self._status(reason)
        digest = hashlib.sha256(request.body).digest()
        self._seen[digest] = self._seen.get(digest, 0) + 1
        self._counts["received"] += 1
        self._counts["invalid" if reason else "valid"] += 1
        self._counts["failed"] += status >= 400
        self.console.emit(
            "notification",
            method=request.method,
            path=request.path,
            valid=reason is None,
            reason=reason,
            status=status,
            attempt=self._seen[digest],
            timestamp=request.headers.get("x-hub-timestamp"),
            headers=request.headers,
            body=_readable(request.body),
        )
        if self.delay:
            await trio.sleep(self.delay)
        await connection.answer(status, text, keep_alive=request.keep_alive)

    def _status(self, reason: str | None) -> tuple[int, str]:
        if self.fail_first > 0:
            self.fail_first -= 1
            return 503, "try again"
        if reason is not None:
            return 401, reason
        return self.status, "thank you" if self.status < 400 else "no"

    async def command(self, command: Command) -> None:
        """Carry out one line from stdin. Raises CommandError."""
        match command.name:
            case "set":
                unknown = command.fields.keys() - {"ref", "secret", "fail_first", "status", "delay"}
                if unknown:
                    raise CommandError(
                        f"no option {min(unknown)!r}; there are secret, fail_first, status, delay"
                    )
                secret = command.get("secret", str, self.secret)
                fail_first = command.get("fail_first", int, self.fail_first)
                status = command.get("status", int, self.status)
                delay = command.get("delay", float, self.delay)
                if not 200 <= status <= 599 or delay < 0 or fail_first < 0:
                    raise CommandError("status is 200 to 599; delay and fail_first are not below zero")
                self.secret, self.fail_first, self.status, self.delay = secret, fail_first, status, delay
            case "stats":
                self.stats()
            case _:
                raise CommandError("there are set, stats, quit")

    def stats(self) -> None:
        self.console.emit("stats", **self._counts, unique=len(self._seen))


def _readable(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _status_code(text: str) -> int:
    status = int(text)
    if not 200 <= status <= 599:
        raise argparse.ArgumentTypeError("is 200 to 599")
    return status


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.webhook",
        description="A developer's web server that takes notifications and checks their signatures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--listen",
        type=host_and_port,
        default=("127.0.0.1", 8090),
        metavar="HOST:PORT",
        help="port 0 takes a free one (default: 127.0.0.1:8090)",
    )
    add_arguments(parser, name="webhook")
    parser.add_argument("--secret", required=True, metavar="S", help="the hub secret")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="answer 503 to the first N")
    parser.add_argument(
        "--status",
        type=_status_code,
        default=200,
        metavar="CODE",
        help="answer to what is right (default: 200)",
    )
    parser.add_argument("--delay", type=float, default=0.0, metavar="S", help="seconds before each answer")
    return parser


def main(argv: list[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    console = Console.of(options)
    webhook = Webhook(console, options.secret, options.fail_first, options.status, options.delay)
    status = console.run(lambda: webhook.serve(*options.listen), webhook.command)
    return 1 if webhook.failed_to_listen else status


if __name__ == "__main__":
    sys.exit(main())
