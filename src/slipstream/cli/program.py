"""The `slipstream` command and its subcommands. What only one of them needs, it imports when it is called."""

import json
from pathlib import Path

import click

from slipstream.cli import alias, migrate, run
from slipstream.cli.options import fail, find_application, takes_application


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slipstream", message="slipstream %(version)s", help="Show it.")
def program() -> None:
    """Serve and explain slipstream applications."""


program.add_command(run.command, "run")
program.add_command(alias.command, "alias")
program.add_command(migrate.command, "migrate")


@program.command("explain")
@takes_application
@click.argument("operation", required=False, metavar='["GET /items/{item_id}"]')
@click.option(
    "--dump", "folder", metavar="FOLDER", type=click.Path(path_type=Path), help="Write every generated source there."
)
def explain_command(
    target: str | None, name: str | None, alias: bool, operation: str | None, folder: Path | None
) -> None:
    """Print what a path operation was compiled to.

    With an operation: its plan and its generated source. Without: what the application serves.
    """
    from slipstream.explain import dump, explain

    app, _ = find_application(target, name, alias)
    if folder is not None:
        index, *sources = dump(app, folder)
        many = "" if len(sources) == 1 else "s"
        click.echo(f"wrote {len(sources)} generated source{many} and {index.name} to {folder}")
        return
    try:
        click.echo(explain(app, operation), nl=False)
    except LookupError as error:
        fail(str(error.args[0]) if error.args else f"no operation {operation!r}")


@program.command("openapi")
@takes_application
@click.option("--yaml", "as_yaml", is_flag=True, help="Write YAML; needs PyYAML.")
@click.option("--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Write to a file.")
def openapi_command(target: str | None, name: str | None, alias: bool, as_yaml: bool, output: Path | None) -> None:
    """Print an application's OpenAPI document, as JSON."""
    app, where = find_application(target, name, alias)
    if not hasattr(app, "openapi"):
        fail(f"{where} makes no OpenAPI document: it is of type {type(app).__name__}\n  name an instance of FastAPI")
    document = app.openapi()
    if as_yaml:
        try:
            import yaml
        except ModuleNotFoundError:
            fail('--yaml needs PyYAML: pip install "slipstream[all]"')
        text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def main() -> None:
    """Run the command that the program's arguments name, and exit."""
    program(prog_name="slipstream")
