"""Closing `yield` dependencies, last opened first, as nested `async with` blocks would.

Generated source keeps what it opened in a list. `leave` closes all after a good end, `unwind` throws
an exception in after a bad one. Both take each entry off the list before they touch it, so that one
can go on where the other failed.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio
from starlette.datastructures import FormData

from slipstream._engine.types import Receive, Scope, Send
from slipstream._engine.wire.threads import ThreadGenerator


class Exit(Protocol):
    """What is kept open during a request."""

    async def leave(self) -> None:
        """Close after a good end."""
        ...


class FormExit:
    """Closes a form's files."""

    __slots__ = ("form",)

    def __init__(self, form: FormData) -> None:
        self.form = form

    async def leave(self) -> None:
        """Close them."""
        await self.form.close()


class SlotExit:
    """Gives back a place under a dependency's `max_concurrency`."""

    __slots__ = ("semaphore",)

    def __init__(self, semaphore: Any) -> None:
        self.semaphore = semaphore

    async def leave(self) -> None:
        """Give it back."""
        self.semaphore.release()


async def leave(exits: list[Any]) -> None:
    """Close everything after a good end.

    Raises:
        BaseException: What a dependency raised while it was closed; the rest is then still on the list.
    """
    while exits:
        opened = exits.pop()
        if isinstance(opened, (ThreadGenerator, FormExit, SlotExit)):
            await opened.leave()
            continue
        try:
            await opened.__anext__()
        except StopAsyncIteration:
            continue
        raise RuntimeError("generator didn't stop")


async def unwind(exits: list[Any], exc: BaseException) -> BaseException | None:
    """Throw an exception into everything that is open.

    Returns:
        The exception that is left: the same, another that a dependency raised instead, or None if
        one of them swallowed it.
    """
    with anyio.CancelScope(shield=not isinstance(exc, Exception)):
        remaining: BaseException | None = exc
        while exits:
            remaining = await _close(exits.pop(), remaining)
    return remaining


def open_failure(
    fail: Callable[..., Awaitable[None]], swallowed: Callable[[], Exception]
) -> Callable[..., Awaitable[None]]:
    """Make what a handler with open dependencies does about an exception: close all, then answer.

    Args:
        fail: Answers with a registered handler, or raises again.
        swallowed: Makes the exception to raise if a dependency swallowed the endpoint's.
    """

    async def fail_open(
        exits: list[Any], exc: BaseException, sent: bool, scope: Scope, receive: Receive, send: Send, **facts: Any
    ) -> None:
        remaining = await unwind(exits, exc)
        started = sent or RESPONSE_STARTED in scope
        if remaining is None:
            if started or scope["type"] == "websocket":
                return
            remaining = swallowed()
        if not isinstance(remaining, Exception):
            raise remaining
        await fail(remaining, scope, receive, send, started=started, **facts)

    return fail_open


def inner_failure(swallowed: Callable[[], Exception]) -> Callable[..., Awaitable[BaseException]]:
    """Make what happens when something fails while dependencies of scope "function" are open."""

    async def fail_closing(closing: list[Any], exc: BaseException) -> BaseException:
        return await unwind(closing, exc) or swallowed()

    return fail_closing


RESPONSE_STARTED = "slipstream.response_started"
"""Key in a scope: a response had begun when the exception came."""


async def _close(opened: Any, exc: BaseException | None) -> BaseException | None:
    """Close one; returns the exception to go on with."""
    try:
        if isinstance(opened, (FormExit, SlotExit)):
            await opened.leave()
            return exc
        if exc is None:
            await leave([opened])
            return None
        await opened.athrow(exc)
    except StopAsyncIteration as stop:
        # Raised by the generator's end: it swallowed what was thrown in. (It may be what was thrown.)
        return exc if stop is exc else None
    except RuntimeError as raised:
        # A StopIteration that passes through a generator comes out wrapped.
        if raised is exc:
            return exc
        if isinstance(exc, (StopIteration, StopAsyncIteration)) and raised.__cause__ is exc:
            return exc
        return _chained(raised, exc)
    except BaseException as raised:
        return raised if raised is exc else _chained(raised, exc)
    return _chained(RuntimeError("generator didn't stop after athrow()"), exc)


def _chained(raised: BaseException, exc: BaseException | None) -> BaseException:
    """Keep the story: Python sets the context where the exception was being handled when raised."""
    if raised.__context__ is None and raised is not exc:
        raised.__context__ = exc
    return raised
