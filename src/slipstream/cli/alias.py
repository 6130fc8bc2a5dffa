"""`slipstream alias on|off|status`: `import fastapi` gives slipstream in every program of the environment."""

import sys
from importlib.metadata import version
from typing import Literal

import click

from slipstream.cli.options import fail
from slipstream.compat import FASTAPI_VERSION
from slipstream.compat.environment import State, read_state, turn_off, turn_on


@click.command()
@click.argument("what", type=click.Choice(["on", "off", "status"]))
def command(what: Literal["on", "off", "status"]) -> None:
    """Let `import fastapi` give slipstream in this environment.

    `on` writes a .pth file, modules for type checkers, and metadata by which pip and importlib.metadata find fastapi.
    `off` removes them. `status` tells what is there.
    """
    try:
        if what == "on":
            turn_on()
        elif what == "off":
            turn_off()
    except OSError as error:
        fail(f"cannot write to this environment: {error}\n  make one that is yours: python -m venv .venv")
    click.echo("\n".join(_told(read_state())))


def _told(state: State) -> list[str]:
    """Write what a state means for programs, pip and type checkers, a line each."""
    real = f"fastapi {state.metadata or 'without metadata'}, installed in {state.real}"
    if not state.on:
        return [
            f"alias off in {sys.prefix}",
            f"import fastapi: {real}" if state.real else "import fastapi: an error, nothing of that name is installed",
        ]
    lines = [
        f"alias on in {sys.prefix}",
        f"import fastapi: slipstream {version('slipstream')}, which follows FastAPI {FASTAPI_VERSION}",
    ]
    if state.real:
        return [
            *lines,
            f"hidden by the alias: {real}",
            "pip, type checkers, and importlib.metadata until fastapi is imported, see that one",
            "  to have them see slipstream: pip uninstall fastapi, then slipstream alias on",
        ]
    if state.metadata is None:
        return [*lines, "pip and importlib.metadata: no fastapi\n  to have them see one: slipstream alias on"]
    return [*lines, f"pip and importlib.metadata: fastapi {state.metadata}", "type checkers: slipstream's types"]
