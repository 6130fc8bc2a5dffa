"""Files of a browser application, served where no other route serves: `router.frontend(...)`.

A frontend serves by a path operation, so dependencies, overrides and bounds hold for it; only how it is found differs.
Of several frontends that match, the one with the longest prefix serves.
"""

import errno
import os
import re
import stat
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from starlette.background import BackgroundTasks
from starlette.datastructures import URL, Headers, URLPath
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._engine.entry.asgi import route_path
from slipstream._engine.runtime.threads import in_thread
from slipstream._routes.context import FRONTEND_PATH, Inclusion, noted, noting_in
from slipstream._routes.route import PlannedRoute
from slipstream.telemetry._data import SCOPE_KEY

Fallback = Literal["auto", "index.html", "404.html"] | None
Directory = str | os.PathLike[str]

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_METHODS = ("GET", "HEAD")
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_REFUSED = re.compile(r"q\s*=\s*(0+\.?0*|\.0+)")


class FrontendFiles(StaticFiles):
    """A directory of built files; see `APIRouter.frontend`."""

    def __init__(self, directory: Directory, fallback: Fallback, *, check_dir: bool) -> None:
        assert fallback in ("auto", "index.html", "404.html", None), (
            f"the fallback of a frontend is 'auto', 'index.html', '404.html' or None, not {fallback!r}"
        )
        if check_dir and not os.path.isdir(directory):
            raise RuntimeError(_no_directory(directory))
        super().__init__(directory=directory, html=True, check_dir=check_dir)
        self.fallback = fallback
        if check_dir and fallback in ("index.html", "404.html") and self._first([fallback]) is None:
            raise self._lacks(fallback)

    async def serve(self, request: Request, response: Response, tasks: BackgroundTasks) -> Response:
        """Answer a GET or HEAD, with the headers that dependencies have set on `response`."""
        answer = await self.respond(request.scope)
        answer.headers.raw.extend(response.headers.raw)
        return answer

    async def respond(self, scope: Scope) -> Response:
        """Return the answer to a request; a RuntimeError says that the directory or the fallback is missing.

        The HTTPException is a 404 without a file, a 405 for another method, a 401 for a file that may not be read.
        """
        if not self.config_checked:
            await self.check_config()
            self.config_checked = True
        is_read = scope["method"] in _METHODS
        wanted = self._wanted(noted(scope, FRONTEND_PATH) or "", is_read, is_read and _accepts_page(scope))
        try:
            found = await in_thread(self._first, wanted)
        except PermissionError:
            raise HTTPException(status_code=401) from None
        except (OSError, ValueError) as exc:  # a null byte in the path is a ValueError
            if isinstance(exc, OSError) and exc.errno != errno.ENAMETOOLONG:
                raise
            raise HTTPException(status_code=404) from None
        if found is None:
            raise self._lacks(self.fallback) if self.fallback in wanted[2:] else HTTPException(status_code=404)
        if not is_read:
            raise HTTPException(status_code=405, headers={"Allow": ", ".join(_METHODS)})
        place, full_path, facts = found
        if place == 1 and not scope["path"].endswith("/"):
            url = URL(scope=scope)
            return RedirectResponse(url.replace(path=url.path + "/"))
        if place > 1 and wanted[place] == "404.html":
            return FileResponse(full_path, 404, stat_result=facts)
        return self.file_response(full_path, facts, scope)

    def _wanted(self, path: str, with_fallback: bool, with_page: bool) -> list[str]:
        """List what may answer for a path: the file, the index of a directory, 404.html, the application's page."""
        path = os.path.normpath(os.path.join(*path.split("/")))
        fallbacks = ["404.html"] * with_fallback + ["index.html"] * with_page
        return [path, os.path.join(path, "index.html"), *(f for f in fallbacks if self.fallback in ("auto", f))]

    def _first(self, paths: Sequence[str]) -> tuple[int, str, os.stat_result] | None:
        """Look for the first path that is a file; return its place in the list, where it is and its facts. Blocks."""
        for place, path in enumerate(paths):
            full_path, facts = self.lookup_path(path)
            if facts is not None and stat.S_ISREG(facts.st_mode):
                return place, full_path, facts
        return None

    def _lacks(self, fallback: str) -> RuntimeError:
        assert self.directory is not None, "a frontend is a directory"
        return RuntimeError(
            f"the fallback file {fallback!r} of a frontend does not exist in directory '{self.directory}'\n"
            f"  that is {os.path.realpath(self.directory)}\n"
            "  build the frontend first, or write fallback='auto' to do with what there is"
        )


class _Nameless(BaseRoute):
    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Raise NoMatchFound: files have no names."""
        raise NoMatchFound(name, path_params)


class Frontend(_Nameless):
    """Files under a prefix without a slash at its end; its operation answers GET and HEAD, after its dependencies."""

    def __init__(self, path: str, files: FrontendFiles, operation: PlannedRoute) -> None:
        self.path = path
        self.app = files
        self.operation = operation

    def matches(self, scope: Scope, prefix: str = "") -> tuple[Match, Scope]:
        """Match a path below the prefix, or its twin below a further one, fully if the method is GET or HEAD."""
        base, path = joined(prefix, self.path).rstrip("/"), route_path(scope)
        if scope["type"] != "http" or not f"{path}/".startswith(f"{base}/"):
            return Match.NONE, {}
        below = path[len(base) + 1 :]
        found = {**noting_in(scope, FRONTEND_PATH, below), "route": self.operation, "endpoint": self.operation.endpoint}
        return Match.FULL if scope["method"] in _METHODS else Match.PARTIAL, found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in _METHODS:
            await self.operation.handler()(scope, receive, send)
            return
        observation = scope.get(SCOPE_KEY)
        if observation is not None:
            observation.routed(self.operation.path_format)
        answer = await self.app.respond(scope)
        await answer(scope, receive, send)

    def included(self, inclusion: Inclusion) -> "Frontend":
        return Frontend(joined(inclusion.options["prefix"], self.path), self.app, self.operation.included(inclusion))


async def _no_frontend(scope: Scope, receive: Receive, send: Send) -> None:
    raise HTTPException(status_code=404)


class FrontendGroup(_Nameless):
    """What serves where no other route does, as one route under FastAPI's half-public names: the best, or `default`.

    The best are full matches before partial ones, of frontends the longest prefix, else the first.
    """

    def __init__(self, routes: Sequence[BaseRoute], default: ASGIApp = _no_frontend) -> None:
        self.routes, self._default = routes, default

    def matches_with_prefix(self, scope: Scope, prefix: str = "") -> tuple[Match, Scope]:
        """Match as the frontend that serves, or that would under a prefix."""
        return _best((route, *route.matches(scope, prefix)) for route in self.routes if isinstance(route, Frontend))[1:]

    matches = matches_with_prefix

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with the route that matches best."""
        best, _, child_scope = _best((route, *route.matches(scope)) for route in self.routes)
        scope.update(child_scope)
        await (self._default if best is None else best.handle)(scope, receive, send)


def _best(found: Iterable[tuple[BaseRoute, Match, Scope]]) -> tuple[BaseRoute | None, Match, Scope]:
    chosen: dict[Match, tuple[BaseRoute, Match, Scope]] = {}
    for route, match, child_scope in found:
        other = chosen[match][0] if match in chosen else None
        is_closer = isinstance(route, Frontend) and isinstance(other, Frontend) and len(route.path) > len(other.path)
        if other is None or is_closer:
            chosen[match] = route, match, child_scope
    return chosen.get(Match.FULL) or chosen.get(Match.PARTIAL) or (None, Match.NONE, {})


def joined(prefix: str, path: str) -> str:
    return path if not prefix else prefix if path == "/" else prefix + path


def checks_directory(directory: Directory, check_dir: bool | Literal["auto"]) -> bool:
    """Return whether a missing directory is an error now; for "auto" in development, warn about one instead."""
    if check_dir != "auto":
        return check_dir
    if os.environ.get("FASTAPI_ENV") != "development":
        return True
    if not os.path.isdir(directory):
        stacklevel, frame = 2, sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):  # the user's line is meant
            stacklevel, frame = stacklevel + 1, frame.f_back
        warnings.warn(_no_directory(directory), stacklevel=stacklevel)
    return False


def _no_directory(directory: Directory) -> str:
    return (
        f"the directory '{directory}' of a frontend does not exist\n"
        f"  that is {os.path.realpath(directory)}\n"
        "  build the frontend first, or write check_dir=False if it comes later"
    )


def _accepts_page(scope: Scope) -> bool:
    """Whether Accept names HTML, as that of browsers does for a page, and not with `q=0`."""
    for entry in ",".join(Headers(scope=scope).getlist("accept")).lower().split(","):
        media_type, *parameters = map(str.strip, entry.split(";"))
        if media_type in _PAGES and not any(map(_REFUSED.fullmatch, parameters)):
            return True
    return False
