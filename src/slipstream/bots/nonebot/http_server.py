"""NoneBot's HTTP handlers as endpoints of our application: what they are given, and what becomes of their answers."""

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

from nonebot.drivers import HTTPVersion, Request as BotRequest, Response as BotResponse
from starlette.datastructures import UploadFile
from starlette.types import Scope

from slipstream.requests import Request
from slipstream.responses import Response

_DOCUMENTABLE = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
_VERSIONS = {version.value: version for version in HTTPVersion} | {"2.0": HTTPVersion.H2}
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_UNREAD: Any = object()


def is_documentable(method: str) -> bool:
    """Whether OpenAPI has a place for a method."""
    return method.upper() in _DOCUMENTABLE


def version_of(scope: Scope) -> HTTPVersion:
    """Return the version of HTTP that a request came by."""
    return _VERSIONS.get(scope.get("http_version", "1.1"), HTTPVersion.H11)


class IncomingRequest(BotRequest):
    """A request whose body is read as JSON when a handler first asks, since most parse `content` themselves."""

    _json: Any

    @property
    def json(self) -> Any:
        """The body read as JSON, whatever its type says, or `None`."""
        if self._json is _UNREAD:
            self._json = None
            if self.content:
                try:
                    self._json = json.loads(self.content)
                except (ValueError, RecursionError):
                    pass
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
    """Read a whole request; a form that cannot be read leaves `data` at `None`."""
    content = await request.body()
    data: dict[str, Any] | None = {}
    files: list[Any] = []
    if content and request.headers.get("content-type", "").lower().startswith(_FORMS):
        try:
            async with request.form() as form:
                data = {}
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        # a file of its own, which a handler may pass on and nobody must close
                        held = io.BytesIO(await value.read())
                        files.append((name, (value.filename, held, value.content_type)))
                    else:
                        data[name] = value
        except Exception:  # whatever is wrong with a form, the handler has `content`
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
    """Turn a handler's answer into ours; a header that comes twice is sent twice.

    Raises:
        ValueError: A header holds a line break.
    """
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
