"""The driver and its mixin: NoneBot's interfaces, on our application and our clients."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio
import uvicorn
from nonebot import config as nonebot_config
from nonebot.compat import model_dump, type_validate_python
from nonebot.drivers import (
    ASGIMixin,
    Driver as BaseDriver,
    HTTPClientMixin,
    HTTPServerSetup,
    HTTPVersion,
    Request,
    Response,
    WebSocket,
    WebSocketClientMixin,
    WebSocketServerSetup,
)
from nonebot.utils import UNSET, UnsetType
from starlette.routing import WebSocketRoute

from slipstream._foreign.nonebot import CookieTypes, HeaderTypes, QueryTypes, TimeoutTypes, forget_group, lifespan_of
from slipstream.applications import FastAPI
from slipstream.bots.nonebot.config import Config
from slipstream.bots.nonebot.http_client import Client, Session
from slipstream.bots.nonebot.http_server import DOCUMENTABLE, http_endpoint
from slipstream.bots.nonebot.websockets import WebSocketEndpoint, open_websocket
from slipstream.logger import logger
from slipstream.server import http_protocol, ws_protocol

_PATIENCE_S = 10.0
"""Seconds that the tasks of a failed start have to end."""

_LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"nonebot": {"class": "nonebot.log.LoguruHandler"}},
    "loggers": {
        name: {"handlers": ["nonebot"], "level": "INFO"} for name in ("slipstream", "uvicorn.error", "uvicorn.access")
    },
}


class Mixin(HTTPClientMixin, WebSocketClientMixin):
    """HTTP and WebSocket clients, for any NoneBot driver."""

    config: nonebot_config.Config

    def __init__(self, env: nonebot_config.Env, config: nonebot_config.Config) -> None:
        super().__init__(env, config)  # type: ignore[call-arg]  # of the driver, which comes next among the bases
        self.slipstream_config: Config = type_validate_python(Config, model_dump(config))
        self._http = Client(keepalive=self.slipstream_config.slipstream_http_keepalive)
        driver: Any = self
        # registered first, so that it stops last: adapters may still send requests in their shutdown hooks
        driver.on_startup(self._http.start)
        driver.on_shutdown(self._http.stop)

    @property
    def type(self) -> str:
        """The setting `slipstream_type`, by default "slipstream"."""
        return self.slipstream_config.slipstream_type

    async def request(self, setup: Request) -> Response:
        """Send a request and return the response, whatever its status.

        While the driver runs, connections are kept for later requests; cookies are not.

        Raises:
            httpx2.TransportError: There was no response.
            TimeoutError: `Timeout.total` has passed.
        """
        return await self._http.request(setup)

    def stream_request(self, setup: Request, *, chunk_size: int = 1024) -> AsyncGenerator[Response, None]:
        """Send a request and yield the response in pieces of `chunk_size` bytes; the last may be shorter."""
        return self._http.stream_request(setup, chunk_size=chunk_size)

    def get_session(
        self,
        params: QueryTypes = None,
        headers: HeaderTypes = None,
        cookies: CookieTypes = None,
        version: str | HTTPVersion = HTTPVersion.H11,
        timeout: TimeoutTypes | UnsetType = UNSET,
        proxy: str | None = None,
    ) -> Session:
        """Return a session, whose requests have these options where they set none themselves."""
        return Session(params, headers, cookies, version, timeout, proxy, keepalive=self._http.keepalive)

    @contextlib.asynccontextmanager
    async def websocket(self, setup: Request) -> AsyncGenerator[WebSocket, None]:
        """Open a WebSocket, and close it at the end of the block: with 1000, or with 1001 if the block is cancelled.

        Raises:
            websockets.exceptions.InvalidHandshake: The peer refused.
            TimeoutError: The handshake took too long.
        """
        async with open_websocket(setup, self.slipstream_config) as websocket:
            yield websocket


class Driver(Mixin, BaseDriver, ASGIMixin):
    """A NoneBot driver that serves with our application, and dials with our clients."""

    def __init__(self, env: nonebot_config.Env, config: nonebot_config.Config) -> None:
        super().__init__(env, config)
        self.fastapi_config = given = self.slipstream_config
        self._server_app = FastAPI(
            lifespan=self._run_lifespan,
            openapi_url=given.fastapi_openapi_url,
            docs_url=given.fastapi_docs_url,
            redoc_url=given.fastapi_redoc_url,
            # from NoneBot's settings, since the model has copies of the objects
            **(getattr(config, "fastapi_extra", None) or {}),
        )

    @property
    def logger(self) -> Any:
        """The logger of the package."""
        return logger

    @property
    def server_app(self) -> FastAPI:
        """The application; plugins add their own routes to it."""
        return self._server_app

    @property
    def asgi(self) -> FastAPI:
        """The application, for a server or a test client; its lifespan starts and stops NoneBot."""
        return self._server_app

    def setup_http_server(self, setup: HTTPServerSetup) -> None:
        """Serve a path and a method with a handler; works while the server runs, too."""
        self._server_app.add_api_route(
            setup.path.path,
            http_endpoint(setup.handle_func),
            name=setup.name,
            methods=[setup.method],
            include_in_schema=self.fastapi_config.fastapi_include_adapter_schema
            and setup.method.upper() in DOCUMENTABLE,
        )

    def setup_websocket_server(self, setup: WebSocketServerSetup) -> None:
        """Serve WebSockets on a path with a handler, which runs before the handshake is answered."""
        endpoint = WebSocketEndpoint(setup.handle_func)
        router = self._server_app.router
        if router.dependencies:
            router.add_api_websocket_route(setup.path.path, endpoint.serve, name=setup.name)
        else:
            router.routes.append(WebSocketRoute(setup.path.path, endpoint, name=setup.name))

    @contextlib.asynccontextmanager
    async def _run_lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start and stop NoneBot, both in the task that the server gives the lifespan."""
        hooks = lifespan_of(self)
        try:
            await hooks.startup()
        except BaseException:
            await give_up(hooks)
            await self._http.stop()
            raise
        try:
            yield
        finally:
            await hooks.shutdown()

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        *args: Any,
        app: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Serve until a signal comes.

        Args:
            host: Address to bind. Default: the setting `host`.
            port: Port to bind. Default: the setting `port`.
            args: Ignored, as in NoneBot's drivers.
            app: Import string of the application to serve instead; reloading needs it.
            kwargs: Options of `uvicorn.run`, which override the settings.
        """
        super().run(host, port, *args, app=app, **kwargs)  # type: ignore[no-untyped-call]  # NoneBot's
        given = self.fastapi_config
        options: dict[str, Any] = {
            "host": host or str(self.config.host),
            "port": port or self.config.port,
            **{name.removeprefix("fastapi_"): value for name, value in given if name.startswith("fastapi_reload")},
            "ws_max_size": given.slipstream_ws_max_size,
            "ws_ping_interval": given.slipstream_ws_ping_interval,
            "ws_ping_timeout": given.slipstream_ws_ping_timeout,
            "ws_per_message_deflate": given.slipstream_ws_compression,
            "log_config": _LOG_CONFIG,
            "http": http_protocol(),
            "ws": ws_protocol(),
            "lifespan": "on",
        }
        uvicorn.run(app or self.server_app, **{**options, **kwargs})


async def give_up(lifespan: Any) -> None:
    """Cancel the tasks of a failed start, and wait for them and the hooks that they call; no shutdown hook runs.

    The task group stays in its place meanwhile, since NoneBot starts those hooks in it. Tasks that have not ended
    after 10 seconds are logged and left to the end of the event loop.
    """
    try:
        group = lifespan.task_group
    except RuntimeError:
        return
    group.cancel_scope.cancel()
    own = anyio.get_current_task().id
    left: list[str | None] = []
    with anyio.move_on_after(_PATIENCE_S, shield=True):
        # a task group offers no wait with a limit
        while left := [task.name for task in anyio.get_running_tasks() if task.parent_id == own]:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    if left:
        logger.error("%d tasks are left of a start that failed: %s", len(left), ", ".join(map(str, left)))
        return
    try:
        with contextlib.suppress(Exception):
            await group.__aexit__(None, None, None)
    finally:
        forget_group(lifespan)
