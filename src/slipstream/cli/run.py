"""`slipstream run`: serve an application with uvicorn."""

import errno
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from slipstream._engine.errors import SlipstreamError
from slipstream.cli.find import fail, find_application, read_target, takes_application
from slipstream.cli.workers import existing_file, number_of_workers, takes_worker_settings, worker_settings, written
from slipstream.limits import BY_NAME, COMPATIBLE, INTERNET, UNLIMITED, VARIABLE, Limits, outermost
from slipstream.server import http_protocol, ws_protocol
from slipstream.server.limits import Limits as ServerLimits, Settings

LOG_LEVELS = ("critical", "error", "warning", "info", "debug", "trace")

SERVER_LIMITS = {
    "limit_request_line": ("request_line", "Bytes of a request's first line; longer: 414."),
    "limit_header_line": ("header_line", "Bytes of a header; longer: 431."),
    "limit_headers": ("header_count", "Headers of a request; more: 431."),
    "limit_head_size": ("head_size", "Bytes of first line and headers together; more: 431."),
    "limit_body_rate": ("body_rate", "Bytes a second of a body after 5 seconds; slower: 408."),
    "limit_connections": ("connections", "Open connections of a process; more: 503."),
    "limit_connections_by_address": ("connections_by_address", "Of these, from one address; more: 503."),
    "limit_concurrency": ("requests", "Requests under way in a process; more: 503."),
    "timeout_head": ("head_time", "Seconds in which a request's head has to come; longer: 408."),
    "timeout_handshake": (
        "handshake_time",
        "Seconds for an application to answer a WebSocket's handshake; longer: 503.",
    ),
    "timeout_body": ("body_silence", "Seconds without a byte of a body; longer: 408."),
    "timeout_keep_alive": ("idle_time", "Seconds between two requests of a connection; longer: close."),
    "timeout_write": ("write_time", "Seconds in which a client takes nothing of what it is sent; longer: close."),
}
"""Options with a number, 0 for no limit: the field of `slipstream.server.Limits`, and the help."""


def takes_server_limits(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for limits of the server."""
    defaults = {field.name: field.default for field in fields(ServerLimits)}
    for name, (field, text) in reversed(SERVER_LIMITS.items()):
        default = defaults[field]
        function = click.option(
            f"--{name.replace('_', '-')}",
            default=default,
            show_default=True,
            type=click.IntRange(0),
            help=text + ("" if default else " 0: no limit."),
        )(function)
    return function


SECONDS = click.FloatRange(0)


@click.command()
@takes_application
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 lets the system choose."
)
@click.option("--uds", type=click.Path(), help="Unix socket to listen on, in place of host and port.")
@click.option("--fd", type=click.IntRange(0), help="Descriptor of an inherited socket to listen on, likewise.")
@click.option("--reload", is_flag=True, help="Start again when a Python file below this folder changes.")
@click.option(
    "--workers",
    metavar="N|auto",
    callback=number_of_workers,
    help="Processes that serve, under a supervisor: a number, or auto for one a core. Default: $WEB_CONCURRENCY, "
    "or this process alone.",
)
@click.option("--reloadable", is_flag=True, help="The same as --workers 1: SIGHUP replaces the process that serves.")
@click.option("--root-path", default="", metavar="PATH", help="Prefix that a proxy takes off before this program.")
@click.option("--ssl-certfile", type=existing_file, help="TLS certificate, in PEM.")
@click.option("--ssl-keyfile", type=existing_file, help="Its key, in PEM.")
@click.option("--ssl-keyfile-password", metavar="TEXT", help="Password of the key.")
@click.option(
    "--proxy-headers/--no-proxy-headers", default=True, show_default=True, help="Believe X-Forwarded-Proto and -For."
)
@click.option("--forwarded-allow-ips", metavar="LIST", help="Proxies to believe. Default: 127.0.0.1.")
@click.option(
    "--timeout-graceful-shutdown",
    default=10,
    show_default=True,
    type=click.IntRange(0),
    help="Seconds that open requests and streams get to end when the server gets a signal to stop.",
)
@click.option(
    "--limits",
    type=click.Choice(list(BY_NAME)),
    help="What the application does not decide itself. See docs/limits.md.",
)
@takes_worker_settings
@takes_server_limits
@click.option("--health", metavar="/livez,/readyz", help="Paths of liveness and readiness, which the server answers.")
@click.option("--pidfile", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the process id.")
@click.option("--ws-origins", default="", metavar="LIST", help="Origins whose pages may open WebSockets. Default: any.")
@click.option("--ws-ping-interval", default=20.0, show_default=True, type=SECONDS, help="Between pings; 0: none.")
@click.option("--ws-ping-timeout", default=20.0, show_default=True, type=SECONDS, help="For the pong; 0: for ever.")
@click.option("--access-log/--no-access-log", default=True, show_default=True, help="Log a line for each response.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", help="Of the access log.")
@click.option("--log-level", type=click.Choice(LOG_LEVELS), help="Default: info.")
def command(
    target: str | None,
    name: str | None,
    alias: bool,
    host: str,
    port: int,
    reload: bool,
    workers: int | None,
    reloadable: bool,
    limits: str | None,
    log_format: str,
    health: str | None,
    pidfile: Path | None,
    **options: Any,
) -> None:
    """Serve an application.

    The target is a file (main.py), a module (package.module), or either with a name (main.py:app).
    Without one, main.py, app.py, api.py and the same in the folder app are tried. Without a name,
    the names app, api and application are tried, then the only FastAPI instance, then a function
    create_app, make_app or get_app.
    """
    try:
        import uvicorn
    except ModuleNotFoundError:
        fail('`slipstream run` serves with uvicorn: pip install "slipstream[standard]"')
    workers = _supervised_workers(workers, reload=reload, reloadable=reloadable)
    settings = worker_settings(options, refused=workers is None)
    is_supervised = workers is not None and sys.platform != "win32"
    health_paths = _paths(health)
    place = _place(host, port, options)

    if limits is not None:
        os.environ[VARIABLE] = limits  # read by the processes that serve, too
    served: Any = "slipstream.cli.run:served_application"
    if reload or is_supervised:
        watched = _watched(target, name)
        if reload:
            options["reload_dirs"] = watched
        how = "reloading when a file changes" if reload else f"by {workers} worker{'s'[: workers != 1]}"
        click.echo(f"serving {target or 'the application found here'} on {place}, {how}")
        click.echo(f"limits: {_named(outermost())}, where the application has none of its own")
    else:
        app = _announced(target, name, alias, place)
        if workers is None:
            served = app
    os.environ[_SERVED] = json.dumps([target, name, alias])
    protocol = _prepared(options, log_format, health_paths)
    options |= {"factory": isinstance(served, str), "host": host, "port": port, "http": protocol, "ws": ws_protocol()}
    with written(pidfile):
        if is_supervised:
            from slipstream.server.supervise import supervise

            sys.exit(supervise({"app": served, **options}, workers or 1, settings))
        if not reload and sys.platform != "win32" and not _is_at_terminal():
            signal.signal(signal.SIGHUP, _refuse_to_reload)
        uvicorn.run(served, reload=reload, workers=workers or 1, **options)


def _prepared(options: dict[str, Any], log_format: str, health: tuple[str, ...]) -> str:
    """Leave the settings of the server to the processes that serve; return its protocol for HTTP."""
    limits = {field: options.pop(option) for option, (field, _) in SERVER_LIMITS.items()}
    for name in ("ws_ping_interval", "ws_ping_timeout"):
        options[name] = options[name] or None
    limits["websocket_origins"] = tuple(each.strip() for each in options.pop("ws_origins").split(",") if each.strip())
    Settings(limits=ServerLimits(**limits), log_format=log_format, health=health).to_environment()
    protocol = http_protocol()
    if protocol == "auto":
        click.echo("HTTP is served by uvicorn's own protocol, without limits: pip install httptools for ours")
        options["timeout_keep_alive"] = limits["idle_time"] or UNLIMITED
    return protocol


def _place(host: str, port: int, options: dict[str, Any]) -> str:
    """Return where the server will listen, as its log says it; exit if it cannot."""
    if options["ssl_keyfile"] is not None and options["ssl_certfile"] is None:
        fail("--ssl-keyfile without --ssl-certfile\n  give both, or neither")
    if options["uds"] is not None or options["fd"] is not None:
        return f"unix socket {options['uds']}" if options["uds"] is not None else f"descriptor {options['fd']}"
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return "the service manager's sockets"
    complaint = address_complaint(host, port)
    if complaint:
        fail(complaint)
    scheme = "http" if options["ssl_certfile"] is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _supervised_workers(workers: int | None, *, reload: bool, reloadable: bool) -> int | None:
    """Return how many workers a supervisor shall have; None for none."""
    if reload:
        if reloadable or (workers or 1) > 1:
            fail(
                f"--reload and {'--reloadable' if reloadable else '--workers'} together\n"
                "  --reload is for one process that is being written: leave the other out"
            )
        return None
    is_managed = "NOTIFY_SOCKET" in os.environ or os.environ.get("LISTEN_PID") == str(os.getpid())
    return workers or _workers_from_environment() or (1 if reloadable or is_managed else None)


def _is_at_terminal() -> bool:
    """Whether a SIGHUP says that the terminal is gone."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def _announced(target: str | None, name: str | None, alias: bool, place: str) -> Any:
    """Import the application, and say what is served where."""
    app, where = find_application(target, name, alias)
    docs = getattr(app, "docs_url", None)
    has_docs = isinstance(docs, str) and place.startswith("http")
    click.echo(f"serving {where} on {place}" + (f", documentation on {place}{docs}" if has_docs else ""))
    if isinstance(getattr(app, "limits_in_force", None), Limits):
        click.echo(f"limits: {_named(app.limits_in_force)}")
    return app


def _refuse_to_reload(*_: object) -> None:
    logging.getLogger("uvicorn.error").warning(
        "SIGHUP is refused: this process serves alone, and cannot be replaced (write --workers 1, or more)"
    )


def _paths(health: str | None) -> tuple[str, ...]:
    paths = tuple(health.split(",")) if health is not None else ()
    if len(paths) not in (0, 2) or not all(path.startswith("/") for path in paths):
        fail(f"--health is {health!r}\n  write two paths: --health /livez,/readyz")
    return paths


def _named(limits: Limits) -> str:
    if limits == COMPATIBLE:
        return "compatible with FastAPI (for an application that anyone can reach: --limits internet)"
    return "internet" if limits == INTERNET else "the application's own"


_SERVED = "SLIPSTREAM_SERVED"
"""Environment variable that holds the target as JSON: `[target, name, alias]`."""


def served_application() -> Any:
    """Import the application in a process that uvicorn starts itself, for `--reload` or `--workers`."""
    # uvicorn stops its other workers, too, when one exits with 3.
    return find_application(*json.loads(os.environ[_SERVED]), exit_code=3)[0]


def address_complaint(host: str, port: int) -> str | None:
    """Return why no server can listen at an address; None if one can.

    Called before the application is imported, since the import may take long.
    """
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return f"there is no host {host}\n  write an address of this machine: --host 127.0.0.1"
    problem = OSError("it has no address")
    for family, *_, address in places:
        try:
            socket.create_server(address, family=family).close()
        except OSError as error:
            problem = error
        else:
            return None
    if problem.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken by another program\n  stop that one, or write --port {port + 1}"
    if problem.errno == errno.EACCES:
        return f"port {port} of {host} is not for this user\n  write a port from 1024 on: --port 8000"
    if problem.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine\n  write --host 127.0.0.1, or --host 0.0.0.0 for all"
    return f"cannot listen on {host}, port {port}: {problem}"


def _watched(target: str | None, name: str | None) -> list[str]:
    """List the folders to watch: the working directory, and the program's own folder if that is outside of it."""
    try:
        root = read_target(target, name).root
    except SlipstreamError as error:
        fail(error)
    here = Path.cwd()
    return [str(here)] if root.is_relative_to(here) else [str(here), str(root)]


def _workers_from_environment() -> int | None:
    text = os.environ.get("WEB_CONCURRENCY")
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        fail(f"WEB_CONCURRENCY is {text!r}\n  set it to the number of processes that shall serve, or unset it")
    return int(text)
