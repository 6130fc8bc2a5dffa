"""`slipstream openapi`: the document that the application serves at `openapi_url`."""

import json
from pathlib import Path

import click

from slipstream.cli.options import fail, find_application, takes_application


@click.command()
@takes_application
@click.option("--yaml", "as_yaml", is_flag=True, help="Write YAML; needs PyYAML.")
@click.option("--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Write to a file.")
def command(target: str | None, name: str | None, alias: bool, as_yaml: bool, output: Path | None) -> None:
    """Print an application's OpenAPI document, as JSON."""
    app, where = find_application(target, name, alias)
    if not hasattr(app, "openapi"):
        fail(f"{where} makes no OpenAPI document: it is of type {type(app).__name__}\n  name an instance of FastAPI")
    document = app.openapi()
    text = _yaml(document) if as_yaml else json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def _yaml(document: object) -> str:
    try:
        import yaml
    except ModuleNotFoundError:
        fail('--yaml needs PyYAML: pip install "slipstream[all]"')
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return text
