"""`make ecosystem`: run the tests of packages that live on FastAPI with FastAPI and with slipstream in its place.

usage: python -m tests.ecosystem [-k NAME] [--why] [--fresh] [--limit SECONDS]
"""

import argparse
import signal
import sys
from pathlib import Path

from tests.ecosystem import environments, page, runs
from tests.ecosystem.packages import Package, read

LIST = Path(__file__).with_name("packages.toml")
WORK = environments.ROOT / ".ecosystem"
PAGE = environments.ROOT / "docs" / "ecosystem.md"


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 1 when a package has fewer passing tests than with FastAPI and `packages.toml` does not say why."""
    parser = argparse.ArgumentParser(prog="make ecosystem", description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="NAME", default="", help="only packages with this in their name")
    parser.add_argument("--why", action="store_true", help="list the tests that fall short, by cause")
    parser.add_argument("--fresh", action="store_true", help="run again what has a result for this source already")
    parser.add_argument("--limit", type=float, default=360, metavar="SECONDS", help="time of one run (default: 360)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a run under way is ended too
    packages = read(LIST)
    WORK.mkdir(exist_ok=True)
    (WORK / "pytest.ini").touch()  # a package without options for pytest is not to find ours further up
    unexplained = 0
    for package in packages:
        if options.k in package.name:
            line, compared = measure(package, options.limit, fresh=options.fresh)
            page.update(PAGE, packages, {package.name: line})
            print(line, flush=True)
            if compared is not None:
                unexplained += bool(compared.causes) and not package.short
                if options.why:
                    explain(compared)
    return int(unexplained > 0)


def measure(package: Package, limit: float, *, fresh: bool) -> tuple[str, runs.Comparison | None]:
    """The package's line, and what there is to explain."""
    try:
        sides = environments.prepare(package, WORK)
    except environments.Unavailable as error:
        return page.failed_row(package, str(error)), None
    fastapi = runs.result(package, "fastapi", sides["fastapi"], limit, fresh=fresh)
    slipstream = runs.result(package, "slipstream", sides["slipstream"], limit, expected=fastapi.passed, fresh=fresh)
    compared = runs.compare(fastapi, slipstream)
    return page.row(package, fastapi, slipstream, compared), compared


def explain(compared: runs.Comparison) -> None:
    """Print causes, the most frequent first, with up to three tests each."""
    for why, tests in compared.grouped():
        print(f"    {len(tests):>5}  {why}")
        for test in tests[:3]:
            print(f"           {test}")


if __name__ == "__main__":
    sys.exit(main())
