"""The `slipstream` command: its subcommands by name. What only one of them needs, it imports when it is called."""

import click

from slipstream.cli import explain, openapi, run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slipstream", message="slipstream %(version)s", help="Show it.")
def program() -> None:
    """Serve and explain slipstream applications."""


program.add_command(run.command, "run")
program.add_command(explain.command, "explain")
program.add_command(openapi.command, "openapi")
