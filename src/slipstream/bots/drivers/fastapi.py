"""The driver: peers call its compiled application, and it calls others through `slipstream.links`.

Served addresses, for each adapter:

- `POST /{adapter}/`, `POST /{adapter}/http` and `POST /{adapter}/http/`: events by HTTP;
- `/{adapter}/ws` and `/{adapter}/ws/`: a WebSocket.
"""

import importlib
import inspect
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any, ClassVar, Unpack, cast

from pydantic import ConfigDict

from slipstream.applications import FastAPI
from slipstream.bots import config as settings
from slipstream.bots.connections import (
    HTTPPOLLING_SETUP as HTTPPOLLING_SETUP,
    WEBSOCKET_SETUP as WEBSOCKET_SETUP,
)
from slipstream.bots.drivers.base import ForwardDriver, Function, ReverseDriver
from slipstream.bots.drivers.forward import Forward, PollOptions, SocketOptions
from slipstream.bots.drivers.reverse import Reverse
from slipstream.bots.drivers.socket import WebSocket as WebSocket
from slipstream.bots.exception import OpenToAll
from slipstream.links import Link, Links
from slipstream.logger import logger as framework_logger
from slipstream.server import http_protocol, ws_protocol

logger = logging.getLogger("slipstream.bots")


class Config(settings.Settings):
    """Settings of the driver.

    Args:
        fastapi_openapi_url: Path of the OpenAPI document. Default: none.
        fastapi_docs_url: Path of the Swagger UI page; needs the document. Default: none.
        fastapi_redoc_url: Path of the ReDoc page; needs the document. Default: none.
        fastapi_reload: Whether to restart when a file changes. Default: in debug mode, when `run` is given `app`.
        fastapi_reload_dirs: Folders to watch. Default: uvicorn's.
        fastapi_reload_delay: Seconds between two looks. Default: uvicorn's.
        fastapi_reload_includes: Glob patterns of files to watch. Default: uvicorn's.
        fastapi_reload_excludes: Glob patterns of files not to watch. Default: uvicorn's.
    """

    model_config = ConfigDict(extra="ignore")

    WEBSOCKET_SETUP: ClassVar[Any] = WEBSOCKET_SETUP
    """What `setup_websocket` takes."""

    fastapi_openapi_url: str | None = None
    fastapi_docs_url: str | None = None
    fastapi_redoc_url: str | None = None
    fastapi_reload: bool | None = None
    fastapi_reload_dirs: list[str] | None = None
    fastapi_reload_delay: float | None = None
    fastapi_reload_includes: list[str] | None = None
    fastapi_reload_excludes: list[str] | None = None


class Driver(ReverseDriver, ForwardDriver):
    """Serves peers and dials peers."""

    def __init__(self, env: settings.Env, config: settings.Config) -> None:
        super().__init__(env, config)
        build: Any = Config  # checkers know of the fields alone
        self.fastapi_config: Config = build(None, **config.model_dump())
        self._startups: list[Callable[..., Any]] = []
        self._shutdowns: list[Callable[..., Any]] = []
        self._server_app = FastAPI(
            debug=config.debug,
            openapi_url=self.fastapi_config.fastapi_openapi_url,
            docs_url=self.fastapi_config.fastapi_docs_url,
            redoc_url=self.fastapi_config.fastapi_redoc_url,
        )
        self.links = Links(self._server_app, drain=self.options.drain_timeout)
        """The links that we dial: their states, health and metrics."""
        self._reverse, self._forward = Reverse(self), Forward(self, self.links)
        for path in ("/{adapter}/", "/{adapter}/http", "/{adapter}/http/"):
            self._server_app.add_api_route(
                path, self._reverse.receive_event, methods=["POST"], max_body_size=self.options.ws_max_size
            )
        for path in ("/{adapter}/ws", "/{adapter}/ws/"):
            self._server_app.add_api_websocket_route(path, self._reverse.hold_connection)
        self._run_under(self._server_app)

    @property
    def type(self) -> str:
        """Always "fastapi"."""
        return "fastapi"

    @property
    def logger(self) -> logging.Logger:
        """The framework's logger."""
        return framework_logger

    @property
    def server_app(self) -> FastAPI:
        """The application; add routes to it as to any other."""
        return self._server_app

    @property
    def asgi(self) -> FastAPI:
        """The application, as ASGI servers call it."""
        return self._server_app

    def on_startup(self, func: Function) -> Function:
        """Call a function, async or not, when the server starts; links are being dialled by then.

        If it raises, the server does not start.
        """
        self._startups.append(func)
        return func

    def on_shutdown(self, func: Function) -> Function:
        """Call a function, async or not, when the server has stopped, and the links with it.

        If it raises, that is logged, and the others are called.
        """
        self._shutdowns.append(func)
        return func

    def setup_http_polling(self, setup: HTTPPOLLING_SETUP, **options: Unpack[PollOptions]) -> Link:
        """Ask an HTTP server again and again; what each 2xx answer holds goes to `handle_message`.

        Args:
            setup: Whom, and how; a function, async or not, is asked for it at each request.
            options: See `PollOptions`.

        Raises:
            WrongSetup: The address is none, or the HTTP version is not known.
            MissingLibrary: The package httpx2 is not installed, or h2 for HTTP/2, or socksio for a SOCKS proxy.
        """
        return self._forward.poll(setup, options)

    def setup_websocket(self, setup: WEBSOCKET_SETUP, **options: Unpack[SocketOptions]) -> Link:
        """Dial a WebSocket server, and dial again whenever the connection ends.

        The wait before an attempt is drawn from [0, bound) (full jitter); the bound is `reconnect_interval` at
        first, doubles up to a minute, and begins again when a connection has lasted a minute.

        Args:
            setup: Whom, and how; a function, async or not, is asked for it at each connection.
            options: See `SocketOptions`.

        Raises:
            WrongSetup: The address is none.
            MissingLibrary: The package websockets is not installed, or python-socks for a SOCKS proxy.
        """
        return self._forward.websocket(setup, options)

    def run(self, host: str | None = None, port: int | None = None, *, app: str | None = None, **kwargs: Any) -> None:
        """Serve with uvicorn until the process gets a signal to stop.

        Args:
            host: Address to listen on. Default: `config.host`.
            port: Port. Default: `config.port`.
            app: Import string of the application, such as "bot:app", for reloading and workers.
            kwargs: Further options of uvicorn.

        Raises:
            OpenToAll: The address is not of this machine alone, and no token is set.
            SystemExit: The server could not start.
        """
        uvicorn: Any = importlib.import_module("uvicorn")
        host = host or str(self.config.host)
        if not kwargs.keys() & {"uds", "fd"}:
            self.check_host(host)
        options = {
            "host": host,
            "port": self.config.port if port is None else port,
            "http": http_protocol(),
            "ws": ws_protocol(),
            "ws_max_size": self.options.ws_max_size,
            "ws_ping_interval": self.options.ws_ping_interval,
            "ws_ping_timeout": self.options.ws_ping_timeout,
            "reload": bool(app) and self.config.debug,
            **{
                name.removeprefix("fastapi_"): value
                for name, value in self.fastapi_config
                if name.startswith("fastapi_reload") and value is not None
            },
            **kwargs,
        }
        if app is not None or options["reload"] or (options.get("workers") or 1) > 1:
            uvicorn.run(app or self._server_app, **options)
            return
        server = in_order(uvicorn.Server(uvicorn.Config(self._server_app, **options)), self.say_goodbye)
        try:
            server.run()
        except KeyboardInterrupt:
            pass  # the server has stopped in order by then
        if not server.started:
            sys.exit(3)  # as uvicorn does

    def check_host(self, host: str) -> None:
        """Raise OpenToAll where adapters are served to others with no setting named "…token" or "…secret"."""
        with suppress(ValueError):  # a name that is no address
            if ip_address(host.strip("[]")).is_loopback:
                return
        if host == "localhost" or not self.adapters or self.options.allow_empty_token:
            return
        known = self.config.model_dump()
        if not any(value for name, value in known.items() if name.endswith(("token", "secret"))):
            raise OpenToAll(host)

    async def say_goodbye(self) -> None:
        """Handle what has been received, as long as the drain deadline allows, then close peers with 1012."""
        await self.hub.drain()
        await self._reverse.close_all(1012, "service restart")

    def peers(self) -> list[dict[str, Any]]:
        """Return the connected peers that have dialled, and the counts of their messages, as values of JSON."""
        return self._reverse.facts()

    # Beneath

    def _run_under(self, app: FastAPI) -> None:
        """Put the hooks within what runs the links: these start before them, and stop before the shutdown hooks."""
        outer = cast(Any, app.router.lifespan_context)

        @asynccontextmanager
        async def lifespan(asgi_app: Any) -> AsyncGenerator[Any, None]:
            self._forward.check()
            self.hub.start()
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self._shut_down)
                stack.push_async_callback(self.hub.settle)
                left = await stack.enter_async_context(outer(asgi_app))
                stack.push_async_callback(self.say_goodbye)
                for hook in self._startups:
                    await _call(hook)
                yield left

        app.router.lifespan_context = cast(Any, lifespan)

    async def _shut_down(self) -> None:
        for hook in self._shutdowns:
            try:
                await _call(hook)
            except Exception:
                logger.exception("a shutdown hook failed")


def in_order(server: Any, goodbye: Callable[[], Awaitable[None]]) -> Any:
    """Make a server of uvicorn take no new connections, then await `goodbye`, and then shut down as it does."""
    shutdown = server.shutdown

    async def shut_down(sockets: Any = None) -> None:
        for each in server.servers:
            each.close()
        await goodbye()
        await shutdown(sockets)

    server.shutdown = shut_down
    return server


async def _call(hook: Callable[..., Any]) -> None:
    result = hook()
    if inspect.isawaitable(result):
        await result


__all__ = ["HTTPPOLLING_SETUP", "WEBSOCKET_SETUP", "Config", "Driver", "WebSocket"]
