"""Options of `slipstream run` for workers under a supervisor, and `slipstream reload`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import click

from slipstream.cli.find import fail
from slipstream.server.limits import WorkerSettings

SETTINGS: Final = {
    "lame_duck": "Seconds of these in which idle connections may send one request more.",
    "reload_timeout": "Seconds in which a worker that replaces another has to start.",
    "worker_timeout": "Seconds after which a worker is replaced whose event loop does not answer.",
    "limit_max_requests": "Requests after which a worker is replaced. 0: no limit.",
    "limit_max_requests_jitter": "At most so many more, drawn for each worker.",
    "limit_max_age": "Seconds after which a worker is replaced. 0: no limit.",
    "limit_max_age_jitter": "At most so much later, drawn for each worker.",
}
"""Options with a number, each a field of `WorkerSettings`, and the help."""

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


def number_of_workers(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """Read a number of processes, or `auto`: one for each core that this process may use."""
    if value is None:
        return None
    if value == "auto":
        return usable_cores()
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 on nor auto")
    return int(value)


def takes_worker_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for workers."""
    defaults = {field.name: field.default for field in fields(WorkerSettings)}
    for name, text in reversed(SETTINGS.items()):
        kind = click.IntRange(0) if "requests" in name else click.FloatRange(0)
        option = f"--{name.replace('_', '-')}"
        function = click.option(option, default=defaults[name], show_default=True, type=kind, help=text)(function)
    return function


def worker_settings(options: dict[str, Any], *, refused: bool) -> WorkerSettings:
    """Take the options for workers out of all options; exit if one was given although there is no supervisor."""
    context = click.get_current_context()
    for name in SETTINGS:
        if refused and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            fail(f"--{name.replace('_', '-')} without workers\n  write --workers 1, or more, too; --reload has none")
    given = {name: options.pop(name) for name in SETTINGS}
    return WorkerSettings(graceful_time=options["timeout_graceful_shutdown"], **given)


def usable_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use, by its affinity and by the container's quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # there is no container, or its quota is "max"
        time, _, period = quota.read_text().partition(" ")
        cores = min(cores, int(time) // int(period))
    return max(cores, 1)


@contextmanager
def written(pidfile: Path | None) -> Iterator[None]:
    """Have a file hold the process id during the block."""
    if pidfile is not None:
        try:
            pidfile.write_text(f"{os.getpid()}\n")
        except OSError as error:
            fail(f"--pidfile {pidfile} cannot be written: {error.strerror}")
    try:
        yield
    finally:
        if pidfile is not None:
            pidfile.unlink(missing_ok=True)


@click.command()
@click.argument("pid", type=int, required=False)
@click.option("--pidfile", type=existing_file, help="File that holds it, as `slipstream run --pidfile` writes it.")
def command(pid: int | None, pidfile: Path | None) -> None:
    """Replace the workers of a running server, and wait.

    The new ones have the code and certificates of now.

    PID is the process id of the supervisor. Exits with 1 if the new version did not start: the old one goes on serving.
    """
    if sys.platform == "win32":
        fail("there are no supervisors on Windows\n  end the service and start it again")
    from slipstream.server.supervise import ask_to_reload

    if (pid is None) == (pidfile is None):
        fail("there is no process id, or there are two\n  write it, or --pidfile")
    if pidfile is not None:
        text = pidfile.read_text().strip()
        if not text.isdecimal():
            fail(f"{pidfile} holds no process id: {text[:40]!r}")
        pid = int(text)
    assert pid is not None
    try:
        complaint = ask_to_reload(pid)
    except OSError:
        fail(f"process {pid} is no supervisor of this user\n  start one by `slipstream run --workers 1`, or more")
    if complaint:
        fail(complaint, exit_code=1)
    click.echo("reloaded")
