"""Tables for a terminal, and the record of a run."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ["fastapi", "starlette", "pydantic", "pydantic-core", "anyio"]
Costs = Mapping[str, Mapping[str, float]]
"""µs per request: rows by name, candidates within."""


@dataclass(frozen=True)
class Goal:
    """What a ratio has to be."""

    row: str
    text: str
    value: float | None
    """None if a candidate that it needs was not measured."""
    limit: float
    is_at_least: bool

    @property
    def is_reached(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.limit if self.is_at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.is_at_least else "≤"
        word = {True: "reached", False: "NOT reached", None: "not measured"}[self.is_reached]
        seen = "" if self.value is None else f"{self.value:.2f} "
        return f"{self.row}: {self.text} {seen}(goal {sign} {self.limit:g}): {word}"


def ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def goals(costs: Costs, startup: Mapping[str, Mapping[str, Any]]) -> list[Goal]:
    """List the goals that this run can tell something about."""
    found: list[Goal] = []

    def cost(row: str, name: str) -> float | None:
        return costs.get(row, {}).get(name)

    for row in ("plain", "item", "post", "post, no model", "deps", "list"):
        if row not in costs:
            continue
        for door in OURS:
            if door == "direct" and door not in costs[row]:
                continue
            name = row if door == "slipstream" else f"{row}, {door}"
            ours = cost(row, door)
            if row in CHEAPER:
                times = ratio(cost(row, "fastapi"), ours)
                found.append(Goal(name, "times cheaper than FastAPI:", times, CHEAPER[row], True))
            found.append(Goal(name, "of hand-written ASGI:", ratio(ours, cost(row, "raw")), 1.4, False))
        if row == "post" and "internet" in costs[row]:
            limited = ratio(cost(row, "internet"), cost(row, "direct"))
            found.append(Goal(f"{row}, internet", "of what it costs without limits:", limited, 1.03, False))
    if "mw" in costs and "plain" in costs:
        with_layer, without = cost("mw", "slipstream"), cost("plain", "slipstream")
        added = None if with_layer is None or without is None else with_layer - without
        found.append(Goal("mw", "µs for one function middleware:", added, 25, False))
    if "route 500" in costs:
        last_over_first = ratio(cost("route 500", "slipstream"), cost("route 1", "slipstream"))
        found.append(Goal("route 500", "of the first route:", last_over_first, 1.05, False))
    for title, key, text, limit, is_at_least in STARTUP_GOALS:
        if title in startup:
            ours, theirs = (startup[title].get(name, {}).get(key) for name in ("slipstream", "fastapi"))
            value = ratio(theirs, ours) if is_at_least else ratio(ours, theirs)
            found.append(Goal(title, text, value, limit, is_at_least))
    return found


OURS = ("slipstream", "direct")
"""slipstream as an ASGI application, and as `slipstream.server` calls it."""

CHEAPER = {"item": 20, "post": 20, "post, no model": 20, "deps": 35}
STARTUP_GOALS = [
    ("import", "cpu_ms", "of FastAPI's CPU time:", 0.6, False),
    ("import", "rss_mib", "of FastAPI's memory:", 0.8, False),
    ("routes", "register_ms", "times faster registration:", 5, True),
    ("routes", "openapi_ms", "times faster OpenAPI:", 3, True),
    ("routes", "rss_mib", "of FastAPI's memory:", 0.7, False),
    ("included", "register_ms", "times faster registration through a router:", 5, True),
    ("classes", "register_ms", "of FastAPI's time to register 200 routes with classes:", 0.5, False),
    ("tour", "cpu_ms", "of FastAPI's CPU time, import to first answer:", 1, False),
    ("shop", "cpu_ms", "of FastAPI's CPU time, import to first answer:", 0.6, False),
]


def table(costs: Costs, titles: Mapping[str, str]) -> str:
    """Write the costs, and how slipstream's compare."""
    names = [
        name
        for name in ("bare", "fastapi", "starlette", "raw", *OURS, "internet")
        if any(name in row for row in costs.values())
    ]
    ours = [name for name in OURS if name in names]
    head = f"{'µs of CPU per request':24}" + "".join(f"{name:>12}" for name in names)
    tails = "".join(f"{f'{name}:':>13}{'× FastAPI':>11}{'of raw':>8}" for name in ours)
    lines = [head + tails, "-" * len(head + tails)]
    for row, by_name in costs.items():
        cells = "".join(f"{by_name[name]:>12.2f}" if name in by_name else f"{'–':>12}" for name in names)
        tail = ""
        for name in ours:
            cheaper = ratio(by_name.get("fastapi"), by_name.get(name))
            of_raw = ratio(by_name.get(name), by_name.get("raw"))
            tail += f"{shown(cheaper, '.1f'):>24}{shown(of_raw, '.2f'):>8}"
        lines.append(f"{row:24}{cells}{tail}  {titles.get(row, '')}")
    return "\n".join(lines)


def startup_table(startup: Mapping[str, Mapping[str, Any]]) -> str:
    """Write what start-up costs."""
    lines = []
    for title, by_name in startup.items():
        for name, numbers in by_name.items():
            cells = "  ".join(f"{key} {value:g}" for key, value in numbers.items())
            lines.append(f"{title:10}{name:12} {cells}")
    return "\n".join(lines)


def shown(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def circumstances() -> dict[str, Any]:
    """Tell where and with what a run was made."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "cpus": os.cpu_count(), "system": platform.system()},
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: installed(name) for name in PACKAGES},
        "commit": commit(),
    }


def processor() -> str:
    """Name the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """Name the commit of the working tree, with a + if it was changed."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
