"""Start-up and shut-down: the server's lifespan messages, and contexts made of others."""

import inspect
import traceback
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any, TypeAlias, cast

from slipstream._engine.errors import NotALifespan
from slipstream._engine.runtime.threads import is_async
from slipstream._engine.signature.origin import origin_of
from slipstream._engine.types import Receive, Scope, Send

State: TypeAlias = Mapping[str, Any] | None
"""What start-up yields for `request.state`."""

Context: TypeAlias = Callable[[Any], AbstractAsyncContextManager[State]]
"""Takes the application; entering the context is the start-up, leaving it the shut-down."""


async def lifespan(scope: Scope, receive: Receive, send: Send, context: Context, prepare: Callable[[], object]) -> None:
    """Serve a lifespan scope: call `prepare`, enter `context`, report, wait for the end, leave it, report.

    Failures are raised too.
    """
    ended = "startup"
    await receive()
    try:
        prepare()
        async with entered(context, scope.get("app")) as state:
            if state is not None:
                if "state" not in scope:
                    raise RuntimeError('The server does not support "state" in the lifespan scope.')
                scope["state"].update(state)
            await send({"type": "lifespan.startup.complete"})
            ended = "shutdown"
            await receive()
    except BaseException:
        await send({"type": f"lifespan.{ended}.failed", "message": traceback.format_exc()})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def as_context(source: Callable[[Any], Any] | None) -> Context:
    """Make a context of a user's `lifespan=`: a context manager factory, a generator function, or None for nothing."""
    if source is None:
        return lambda app: nullcontext()
    if inspect.isasyncgenfunction(source):
        return asynccontextmanager(source)
    if inspect.isgeneratorfunction(source):
        manager = contextmanager(source)

        @asynccontextmanager
        async def lifted(app: Any) -> AsyncGenerator[State]:
            with manager(app) as state:
                yield state

        return lifted
    return source


def entered(context: Context, app: Any) -> AbstractAsyncContextManager[State]:
    """Return a user's context for an application; raise NotALifespan if it is none."""
    manager: Any = context(app)
    if not hasattr(type(manager), "__aenter__"):
        if inspect.iscoroutine(manager):
            manager.close()
        raise NotALifespan(origin_of(context))
    return cast(AbstractAsyncContextManager[State], manager)


def merge(outer: Context, inner: Context) -> Context:
    """Make one context of two: `inner` starts last and stops first; of equal keys of state, `outer`'s count."""

    @asynccontextmanager
    async def merged(app: Any) -> AsyncGenerator[State]:
        async with entered(outer, app) as outer_state, entered(inner, app) as inner_state:
            if outer_state is None and inner_state is None:
                yield None
            else:
                yield {**(inner_state or {}), **(outer_state or {})}

    return merged


def from_events(startup: Sequence[Callable[[], Any]], shutdown: Sequence[Callable[[], Any]]) -> Context:
    """Make a context of lists of `on_event` handlers; those for shut-down run if start-up succeeded."""

    @asynccontextmanager
    async def events(app: Any) -> AsyncGenerator[State]:
        await run(startup)
        try:
            yield None
        finally:
            await run(shutdown)

    return events


async def run(handlers: Sequence[Callable[[], Any]]) -> None:
    """Call each handler, async or sync, in the event loop's thread."""
    for handler in handlers:
        if is_async(handler):
            await handler()
        else:
            handler()
