"""Write the table of `docs/ecosystem.md`, between its two markers; the text around it is written by hand."""

import re
from pathlib import Path

from tests.ecosystem.environments import ROOT
from tests.ecosystem.packages import Package
from tests.ecosystem.runs import Comparison, Run

BEGIN = "<!-- The table is written by `make ecosystem`. -->"
END = "<!-- End of the table. -->"
ADDRESS = re.compile(r"https?://\S+")
HEAD = ["| package | version | pass with FastAPI | of them with Slipstream | |", "| --- | --- | ---: | ---: | --- |"]


def row(package: Package, fastapi: Run, slipstream: Run, compared: Comparison) -> str:
    """The line of a package whose tests have run."""
    notes = []
    if len(compared.passed) < len(compared.expected):
        notes.append(package.short or "not yet looked into")
    if package.imports:
        notes.append("no tests in its source distribution: modules imported, and uses of ours")
    notes += [f"FastAPI's run {fastapi.ended}"] if fastapi.ended != "finished" else []
    notes += [f"Slipstream's run {slipstream.ended}"] if slipstream.ended != "finished" else []
    failed = sum(outcome == "failed" for outcome in fastapi.outcomes.values())
    notes += [f"{failed:,} fail with FastAPI too"] if failed else []
    notes += [package.note] if package.note else []
    notes += [f"left out: `{test}`, {reason}" for test, reason in {**package.deselected, **package.ignored}.items()]
    return _line(package, f"{len(compared.expected):,}", f"{len(compared.passed):,}", "; ".join(notes))


def failed_row(package: Package, reason: str) -> str:
    """The line of a package that can't be run."""
    return _line(package, "–", "–", reason)


def _line(package: Package, *cells: str) -> str:
    """A line of the table, without this machine's folders and the index's addresses."""
    text = " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in (package.name, package.version, *cells))
    return f"| {ADDRESS.sub('the index', text).replace(f'{ROOT}/', '')} |"


def update(page: Path, packages: list[Package], rows: dict[str, str]) -> None:
    """Put new rows in place of older ones; the order is that of `packages`, and a package no longer listed goes."""
    text = page.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    kept = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    lines = [{**kept, **rows}.get(package.name) for package in packages]
    body = "\n".join([*HEAD, *(line for line in lines if line)])
    page.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")
