"""What comes before the first request: import, a bare application, 1,000 routes and their OpenAPI document.

Each measurement is a fresh process; of several, the cheapest counts. CPU time is what the operating system tells of the
process when it has ended; memory, and the time of parts, the process tells itself.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PEAK = """
def peak_mib():
    try:
        # Not ru_maxrss, which on Linux remembers the process that this one was forked from.
        lines = open("/proc/self/status").read().split("VmHWM:")
        return int(lines[1].split()[0]) / 1024
    except (OSError, IndexError):
        import resource, sys
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
"""
TELL_PEAK = (
    PEAK
    + """
print('{"rss_mib": %f}' % peak_mib())
"""
)
BARE = {
    "interpreter": TELL_PEAK,
    "fastapi": "import fastapi; app = fastapi.FastAPI()" + TELL_PEAK,
    "slipstream": "import slipstream; app = slipstream.FastAPI()" + TELL_PEAK,
}
ROUTES = (
    PEAK
    + """
import importlib, json, sys, time
from benchmarks.startup import register
web = importlib.import_module(sys.argv[1])
begin = time.process_time()
app = register(web, int(sys.argv[2]), sys.argv[3] == "router")
registered = time.process_time()
document = app.openapi()
done = time.process_time()
print(json.dumps({
    "rss_mib": peak_mib(),
    "register_ms": (registered - begin) * 1000,
    "openapi_ms": (done - registered) * 1000,
    "operations": sum(len(path) for path in document["paths"].values()),
    "schemas": len(document["components"]["schemas"]),
}))
"""
)


def register(web: Any, number: int, through_router: bool) -> Any:
    """Make an application of `number` routes: path, query and a header dependency; half with bodies; 100 models."""
    from typing import Annotated

    from pydantic import create_model

    models = [create_model(f"Model{n}", name=(str, ...), price=(float, 0.0), tags=(list[str], [])) for n in range(100)]

    async def user(x_token: Annotated[str, web.Header()]) -> str:
        return x_token

    def add(target: Any, n: int) -> None:
        model: Any = models[n % 100]
        if n % 2:

            @target.post(f"/shop{n}/{{item_id}}", response_model=model)
            async def create(
                item_id: int, item: model, user: Annotated[str, web.Depends(user)], q: str | None = None
            ) -> Any:
                return item
        else:

            @target.get(f"/shop{n}/{{item_id}}", response_model=model)
            async def read(
                item_id: int, user: Annotated[str, web.Depends(user)], q: str | None = None, limit: int = 10
            ) -> Any:
                return {"name": q}

    app = web.FastAPI()
    target = web.APIRouter() if through_router else app
    for n in range(number):
        add(target, n)
    if through_router:
        app.include_router(target, prefix="/api")
    return app


def child(arguments: Sequence[str]) -> dict[str, Any]:
    """Run Python in a process of its own; give its CPU time in ms, and what it printed as JSON."""
    # An installed package has its bytecode: this checkout must be allowed to keep its own, too.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    printed = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"python {' '.join(arguments[:1])} ended with {process.returncode}")
    return {"cpu_ms": (usage.ru_utime + usage.ru_stime) * 1000, **json.loads(printed)}


def cheapest(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Take the minimum of each number."""
    return {key: round(min(run[key] for run in runs), 1) for key in runs[0]}


def measure(webs: Sequence[str], *, repeats: int, routes: int) -> dict[str, dict[str, Any]]:
    """Measure start-up for each of `webs` (fastapi, slipstream), in turn."""
    commands: dict[str, dict[str, list[str]]] = {
        "import": {name: ["-c", BARE[name]] for name in ("interpreter", *webs)},
        "routes": {name: ["-c", ROUTES, name, str(routes), "app"] for name in webs},
        "included": {name: ["-c", ROUTES, name, str(routes), "router"] for name in webs},
    }
    found: dict[str, dict[str, Any]] = {}
    for title, by_name in commands.items():
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in by_name}
        for _ in range(repeats):
            for name, arguments in by_name.items():
                runs[name].append(child(arguments))
        found[title] = {name: cheapest(results) for name, results in runs.items()}
    return found
