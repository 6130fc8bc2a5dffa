"""The `slipstream` command and its subcommands. What only one of them needs, it imports when it is called."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import click

from slipstream.cli import migrate, run, workers
from slipstream.cli.find import fail, find_application, takes_application
from slipstream.compat import FASTAPI_VERSION
from slipstream.compat.environment import State, read_state, turn_off, turn_on


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slipstream", message="slipstream %(version)s", help="Show it.")
def program() -> None:
    """Serve and explain slipstream applications."""


program.add_command(run.command, "run")
program.add_command(workers.command, "reload")
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


@program.command("alias")
@click.argument("what", type=click.Choice(["on", "off", "status"]))
def alias_command(what: str) -> None:
    """Let `import fastapi` give slipstream in this environment.

    `on` writes a .pth file, modules for type checkers, and metadata by which pip and importlib.metadata find fastapi.
    `off` removes them. `status` tells what is there.
    """
    try:
        if what != "status":
            (turn_on if what == "on" else turn_off)()
    except OSError as error:
        fail(f"cannot write to this environment: {error}\n  make one that is yours: python -m venv .venv")
    click.echo("\n".join(_told(read_state())))


def _told(state: State) -> list[str]:
    """Write what a state means for programs, pip and type checkers, a line each."""
    real = f"fastapi {state.metadata or 'without metadata'}, installed in {state.real}"
    if not state.on:
        nothing = "an error, nothing of that name is installed"
        return [f"alias off in {sys.prefix}", f"import fastapi: {real if state.real else nothing}"]
    if state.real:
        others = [
            f"hidden by the alias: {real}",
            "pip, type checkers, and importlib.metadata until fastapi is imported, see that one",
            "  to have them see slipstream: pip uninstall fastapi, then slipstream alias on",
        ]
    elif state.metadata is None:
        others = ["pip and importlib.metadata: no fastapi\n  to have them see one: slipstream alias on"]
    else:
        others = [f"pip and importlib.metadata: fastapi {state.metadata}", "type checkers: slipstream's types"]
    ours = f"slipstream {version('slipstream')}, which follows FastAPI {FASTAPI_VERSION}"
    return [f"alias on in {sys.prefix}", f"import fastapi: {ours}", *others]


def main() -> None:
    """Run the command that the program's arguments name, and exit."""
    program(prog_name="slipstream")
