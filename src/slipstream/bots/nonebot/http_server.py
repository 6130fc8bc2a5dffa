"""NoneBot's HTTP handlers as endpoints of our application, with their requests and responses translated."""

import contextlib
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

from nonebot.drivers import HTTPVersion, Request as BotRequest, Response as BotResponse
from starlette.datastructures import UploadFile
from starlette.types import Scope

from slipstream.requests import Request
from slipstream.responses import Response

DOCUMENTABLE = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
"""The methods that OpenAPI can describe."""

_VERSIONS = {version.value: version for version in HTTPVersion} | {"2.0": HTTPVersion.H2}
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_UNREAD: Any = object()


def version_of(scope: Scope) -> HTTPVersion:
    """Return the HTTP version of a request."""
    return _VERSIONS.get(scope.get("http_version", "1.1"), HTTPVersion.H11)


class IncomingRequest(BotRequest):
    """A request that reads its body as JSON on the first use of `json`, since most handlers parse `content`."""

    _json: Any

    @property
    def json(self) -> Any:
        """The body read as JSON, whatever its content type, or None."""
        if self._json is _UNREAD:
            self._json = None
            with contextlib.suppress(ValueError, RecursionError):
                self._json = json.loads(self.content or "")
        return self._json

    @json.setter
    def json(self, value: Any) -> None:
        self._json = value


def http_endpoint(
    handle: Callable[[BotRequest], Awaitable[BotResponse]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that calls a handler of NoneBot's."""

    async def serve(request: Request) -> Response:
        return write_response(await handle(await read_request(request)))

    return serve


async def read_request(request: Request) -> IncomingRequest:
    """Read a whole request; `data` is None if it is a form that cannot be parsed."""
    content = await request.body()
    data: dict[str, Any] | None = {}
    files: list[Any] = []
    if content and request.headers.get("content-type", "").lower().startswith(_FORMS):
        try:
            async with request.form() as form:
                data = {}
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        # a copy, since the form closes its files while a handler may pass this one on
                        copy = io.BytesIO(await value.read())
                        files.append((name, (value.filename, copy, value.content_type)))
                    else:
                        data[name] = value
        except Exception:  # the handler can still read `content`
            data, files = None, []
    return IncomingRequest(
        request.method,
        str(request.url),
        headers=request.headers.items(),
        cookies=request.cookies,
        content=content,
        data=data,
        json=_UNREAD,
        files=files,
        version=version_of(request.scope),
    )


def write_response(answer: BotResponse) -> Response:
    """Translate a handler's response; a header that it has twice is sent twice, one with a line break is an error."""
    response = Response(answer.content, answer.status_code)
    if answer.headers:
        own = response.raw_headers
        given = [(_header(name).lower(), _header(value)) for name, value in answer.headers.items()]
        names = {name for name, _ in given}
        response.raw_headers = [pair for pair in own if pair[0] not in names] + given
    return response


def _header(text: str) -> bytes:
    if "\n" in text or "\r" in text:
        raise ValueError(f"a response header must not hold a line break: {text!r}")
    return str(text).encode("latin-1")
