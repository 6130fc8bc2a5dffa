"""`slipstream explain`: the plan of a path operation and the source that was generated from it."""

from pathlib import Path

import click

from slipstream.cli.options import fail, find_application, takes_application


@click.command()
@takes_application
@click.argument("operation", required=False, metavar='["GET /items/{item_id}"]')
@click.option(
    "--dump", "folder", metavar="FOLDER", type=click.Path(path_type=Path), help="Write every generated source there."
)
def command(target: str | None, name: str | None, alias: bool, operation: str | None, folder: Path | None) -> None:
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
