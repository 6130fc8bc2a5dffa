"""Files of a browser application, served where no other route serves: `router.frontend(...)`.

A frontend is an ordinary path operation beneath (`operation`), so that dependencies, overrides and
bounds hold for it as for any other; only how it is found differs. The longest prefix wins.
"""

import errno
import os
import stat
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from starlette.background import BackgroundTasks
from starlette.datastructures import URL, URLPath
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._engine.entry.asgi import route_path
from slipstream._engine.runtime.threads import in_thread
from slipstream._routes.inclusion import Inclusion

Fallback = Literal["auto", "index.html", "404.html"] | None
Directory = str | os.PathLike[str]

_PATH = "slipstream.frontend_path"
"""Key in a scope: the path below the prefix."""

_METHODS = ("GET", "HEAD")
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


class _Found(NamedTuple):
    """What the directory has for a path: a file, or a directory that has an index."""

    path: str
    facts: os.stat_result
    status_code: int = 200
    is_directory: bool = False


class FrontendFiles(StaticFiles):
    """A directory of built files.

    Args:
        directory: Where they are.
        fallback: What answers for a path without a file; see `APIRouter.frontend`.
        check_dir: Whether to look now that the directory, and a fallback that is named, exist.

    Raises:
        RuntimeError: They do not.
    """

    def __init__(self, directory: Directory, fallback: Fallback, *, check_dir: bool) -> None:
        assert fallback in ("auto", "index.html", "404.html", None), (
            f"the fallback of a frontend is 'auto', 'index.html', '404.html' or None, not {fallback!r}"
        )
        if check_dir and not os.path.isdir(directory):
            raise RuntimeError(_no_directory(directory))
        super().__init__(directory=directory, html=True, check_dir=check_dir)
        self.fallback = fallback
        if check_dir and fallback in ("index.html", "404.html"):
            self._fallback_file(fallback)

    async def serve(self, request: Request, response: Response, tasks: BackgroundTasks) -> Response:
        """Answer a GET or HEAD; dependencies may have set headers on `response` and added tasks."""
        answer = await self.respond(request.scope)
        answer.headers.raw.extend(response.headers.raw)
        return answer

    async def respond(self, scope: Scope) -> Response:
        """Make the answer to a request.

        Raises:
            HTTPException: 404 where nothing fits, 405 where a file is not asked for by GET or HEAD, 401 where
                the file system forbids it.
            RuntimeError: The directory or the fallback is not there.
        """
        if not self.config_checked:
            await self.check_config()
            self.config_checked = True
        is_read = scope["method"] in _METHODS
        wants_page = is_read and _accepts_page(scope)
        try:
            found = await in_thread(self._find, scope.get(_PATH, ""), is_read, wants_page)
        except PermissionError:
            raise HTTPException(status_code=401) from None
        except ValueError:  # a null byte, for one
            raise HTTPException(status_code=404) from None
        except OSError as exc:
            if exc.errno == errno.ENAMETOOLONG:
                raise HTTPException(status_code=404) from None
            raise
        if found is None:
            raise HTTPException(status_code=404)
        if not is_read:
            raise HTTPException(status_code=405, headers={"Allow": ", ".join(_METHODS)})
        if found.is_directory and not scope["path"].endswith("/"):
            url = URL(scope=scope)
            return RedirectResponse(url.replace(path=url.path + "/"))
        if found.status_code != 200:
            return FileResponse(found.path, found.status_code, stat_result=found.facts)
        return self.file_response(found.path, found.facts, scope)

    def _find(self, path: str, with_fallback: bool, wants_page: bool) -> _Found | None:
        """Look for a file, then for what stands in for it. Blocks: to be called in a thread."""
        path = os.path.normpath(os.path.join(*path.split("/")))
        found = self._file(path)
        if found is not None:
            return found
        _, facts = self.lookup_path(path)
        if facts is not None and stat.S_ISDIR(facts.st_mode):
            found = self._file(os.path.join(path, "index.html"))
            if found is not None:
                return _Found(found.path, found.facts, is_directory=True)
        return self._stand_in(wants_page) if with_fallback else None

    def _stand_in(self, wants_page: bool) -> _Found | None:
        """Look for the fallback: a page that says 404, or the application itself for a browser that navigates."""
        if self.fallback == "404.html":
            found: _Found | None = self._fallback_file("404.html")
        else:
            found = self._file("404.html") if self.fallback == "auto" else None
        if found is not None:
            return _Found(found.path, found.facts, status_code=404)
        if not wants_page:
            return None
        if self.fallback == "index.html":
            return self._fallback_file("index.html")
        return self._file("index.html") if self.fallback == "auto" else None

    def _file(self, path: str) -> _Found | None:
        full_path, facts = self.lookup_path(path)
        return _Found(full_path, facts) if facts is not None and stat.S_ISREG(facts.st_mode) else None

    def _fallback_file(self, name: str) -> _Found:
        found = self._file(name)
        if found is None:
            assert self.directory is not None, "a frontend is a directory"
            raise RuntimeError(
                f"the fallback file {name!r} of a frontend does not exist in directory '{self.directory}'\n"
                f"  that is {os.path.realpath(self.directory)}\n"
                "  build the frontend first, or write fallback='auto' to do with what there is"
            )
        return found


class FileOperation(Protocol):
    """What a frontend asks of the path operation beneath it."""

    endpoint: Callable[..., Any]

    def handler(self) -> ASGIApp:
        """Return what serves it now."""
        ...

    def included(self, inclusion: Inclusion) -> "FileOperation":
        """Return its twin under a prefix."""
        ...


class Frontend(BaseRoute):
    """Files under a prefix.

    Args:
        path: The prefix, below which every path is a file's; "/" or without a slash at its end.
        files: The files.
        operation: The path operation that answers, dependencies and bounds with it.
    """

    def __init__(self, path: str, files: FrontendFiles, operation: FileOperation) -> None:
        self.path = path
        self.app = files
        self.operation = operation

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a path is below the prefix; other methods than GET and HEAD fit in part."""
        if scope["type"] != "http":
            return Match.NONE, {}
        below = _below(self.path, route_path(scope))
        if below is None:
            return Match.NONE, {}
        found = {_PATH: below, "route": self.operation, "endpoint": self.operation.endpoint}
        return Match.FULL if scope["method"] in _METHODS else Match.PARTIAL, found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that `matches` has seen."""
        if scope["method"] in _METHODS:
            await self.operation.handler()(scope, receive, send)
            return
        answer = await self.app.respond(scope)
        await answer(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Build nothing: files have no names."""
        raise NoMatchFound(name, path_params)

    def included(self, inclusion: Inclusion) -> "Frontend":
        """Return a twin as it is under a prefix, with what the routers above it say."""
        return Frontend(joined(inclusion.options["prefix"], self.path), self.app, self.operation.included(inclusion))


class LowPriority:
    """Serves what no route serves with those that come after all others.

    Args:
        routes: Frontends, and whatever else comes last, in order.
        default: Serves what none of them does.
    """

    def __init__(self, routes: Sequence[BaseRoute], default: ASGIApp) -> None:
        self.routes = routes
        self.default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve: a frontend gives way to one with a longer prefix, any other route comes in its turn."""
        chosen: dict[Match, tuple[BaseRoute, Scope]] = {}
        for route in self.routes:
            match, child_scope = route.matches(scope)
            if match != Match.NONE and (match not in chosen or _is_closer(route, chosen[match][0])):
                chosen[match] = route, child_scope
        best = chosen.get(Match.FULL) or chosen.get(Match.PARTIAL)
        if best is None:
            await self.default(scope, receive, send)
            return
        scope.update(best[1])
        await best[0].handle(scope, receive, send)


def _is_closer(route: BaseRoute, other: BaseRoute) -> bool:
    return isinstance(route, Frontend) and isinstance(other, Frontend) and len(route.path) > len(other.path)


def _below(prefix: str, path: str) -> str | None:
    """The path below a prefix; None for one that is not below it."""
    if prefix == "/":
        return path.lstrip("/")
    if path == prefix:
        return ""
    return path.removeprefix(prefix + "/") if path.startswith(prefix + "/") else None


def normalized(path: str) -> str:
    """Check a frontend's path, and take the slash off its end.

    Raises:
        AssertionError: It does not begin with a slash.
    """
    assert path.startswith("/"), f"the path of a frontend begins with '/', unlike {path!r}; '/' alone is the whole site"
    return path.rstrip("/") or "/"


def joined(prefix: str, path: str) -> str:
    """Put a frontend's path under a prefix."""
    return path if not prefix else prefix if path == "/" else prefix + path


def checks_directory(directory: Directory, check_dir: bool | Literal["auto"], *, stacklevel: int) -> bool:
    """Decide whether a missing directory is an error now.

    "auto": it is, but in development (`FASTAPI_ENV=development`), where the frontend may be built
    later, it is only warned about.
    """
    if check_dir != "auto":
        return check_dir
    if os.environ.get("FASTAPI_ENV") != "development":
        return True
    if not os.path.isdir(directory):
        warnings.warn(_no_directory(directory), stacklevel=stacklevel + 1)
    return False


def _no_directory(directory: Directory) -> str:
    return (
        f"the directory '{directory}' of a frontend does not exist\n"
        f"  that is {os.path.realpath(directory)}\n"
        "  build the frontend first, or write check_dir=False if it comes later"
    )


def _accepts_page(scope: Scope) -> bool:
    """Whether a request names HTML among what it accepts, as browsers do when they go to a page."""
    for key, value in scope["headers"]:
        if key == b"accept" and any(map(_is_page, value.decode("latin-1").lower().split(","))):
            return True
    return False


def _is_page(entry: str) -> bool:
    """Whether an entry of Accept is a type of page that is not refused by `q=0`."""
    media_type, *parameters = (part.strip() for part in entry.split(";"))
    if media_type not in _PAGES:
        return False
    qualities = [
        value.strip() for name, _, value in (item.partition("=") for item in parameters) if name.strip() == "q"
    ]
    try:
        return not qualities or float(qualities[0]) != 0
    except ValueError:
        return True
