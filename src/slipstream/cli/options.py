"""What several commands share: the target argument, and how an error ends a command."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from slipstream import compat
from slipstream._engine.errors import SlipstreamError
from slipstream.cli.find import ImportFailed, load, read_target

C = TypeVar("C", bound=Callable[..., Any])


def takes_application(command: C) -> C:
    """Give a command the argument TARGET and the options `--app` and `--alias`."""
    for decorate in (
        click.option("--alias", is_flag=True, help="Let `import fastapi` give slipstream in the program."),
        click.option("--app", "name", metavar="NAME", help="Name of the application in the module, or of its factory."),
        click.argument("target", required=False, metavar="[FILE | MODULE][:NAME]"),
    ):
        command = decorate(command)
    return command


def find_application(
    target: str | None, name: str | None, alias: bool, *, exit_code: int | None = None
) -> tuple[Any, str]:
    """Import the application that the options of `takes_application` name, or end the command as `fail` does."""
    try:
        if alias:
            compat.install()
            compat.tell_children()
        return load(read_target(target, name))
    except SlipstreamError as error:
        fail(error, exit_code)


def fail(error: Exception | str, exit_code: int | None = None) -> NoReturn:
    """Print an error and end the command, by default with 1 if the user's own program raised, else with 2."""
    if isinstance(error, ImportFailed):
        click.echo(error.excerpt(), err=True)
    click.echo(f"slipstream: {error}", err=True)
    if exit_code is None:
        exit_code = 1 if isinstance(error, ImportFailed) else 2
    sys.exit(exit_code)
