"""A request is cancelled while a dependency is cleaned up, or just before: clean-up is awaited to its end."""

import asyncio
from importlib import import_module
from itertools import product
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import pytest

from .harness import Sent, scope_of, websocket_scope_of

SIDES = (("fastapi", False), ("slipstream", False), ("slipstream", True))


class Story:
    """One request to an application with a dependency of some kind, cancelled at some moment; `log` tells of it."""

    def __init__(self, framework: str, kind: str, lifetime: str, moment: str) -> None:
        self.package = import_module(framework)
        self.kind, self.moment = kind, moment
        self.log: list[str] = []
        self.at_moment = anyio.Event()
        app = self.app = self.package.FastAPI()
        depends = self.package.Depends(getattr(self, kind), scope=lifetime)

        @app.get("/")
        async def endpoint(value: Annotated[Any, depends]) -> int:
            await self.end()
            return 1

        @app.websocket("/")
        async def talk(socket: self.package.WebSocket, value: Annotated[Any, depends]) -> None:  # type: ignore[name-defined]
            await socket.accept()
            await self.end()

    async def end(self) -> None:
        """End the endpoint: cancelled in it, cancelled just before its end, or by an exception."""
        if self.moment == "endpoint":
            self.at_moment.set()
            await anyio.sleep_forever()
        if self.moment == "before":
            self.cancel()
        if self.moment == "error":
            raise LookupError

    async def clean(self) -> None:
        self.log.append("cleaning")
        if self.moment in ("clean-up", "error"):
            self.at_moment.set()
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        self.log.append("cleaned")

    async def plain(self) -> Any:
        try:
            yield 1
        finally:
            await self.clean()

    async def after(self) -> Any:
        yield 1
        await self.clean()

    async def group(self) -> Any:
        async with anyio.create_task_group():
            yield 1
        await self.clean()

    async def catching(self) -> Any:
        try:
            yield 1
        except BaseException as exc:
            self.log.append(type(exc).__name__)
            raise
        finally:
            await self.clean()

    async def receive(self) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.log.append(message["type"].rpartition(".")[2])

    def reply(self, *parts: Any) -> bool:
        self.log.extend(("start", "body"))
        return True

    async def serve(self, *, is_direct: bool, is_websocket: bool) -> None:
        try:
            if is_direct:
                await self.app.serve_direct(scope_of(Sent()), self.receive, self.send, b"", self.reply)
            else:
                scope = websocket_scope_of(Sent()) if is_websocket else scope_of(Sent())
                await self.app(scope, self.receive, self.send)
            await anyio.lowlevel.checkpoint()
            self.log.append("not cancelled")
        except BaseException as exc:
            self.log.append(f"out {type(exc).__name__}")
            if not isinstance(exc, Exception):
                raise

    async def told(self, *, is_direct: bool, is_websocket: bool) -> list[str]:
        """Serve and cancel; return the log."""
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                self.cancel = tasks.cancel_scope.cancel

                async def serve() -> None:
                    await self.serve(is_direct=is_direct, is_websocket=is_websocket)

                tasks.start_soon(serve)
                if self.moment != "before":
                    await self.at_moment.wait()
                    self.cancel()
        return self.log


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("is_websocket", [False, True])
@pytest.mark.parametrize("lifetime", ["function", "request"])
@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        *product(("plain", "after", "group", "catching"), ("before", "clean-up", "endpoint")),
        *product(("plain", "catching"), ("error",)),  # the others are not cleaned up after an error
    ],
)
def test_clean_up_runs_to_its_end_and_then_the_cancellation_goes_on(
    backend: str, is_websocket: bool, lifetime: str, kind: str, moment: str
) -> None:
    """A connection that is not given back to its pool is lost to it; FastAPI shields clean-up for that."""
    stories = []
    for framework, is_direct in SIDES:
        if is_direct and is_websocket:
            continue

        async def tell(framework: str = framework, is_direct: bool = is_direct) -> list[str]:
            story = Story(framework, kind, lifetime, moment)
            return await story.told(is_direct=is_direct, is_websocket=is_websocket)

        stories.append(anyio.run(tell, backend=backend))

    assert all(story == stories[0] for story in stories), stories
    assert ("cleaned" in stories[0]) == ("cleaning" in stories[0])


@pytest.mark.parametrize("lifetime", ["function", "request"])
@pytest.mark.parametrize("moment", ["clean-up", "endpoint"])
@pytest.mark.parametrize("kind", ["plain", "after", "catching"])
def test_asyncios_own_cancellation_meets_clean_up_as_under_fastapi(lifetime: str, moment: str, kind: str) -> None:
    """`Task.cancel` goes through shields, which know of cancel scopes only."""
    stories = []
    for framework, is_direct in SIDES:

        async def tell(framework: str = framework, is_direct: bool = is_direct) -> list[str]:
            story = Story(framework, kind, lifetime, moment)
            task = asyncio.ensure_future(story.serve(is_direct=is_direct, is_websocket=False))
            await story.at_moment.wait()
            task.cancel()
            await asyncio.wait([task], timeout=20)
            return story.log

        stories.append(anyio.run(tell))

    assert all(story == stories[0] for story in stories), stories
