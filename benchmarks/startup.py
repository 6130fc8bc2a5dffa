"""What comes before the first request: import, a bare application, 1,000 routes and their OpenAPI document.

Also whole applications (`sources.py`), from import to the first answer.

Each measurement is a fresh process; of several, the cheapest counts. CPU time is what the operating system tells of the
process when it has ended; memory, and the time of parts, the process tells itself.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import sources

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
CLASSES = (
    PEAK
    + """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from main import make
begin = time.process_time()
app = make()
print(json.dumps({"rss_mib": peak_mib(), "register_ms": (time.process_time() - begin) * 1000}))
"""
)
FIRST_ANSWER = (
    PEAK
    + """
import asyncio, importlib, json, sys, time
sys.path.insert(0, sys.argv[1])
begin = time.process_time()
app = importlib.import_module(sys.argv[2]).app
imported = time.process_time()
from benchmarks.startup import first_answer
started = time.process_time()
status, body = asyncio.run(first_answer(app, sys.argv[3]))
done = time.process_time()
if status != 200:
    raise SystemExit(f"{sys.argv[3]}: {status} {body}")
print(json.dumps({
    "rss_mib": peak_mib(),
    "import_ms": (imported - begin) * 1000,
    "answer_ms": (done - started) * 1000,
    "bytes": len(body),
}))
"""
)


async def first_answer(app: Any, path: str) -> tuple[int, bytes]:
    """Start an application, send one GET, and shut it down; give the status and the body of the answer."""
    waiting: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    state: dict[str, Any] = {}
    lifespan = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    serving = asyncio.ensure_future(app(lifespan, waiting.get, said.put))
    waiting.put_nowait({"type": "lifespan.startup"})
    if (await said.get())["type"] != "lifespan.startup.complete":
        raise RuntimeError("it did not start")
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": [],
        "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50000), "state": state,
    }  # fmt: skip
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    waiting.put_nowait({"type": "lifespan.shutdown"})
    await serving
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])


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


def child(arguments: Sequence[str], folder: str) -> dict[str, Any]:
    """Run Python in a process of its own; give its CPU time in ms, and what it printed as JSON.

    Args:
        folder: Where the tour may keep its data.
    """
    # An installed package has its bytecode: this checkout must be allowed to keep its own, too.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["TOUR_DATA_DIR"] = folder
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
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as top:
        folders = {name: Path(top, name) for name in webs}
        for name, folder in folders.items():
            folder.mkdir()
            sources.write(folder, name)
        at = {name: str(folder) for name, folder in folders.items()}
        commands: dict[str, dict[str, list[str]]] = {
            "import": {name: ["-c", BARE[name]] for name in ("interpreter", *webs)},
            "routes": {name: ["-c", ROUTES, name, str(routes), "app"] for name in webs},
            "included": {name: ["-c", ROUTES, name, str(routes), "router"] for name in webs},
            "classes": {name: ["-c", CLASSES, f"{at[name]}/classes"] for name in webs},
            "tour": {name: ["-c", FIRST_ANSWER, f"{at[name]}/tour", "tour.main", "/health"] for name in webs},
            "shop": {name: ["-c", FIRST_ANSWER, f"{at[name]}/shop", "main", "/v1/r3/3/7"] for name in webs},
        }
        for title, by_name in commands.items():
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in by_name}
            for _ in range(repeats):
                for name, arguments in by_name.items():
                    runs[name].append(child(arguments, at.get(name, top)))
            found[title] = {name: cheapest(results) for name, results in runs.items()}
    return found
