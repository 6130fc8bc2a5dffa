"""Starlette's Jinja templates, also as programs wrote them before Starlette 1.0."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, overload

import jinja2
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.templating import Jinja2Templates as StarletteTemplates

ContextProcessor = Callable[[Request], dict[str, Any]]


class Jinja2Templates(StarletteTemplates):
    """Renders templates of a folder, of several folders, or of a Jinja environment.

    With folders, other options are those of `jinja2.Environment`, such as `trim_blocks=True`. Context processors are
    functions that add to every template's context.
    """

    def __init__(
        self,
        directory: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
        *,
        context_processors: list[ContextProcessor] | None = None,
        env: jinja2.Environment | None = None,
        **env_options: Any,
    ) -> None:
        if env_options:
            assert env is None, "env_options belong to 'directory'; give them to the 'env' itself"
            assert directory, "either 'directory' or 'env' arguments must be passed"
            loader, autoescape = jinja2.FileSystemLoader(directory), jinja2.select_autoescape()
            defaults: dict[str, Any] = {"loader": loader, "autoescape": autoescape}
            directory, env = None, jinja2.Environment(**defaults | env_options)
        super().__init__(directory, context_processors=context_processors, env=env)  # type: ignore[call-overload]  # one of the two, as it checks

    @overload  # type: ignore[override]  # takes the older order too
    def TemplateResponse(
        self,
        request: Request,
        name: str,
        context: dict[str, Any] | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> HTMLResponse: ...

    @overload
    def TemplateResponse(
        self,
        name: str,
        context: dict[str, Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> HTMLResponse: ...

    def TemplateResponse(self, *args: Any, **kwargs: Any) -> HTMLResponse:  # noqa: N802  # Starlette's name
        """Render a template as an HTML response, as Starlette does.

        The request may be a key of `context` instead, as before Starlette 1.0; a ValueError if it is in neither.
        """
        if args and isinstance(args[0], str):
            kwargs = {**dict(zip(_OLDER_ORDER, args, strict=False)), **kwargs}
            args = ()
        if not args and "request" not in kwargs:
            context = kwargs.get("context") or {}
            if "request" not in context:
                raise ValueError('context must include a "request" key')
            kwargs["request"] = context["request"]
        return super().TemplateResponse(*args, **kwargs)


_OLDER_ORDER = ("name", "context", "status_code", "headers", "media_type", "background")
