"""Start-up and shut-down: the lifespan messages of a server, and contexts put together from parts."""

import inspect
import traceback
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeAlias

from slipstream._engine.entry.callables import is_async
from slipstream._engine.types import Receive, Scope, Send

State: TypeAlias = Mapping[str, Any] | None
"""What start-up leaves for requests to find in `request.state`."""

Context: TypeAlias = Callable[[Any], AbstractAsyncContextManager[State]]
"""Takes the application; its entry is the start-up, its exit the shut-down."""


async def lifespan(scope: Scope, receive: Receive, send: Send, context: Context) -> None:
    """Serve one lifespan scope: enter `context`, report, wait for the end, leave it, report.

    What the context yields is merged into `scope["state"]`.

    Raises:
        BaseException: What start-up or shut-down raised, after the server got the traceback.
        RuntimeError: The context yields state, and the server's scope has no "state".
    """
    ended = "startup"
    await receive()
    try:
        async with context(scope.get("app")) as state:
            keep(state, scope)
            await send({"type": "lifespan.startup.complete"})
            ended = "shutdown"
            await receive()
    except BaseException:
        await send({"type": f"lifespan.{ended}.failed", "message": traceback.format_exc()})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def keep(state: State, scope: Scope) -> None:
    """Merge what start-up yields into the server's state."""
    if state is None:
        return
    if "state" not in scope:
        raise RuntimeError('The server does not support "state" in the lifespan scope.')
    scope["state"].update(state)


def as_context(source: Callable[[Any], Any] | None) -> Context:
    """Read what a user gave as `lifespan=`: a context manager factory or a generator function; None does nothing."""
    if source is None:
        return empty
    if inspect.isasyncgenfunction(source):
        return asynccontextmanager(source)
    if inspect.isgeneratorfunction(source):
        return lift(source)
    return source


@asynccontextmanager
async def empty(app: Any) -> AsyncGenerator[State]:
    """Start nothing, stop nothing."""
    yield None


def lift(function: Callable[[Any], Generator[Any, Any, Any]]) -> Context:
    """Make a context of a generator function that is not async."""
    manager = contextmanager(function)

    @asynccontextmanager
    async def lifted(app: Any) -> AsyncGenerator[State]:
        with manager(app) as state:
            yield state

    return lifted


def merge(outer: Context, inner: Context) -> Context:
    """Make one context of two: `inner` starts after `outer` and stops before it; of equal keys, `outer`'s count."""

    @asynccontextmanager
    async def merged(app: Any) -> AsyncGenerator[State]:
        async with outer(app) as outer_state, inner(app) as inner_state:
            if outer_state is None and inner_state is None:
                yield None
            else:
                yield {**(inner_state or {}), **(outer_state or {})}

    return merged


def from_events(startup: Sequence[Callable[[], Any]], shutdown: Sequence[Callable[[], Any]]) -> Context:
    """Make a context of `on_event` handlers, async or sync, called in order; the lists are read when they are called.

    Shut-down handlers run if start-up succeeded, even if the application then failed.
    """

    @asynccontextmanager
    async def events(app: Any) -> AsyncGenerator[State]:
        await run(startup)
        try:
            yield None
        finally:
            await run(shutdown)

    return events


async def run(handlers: Sequence[Callable[[], Any]]) -> None:
    """Call each handler, in the event loop's own thread."""
    for handler in handlers:
        if is_async(handler):
            await handler()
        else:
            handler()
