"""The access log: one line a response."""

import logging
import sys
import time
from asyncio import AbstractEventLoop
from functools import lru_cache
from typing import Any, Final, Protocol, TextIO
from urllib.parse import quote

from slipstream.server.limits import Settings

_MOST_KEPT: Final = 65536
"""Characters that are kept at most."""
_LONGEST: Final = 0.1
"""Seconds that a line is kept at most."""


class AccessLog(Protocol):
    """What notes a response."""

    def note(self, scope: Any, status: int) -> None:
        """Note the status of the response to the request of a scope."""

    def flush(self) -> None:
        """Write what was kept."""


def access_log_for(config: Any, settings: Settings, loop: AbstractEventLoop) -> AccessLog | None:
    """Return the log that the settings ask for; None if nobody would read it."""
    if not config.access_log:
        return None
    logger = logging.getLogger("uvicorn.access")
    if settings.log_format == "json":
        return BatchedLog(sys.stdout, loop, is_json=True)
    if not (logger.hasHandlers() and logger.isEnabledFor(logging.INFO)):
        return None
    if settings.log_format == "text" and _is_as_uvicorn_makes_it(logger):
        return BatchedLog(sys.stdout, loop, is_json=False)
    return LoggerLog(logger)


def _is_as_uvicorn_makes_it(logger: logging.Logger) -> bool:
    """Whether a program has left a logger as it was: filters, handlers and formats of its own have to have effect."""
    if logger.filters or logger.propagate or len(logger.handlers) != 1:
        return False
    (handler,) = logger.handlers
    is_usual = type(handler) is logging.StreamHandler and not handler.filters and handler.stream is sys.stdout
    return is_usual and type(handler.formatter).__module__ == "uvicorn.logging"


class LoggerLog:
    """Gives each line to uvicorn's logger, with uvicorn's words and arguments."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def note(self, scope: Any, status: int) -> None:
        """Log a response."""
        client = scope["client"]
        self._logger.info(
            '%s - "%s %s HTTP/%s" %d',
            f"{client[0]}:{client[1]}" if client else "",
            scope["method"],
            _quoted(scope),
            scope["http_version"],
            status,
        )

    def flush(self) -> None:
        """Do nothing, since a logger keeps nothing."""


def _quoted(scope: Any) -> str:
    """Return path and query as uvicorn does: the path decoded, and escaped again."""
    path, query = quote(scope["path"]), scope["query_string"]
    return f"{path}?{query.decode('ascii')}" if query else path


class BatchedLog:
    """Gathers lines, and writes those of a tenth of a second at once."""

    def __init__(self, stream: TextIO, loop: AbstractEventLoop, *, is_json: bool) -> None:
        self._stream, self._loop = stream, loop
        self._line = _as_json if is_json else _as_text
        self._lines: list[str] = []
        self._size = 0

    def note(self, scope: Any, status: int) -> None:
        """Keep the line of a response."""
        line = self._line(scope, status)
        if not self._lines:
            self._loop.call_later(_LONGEST, self.flush)
        self._lines.append(line)
        self._size += len(line)
        if self._size > _MOST_KEPT:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._lines:
            return
        text = "".join(self._lines)
        self._lines, self._size = [], 0
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more, or it is closed
            return


def target_of(scope: Any) -> str:
    """Return path and query as they were sent: the parser lets no space, control or other character than ASCII pass."""
    target = scope["raw_path"] + b"?" + scope["query_string"] if scope["query_string"] else scope["raw_path"]
    text: str = target.decode("latin-1")
    return text.replace('"', "%22").replace("\\", "%5C") if '"' in text or "\\" in text else text


def _as_text(scope: Any, status: int) -> str:
    host, port = scope["client"] or ("", 0)
    line = f'{host}:{port} - "{scope["method"]} {target_of(scope)} HTTP/{scope["http_version"]}" {status}'
    return f"INFO:     {line}\n"


def _as_json(scope: Any, status: int) -> str:
    host, port = scope["client"] or ("", 0)
    now = time.time()
    at = f"{_second(int(now))}.{int(now * 1000) % 1000:03d}Z"
    return (
        f'{{"time": "{at}", "client": "{host}:{port}", "method": "{scope["method"]}", "path": "{target_of(scope)}", '
        f'"version": "{scope["http_version"]}", "status": {status}}}\n'
    )


@lru_cache(4)
def _second(now: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
