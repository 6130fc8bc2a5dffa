"""`slipstream migrate`: a program's imports of FastAPI become imports of slipstream."""

import difflib
import os
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import click

from slipstream.cli.find import fail

_SETTINGS = re.compile(r"(requirements|Dockerfile|Procfile|Makefile|Pipfile).*|.*\.(toml|cfg|ini|ya?ml|sh|in)")
_REQUIRED = re.compile(r"fastapi(?![\w.-])")
_NAMED = re.compile(r"(?<![\w.-])(fastapi|uvicorn|gunicorn)(?![\w.-])")
"""In a settings file: what requires FastAPI or runs a server."""


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the changes as a diff; write nothing.")
def command(path: Path, dry_run: bool) -> None:
    """Change imports of fastapi to imports of slipstream.

    PATH is a file or a folder. Names that `import fastapi` binds change where they are used. Strings, requirements
    and commands are left as they are and listed. Exit code: 0, or 1 when a file could not be read.
    """
    try:
        from libcst import ParserSyntaxError

        from slipstream.cli.rewrite import Rewritten
    except ModuleNotFoundError as error:
        if error.name != "libcst":
            raise
        fail('`slipstream migrate` needs libcst: pip install "slipstream[migrate]"')

    files = imports = uses = 0
    notes: list[str] = []
    modules: set[str] = set()
    unreadable: list[str] = []
    for file in _files(path):
        try:
            source = file.read_bytes()
            if file.suffix not in (".py", ".pyi"):
                lines = enumerate(source.decode(errors="replace").splitlines(), 1)
                notes += [f"{file}:{number}: {line.strip()}" for number, line in lines if _NAMED.search(line)]
                continue
            if b"fastapi" not in source and b"uvicorn" not in source:
                continue
            done = Rewritten(source)
        except (OSError, UnicodeError, SyntaxError, ParserSyntaxError) as error:
            unreadable.append(f"{file}: {str(error).splitlines()[0]}")
            continue
        notes += [f"{file}:{line}: {text}" for line, text in done.notes]
        modules |= done.modules
        if done.source != source:
            files, imports, uses = files + 1, imports + done.imports, uses + done.uses
            if dry_run:
                click.echo(_diff(file, source, done.source), nl=False)
            else:
                file.write_bytes(done.source)
    for title, found in (
        ("for you to look at:", notes),
        ("these import fastapi themselves, so run the program under the alias:", _dependents(modules, path)),
        ("left as it is, since it cannot be read:", unreadable),
    ):
        if found:
            click.echo("\n  ".join([title, *found]))
    verb = "would change" if dry_run else "changed"
    click.echo(f"{verb} {_many(files, 'file')}: {_many(imports, 'import')}, {_many(uses, 'use')} of what they bind")
    if unreadable:
        raise SystemExit(1)


def _files(path: Path) -> Iterator[Path]:
    """List Python files and settings, without those of hidden folders and of environments."""
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in ("__pycache__", "node_modules", "site-packages")
            if not Path(folder, name, "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            if name.endswith((".py", ".pyi")) or _SETTINGS.fullmatch(name):
                yield Path(folder, name)


def _dependents(modules: set[str], path: Path) -> list[str]:
    """List the modules that import FastAPI, by their name or by what their distribution requires."""
    distributions = packages_distributions()
    found = []
    for module in sorted(modules):
        root, *inner = module.split(".")
        if (path / root).exists() or (path / "src" / root).exists():
            continue  # the program's own
        required = [
            line for name in distributions.get(root, ()) for line in requires(name) or () if "extra ==" not in line
        ]
        if root.startswith("fastapi_") or "fastapi" in inner or any(map(_REQUIRED.match, required)):
            found.append(module)
    return found


def _diff(file: Path, before: bytes, after: bytes) -> str:
    old, new = (text.decode(errors="replace").splitlines(keepends=True) for text in (before, after))
    return "".join(difflib.unified_diff(old, new, str(file), str(file)))


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
