"""`python -m benchmarks`: measure, print the table, keep the record.

Ends with 1 if candidates disagree about an answer; never because something was slow.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import harness, report, startup
from benchmarks.work import WORK

RECORD = Path(__file__).parent / "results" / "latest.json"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    names = [work.name for work in WORK] + ["startup"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What does one request cost?")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="WORK", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="few short batches: shows that it works, not how fast")
    parser.add_argument("--candidates", nargs="+", choices=list(harness.CANDIDATES), default=list(harness.CANDIDATES))
    parser.add_argument("--json", type=Path, default=RECORD, metavar="PATH", help="where to write the record")
    return parser.parse_args(argv)


def requests(options: argparse.Namespace, builders: dict[str, harness.Build]) -> dict[str, dict[str, harness.Batches]]:
    """Measure the requests of every work asked for."""
    found: dict[str, dict[str, harness.Batches]] = {}
    for work in WORK:
        if work.name in options.only:
            print(f"measuring {work.name}: {work.title}", file=sys.stderr)
            rounds, number = (2, 10) if options.quick else (60, 300)
            found |= harness.run(work, builders, rounds=rounds, number=number)
    return found


def start_up(options: argparse.Namespace, builders: dict[str, harness.Build]) -> dict[str, Any]:
    """Measure start-up, if it was asked for."""
    webs = [name for name in ("fastapi", "slipstream") if name in builders]
    if "startup" not in options.only or not webs:
        return {}
    print("measuring start-up: import, 1,000 routes, OpenAPI, whole applications", file=sys.stderr)
    return startup.measure(webs, repeats=1 if options.quick else 5, routes=50 if options.quick else 1000)


def main(argv: list[str] | None = None) -> int:
    """Run; give the exit code."""
    options = arguments(argv)
    builders, missing = harness.load(options.candidates)
    for name, reason in missing.items():
        print(f"skipping {name}: {reason}", file=sys.stderr)
    try:
        batches = requests(options, builders)
    except harness.Disagreement as exc:
        print(f"candidates disagree: {exc}", file=sys.stderr)
        return 1
    before = start_up(options, builders)
    costs = {row: {name: found.best for name, found in by_name.items()} for row, by_name in batches.items()}
    goals = report.goals(costs, before)
    record = {
        **report.circumstances(),
        "quick": options.quick,
        "skipped": missing,
        "requests_us": {
            row: {name: found.summary for name, found in by_name.items()} for row, by_name in batches.items()
        },
        "startup": before,
        "goals": [
            {"row": goal.row, "claim": str(goal), "value": goal.value, "limit": goal.limit, "reached": goal.is_reached}
            for goal in goals
        ],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    titles = {row: work.title for work in WORK for row in work.timed}
    if costs:
        print(report.table(costs, titles))
    if before:
        print("\n" + report.startup_table(before))
    print()
    for goal in goals:
        print(goal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
