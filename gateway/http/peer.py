"""Peers that break HTTP itself, or are gone: one line in the log, and JSON as for every fault."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError

from gateway.http.problem import SERVER, Problem


class Handler(web.RequestHandler):
    """aiohttp's side of a connection, but for how it answers what it cannot read."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # a body that breaks off in the middle (a chunk that is none) comes as a message that is no request;
        # aiohttp does not tell the request whose body it is, which would wait for the rest for ever
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            request = self._current_request
            if request is not None and not request.content.is_eof():
                request.content.set_exception(web.RequestPayloadError("it breaks off"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        response = super().handle_error(request, status, exc, message)
        if status == 400:
            response = Problem(400, "malformed", f"no HTTP request: {_reason(message or '')}").response()
            response.force_close()
        response.headers["Server"] = SERVER
        return response


def peer_log(name: str) -> logging.Logger:
    """A logger for what aiohttp says of peers."""
    logger = logging.getLogger(name)
    if not logger.filters:
        logger.addFilter(_in_one_line)
    return logger


def _in_one_line(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        what, reason = "http.malformed", _reason(error.message)
    elif isinstance(error, web.RequestPayloadError):  # it has been answered
        what, reason = "http.malformed", _reason(str(error))
    elif isinstance(error, ConnectionError):
        what, reason = "http.gone", str(error)
    else:
        return True
    record.peer = record.args[0] if isinstance(record.args, tuple) and record.args else ""
    record.reason = reason
    record.msg, record.args, record.exc_info = what, (), None
    record.levelno, record.levelname = logging.INFO, "INFO"
    return logging.getLogger(record.name).isEnabledFor(logging.INFO)


def _reason(message: str) -> str:
    """Without the octets of the request, which aiohttp shows after an empty line or a colon."""
    return " ".join(message.partition("\n\n")[0].partition(": b'")[0].split()).rstrip(":.")
