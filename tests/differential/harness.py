"""One application source, two frameworks, the same requests: whatever can be seen from outside must be equal.

An application is Python source that says `from fastapi import …` and makes `app`; it may keep a list `log` of what
happened in it. `Pair(source)` runs the source once as it is and once with every `fastapi` import turned into
`slipstream`, then drives both by raw ASGI: no test client stands between, so header order, chunk by chunk bodies and
exceptions that reach the server are compared as a server would see them.

Where slipstream differs on purpose, a `Difference` in differences.py says so and why; nothing else is forgiven.
"""

import asyncio
import json
import linecache
import re
import sys
import warnings
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from slipstream.server.framing import complete

from .differences import EVERYWHERE, Difference

FRAMEWORKS = ("fastapi", "slipstream")
TIMEOUT_S = 20.0
END_OF_PREAMBLE = "# --- end of preamble\n"

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Sent:
    """A request as a server hands it over."""

    method: str = "GET"
    path: str = "/"
    query: bytes = b""
    headers: Headers = ()
    chunks: tuple[bytes, ...] = (b"",)
    root_path: str = ""
    leaves: bool = False
    """Whether the client is gone before its body is complete."""


@dataclass(frozen=True)
class Outcome:
    """Everything that a server, or the application's own log, could tell of one request."""

    status: int | None
    headers: Headers
    chunks: tuple[bytes, ...]
    raised: str | None
    log: tuple[Any, ...]
    shape: tuple[str, ...]
    """Types of the messages in order, so that a missing last one is seen."""

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Talk:
    """What came of a WebSocket connection."""

    messages: tuple[str, ...]
    raised: str | None
    log: tuple[Any, ...]


class Runner:
    """One event loop for all requests of a test process; opened at need, closed by the folder's conftest."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(asyncio.wait_for(work, TIMEOUT_S))

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
            self._runner = None


runner = Runner()


def told(exc: BaseException) -> str:
    """Name an exception without saying which framework it is of."""
    if isinstance(exc, BaseExceptionGroup):
        return f"{type(exc).__name__}: [{', '.join(map(told, exc.exceptions))}]"
    if type(exc).__name__ in ("FastAPIError", "DependencyScopeError"):
        return type(exc).__name__  # the framework's own advice, in its own words
    return _addressless(f"{type(exc).__name__}: {exc}".replace("slipstream", "fastapi"))


def _addressless(said: Any) -> Any:
    return re.sub(r"0x[0-9a-f]{6,}", "0x…", said) if isinstance(said, str) else said


@dataclass
class Side:
    """One framework's half of a pair."""

    framework: str
    module: ModuleType
    error: Exception | None = None
    host: bytes = b"testserver"
    is_direct: bool = False
    """Whether requests in one piece come by the direct door."""

    @property
    def app(self) -> Any:
        sys.modules["application"] = self.module  # where annotations that are text are looked up
        return self.module.__dict__["app"]

    @property
    def log(self) -> list[Any]:
        found: list[Any] = self.module.__dict__.setdefault("log", [])
        return found

    def request(self, sent: Sent) -> Outcome:
        outcome: Outcome = runner.run(self._request(sent))
        return outcome

    async def _request(self, sent: Sent) -> Outcome:
        self.log.clear()
        messages: list[dict[str, Any]] = []
        done = asyncio.Event()
        waiting = list(sent.chunks)

        async def receive() -> dict[str, Any]:
            if waiting:
                chunk = waiting.pop(0)
                return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or sent.leaves}
            if not sent.leaves:
                await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                done.set()

        def reply(status: int, headers: Any, content: bytes, is_complete: bool = False) -> bool:
            if is_complete and complete(status, headers, len(content)) is None:
                return False
            length = () if is_complete else ((b"content-length", b"%d" % len(content)),)
            messages.append({"type": "http.response.start", "status": status, "headers": [*length, *headers]})
            messages.append({"type": "http.response.body", "body": content})
            done.set()
            return True

        raised = None
        try:
            if self.is_direct and len(sent.chunks) == 1 and not sent.leaves and hasattr(self.app, "serve_direct"):
                await self.app.serve_direct(scope_of(sent, self.host), receive, send, sent.chunks[0], reply)
            else:
                await self.app(scope_of(sent, self.host), receive, send)
        except Exception as exc:
            raised = told(exc)
        done.set()
        start = next((message for message in messages if message["type"] == "http.response.start"), {})
        chunks = tuple(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
        return Outcome(
            status=start.get("status"),
            headers=tuple((bytes(name), _timeless(bytes(value))) for name, value in start.get("headers", ())),
            chunks=tuple(re.sub(rb"0x[0-9a-f]{6,}", b"0x", chunk) for chunk in chunks if chunk),
            raised=raised,
            log=tuple(map(_addressless, self.log)),
            shape=tuple(
                message["type"]
                for message in messages
                if message["type"] != "http.response.body" or not message.get("more_body", False)
            ),
        )

    def websocket(self, sent: Sent, incoming: Sequence[dict[str, Any]]) -> Talk:
        talk: Talk = runner.run(self._websocket(sent, incoming))
        return talk

    async def _websocket(self, sent: Sent, incoming: Sequence[dict[str, Any]]) -> Talk:
        self.log.clear()
        messages: list[dict[str, Any]] = []
        waiting = [{"type": "websocket.connect"}, *incoming]

        async def receive() -> dict[str, Any]:
            return waiting.pop(0) if waiting else {"type": "websocket.disconnect", "code": 1000, "reason": ""}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        raised = None
        try:
            await self.app(websocket_scope_of(sent), receive, send)
        except Exception as exc:
            raised = told(exc)
        log = tuple(map(_addressless, self.log))
        return Talk(tuple(repr(sorted(message.items())) for message in messages), raised, log)

    def lifespan(self, work: Callable[["Side"], Coroutine[Any, Any, Any]]) -> tuple[Any, ...]:
        """Start the application, do some work, shut it down; return the messages, the log and what the work gave."""
        return tuple(runner.run(self._lifespan(work)))

    async def _lifespan(self, work: Callable[["Side"], Coroutine[Any, Any, Any]]) -> list[Any]:
        self.log.clear()
        incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        state: dict[str, Any] = {}
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
        raised: list[str] = []

        async def serve() -> None:
            try:
                await self.app(scope, incoming.get, outgoing.put)
            except Exception as exc:
                raised.append(told(exc))
            await outgoing.put({"type": "end"})

        serving = asyncio.ensure_future(serve())
        incoming.put_nowait({"type": "lifespan.startup"})
        said = [await outgoing.get()]
        given = await work(self) if said[0]["type"] == "lifespan.startup.complete" else None
        incoming.put_nowait({"type": "lifespan.shutdown"})
        await serving
        while not outgoing.empty():
            said.append(outgoing.get_nowait())
        kinds = [message["type"] for message in said]
        return [kinds, raised, list(self.log), sorted(state), given]


def _timeless(value: bytes) -> bytes:
    """Leave the clock out of the date of a cookie that is deleted, which is now."""
    return re.sub(rb"(expires=[^;]*) \d\d:\d\d:\d\d GMT", rb"\1", value)


def scope_of(sent: Sent, host: bytes = b"testserver") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 5000),
        "scheme": "http",
        "method": sent.method,
        "root_path": sent.root_path,
        "path": sent.root_path + sent.path,
        "raw_path": (sent.root_path + sent.path).encode(),
        "query_string": sent.query,
        "headers": [(b"host", host), *sent.headers],
        "state": {},
    }


def websocket_scope_of(sent: Sent) -> dict[str, Any]:
    scope = scope_of(sent)
    del scope["method"]
    extensions = {"websocket.http.response": {}}
    return {**scope, "type": "websocket", "scheme": "ws", "subprotocols": [], "extensions": extensions}


_worlds: dict[tuple[str, str], dict[str, Any]] = {}


def _names_of(world: str, framework: str) -> dict[str, Any]:
    """Run what many programs begin with, once; lists in it are emptied for each program."""
    if (framework, world) not in _worlds:
        _worlds[framework, world] = load(world, framework).module.__dict__
    names = dict(_worlds[framework, world])
    del names["app"]  # each program makes its own
    for name in ("log", "refused"):
        names[name].clear()
    return names


def load(source: str, framework: str, world: str = "") -> Side:
    """Run an application's source on top of a framework, after a world that is run once for all that begin with it."""
    source = re.sub(r"^(from|import) fastapi\b", rf"\1 {framework}", source, flags=re.MULTILINE)
    module = ModuleType("application")
    if world:
        module.__dict__.update(_names_of(world, framework))
    linecache.cache["<application>"] = (len(source), None, source.splitlines(keepends=True), "<application>")
    sys.modules["application"] = module  # where Pydantic looks for the names in annotations
    side = Side(framework, module)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(
                compile(source, "<application>", "exec"), module.__dict__
            )  # the very point: one source, two frameworks
    except SyntaxError:
        raise  # the test's own mistake
    except Exception as exc:
        side.error = exc
    return side


@dataclass
class Pair:
    """One source under both frameworks, under slipstream by either door.

    Args:
        source: Python that says `from fastapi import …` and makes `app`.
        differences: Differences that only this application shows.
        world: What the source follows on: imports, models and lists that many programs share.
    """

    source: str
    differences: tuple[Difference, ...] = ()
    world: str = ""
    theirs: Side = field(init=False)
    ours: Side = field(init=False)
    direct: Side = field(init=False)

    def __post_init__(self) -> None:
        self.direct = replace(load(self.source, FRAMEWORKS[1], self.world), is_direct=True)
        self.theirs, self.ours = (load(self.source, framework, self.world) for framework in FRAMEWORKS)
        if (self.theirs.error is None) != (self.ours.error is None):
            self._differ("definition", self.theirs.error or "works", self.ours.error or "works")

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        """Every application made of the source."""
        return self.theirs, self.ours, self.direct

    @property
    def shown(self) -> str:
        """The source without what all sources begin with."""
        return self.source.rpartition(END_OF_PREAMBLE)[2]

    @property
    def is_refused(self) -> bool:
        """Whether both frameworks refuse the source; the wording is each framework's own."""
        return self.ours.error is not None

    def _differ(self, what: object, theirs: object, ours: object) -> None:
        raise AssertionError(f"\n{self.shown}\n--- {what}\n--- fastapi\n{theirs!r}\n--- slipstream\n{ours!r}\n")

    def _settled(self, theirs: Outcome, ours: Outcome, sent: Sent | None = None) -> bool:
        return any(
            difference.settles(theirs, ours) or (sent is not None and difference.settles_sent(sent))
            for difference in (*EVERYWHERE, *self.differences)
        )

    def request(self, sent: Sent) -> Outcome:
        """Send one request to both; return slipstream's outcome, equal to FastAPI's or different on purpose."""
        if self.is_refused:
            raise AssertionError(f"{self.shown}\n--- both refuse this: {self.ours.error!r}")
        theirs, ours = self.theirs.request(sent), self.ours.request(sent)
        if theirs != ours and not self._settled(theirs, ours, sent):
            self._differ(sent, theirs, ours)
        direct = self.direct.request(sent)
        if direct != ours and not self._settled(ours, direct):
            raise AssertionError(f"\n{self.shown}\n--- {sent}\n--- asgi\n{ours!r}\n--- direct\n{direct!r}\n")
        return ours

    def get(self, path: str, query: bytes = b"", *headers: tuple[bytes, bytes]) -> Outcome:
        return self.request(Sent("GET", path, query, headers))

    def websocket(self, sent: Sent, incoming: Sequence[dict[str, Any]] = ()) -> Talk:
        theirs, ours = self.theirs.websocket(sent, incoming), self.ours.websocket(sent, incoming)
        declared = (*EVERYWHERE, *self.differences)
        if theirs != ours and not any(difference.settles_talk(theirs, ours) for difference in declared):
            self._differ((sent, incoming), theirs, ours)
        return ours

    def lifespan(self, work: Callable[[Side], Coroutine[Any, Any, Any]]) -> tuple[Any, ...]:
        theirs, ours = self.theirs.lifespan(work), self.ours.lifespan(work)
        if theirs != ours:
            self._differ("lifespan", theirs, ours)
        return ours

    def openapi(self) -> dict[str, Any]:
        """Compare the documents as text: what moves in them is a diff in somebody's repository."""
        theirs, ours, _ = map(document, self.sides)
        if theirs != ours:
            self._differ("openapi.json", theirs, ours)
        found: dict[str, Any] = json.loads(ours) if ours.startswith("{") else {}
        return found


def document(side: Side) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return json.dumps(side.app.openapi())
    except Exception as exc:
        return told(exc)
