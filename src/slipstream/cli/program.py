"""The `slipstream` command: its subcommands by name, each imported when it is called."""

import importlib

import click

SUBCOMMANDS = {
    "run": ("slipstream.cli.run", "Serve an application."),
    "explain": ("slipstream.cli.explain", "Print what a path operation was compiled to."),
    "openapi": ("slipstream.cli.openapi", "Print an application's OpenAPI document."),
}
"""Name → module that holds the command as `command`, and the line that `--help` shows for it."""


class Program(click.Group):
    """A group that knows its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the table."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None when there is no such name."""
        if cmd_name not in SUBCOMMANDS:
            return None
        command: click.Command = importlib.import_module(SUBCOMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, without importing a command for its help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in SUBCOMMANDS.items()])


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the installed version and exit."""
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"slipstream {version('slipstream')}")
        ctx.exit()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Show it.")
def program() -> None:
    """Serve and explain slipstream applications."""
