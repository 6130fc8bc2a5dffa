"""Closing `yield` dependencies, last opened first, as nested `async with` blocks would.

Generated source keeps what it opened in a list. `leave` closes all after a good end, `unwind` throws
an exception in after a bad one. Both take each entry off the list before they touch it, so that one
can go on where the other failed.
"""

from collections.abc import Awaitable, Callable
from types import AsyncGeneratorType
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from starlette.datastructures import FormData

from slipstream._engine.errors import DidNotYield
from slipstream._engine.runtime.watch import RESPONSE_STARTED
from slipstream._engine.types import Receive, Scope, Send


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


class Shield:
    """A cancel scope around dependencies that may have scopes of their own open.

    Scopes are left in the reverse order of entering. Clean-up that must not be cancelled can therefore
    not be put into a new scope: one has to be there from the start, which shields when the time comes.
    """

    __slots__ = ("scope",)

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.scope.__enter__()

    async def leave(self) -> None:
        """Leave the scope."""
        self.scope.__exit__(None, None, None)


def open_shield(exits: list[Any]) -> Shield:
    """Open a shield that is left after everything that comes onto the list later."""
    shield = Shield()
    exits.append(shield)
    return shield


class ShieldedGenerator:
    """An async generator that may have scopes open where it yields; never cancelled while it is closed."""

    __slots__ = ("generator", "scope")

    def __init__(self, generator: Any, shield: Shield) -> None:
        self.generator = generator
        self.scope = shield.scope

    async def __anext__(self) -> Any:
        """Take the first step."""
        try:
            return await self.generator.__anext__()
        except StopAsyncIteration:
            raise not_yielded(self.generator) from None

    async def leave(self) -> None:
        """Run to the end."""
        was = self.scope.shield
        self.scope.shield = True
        try:
            await self.generator.__anext__()
        except StopAsyncIteration:
            pass
        else:
            raise not_stopped()
        finally:
            self.scope.shield = was
        await checkpoint_if_cancelled()

    async def athrow(self, exc: BaseException) -> Any:
        """Throw an exception in where it yielded."""
        was = self.scope.shield
        self.scope.shield = True
        try:
            return await self.generator.athrow(exc)
        except StopAsyncIteration:
            # A task group inside the shield takes a cancellation from outside for its own, and swallows it.
            self.scope.shield = was
            await checkpoint_if_cancelled()
            raise
        finally:
            self.scope.shield = was


async def leave(exits: list[Any]) -> None:
    """Close everything after a good end.

    Raises:
        BaseException: What a dependency raised while it was closed; the rest is then still on the list.
    """
    while exits:
        opened = exits.pop()
        if type(opened) is not AsyncGeneratorType and hasattr(opened, "leave"):
            await opened.leave()
            continue
        try:
            await opened.__anext__()
        except StopAsyncIteration:
            continue
        raise not_stopped()


def not_stopped() -> RuntimeError:
    """Make the exception for a generator that yields a second time."""
    return RuntimeError("generator didn't stop")


def not_yielded(generator: Any) -> DidNotYield:
    """Make the exception for a generator, sync or async, that ends without a `yield`."""
    code = getattr(generator, "ag_code", getattr(generator, "gi_code", None))
    name = type(generator).__qualname__ if code is None else generator.__qualname__  # decorators may return anything
    return DidNotYield(name, name if code is None else f"{code.co_filename}:{code.co_firstlineno} in {name}")


async def unwind(exits: list[Any], exc: BaseException) -> BaseException | None:
    """Throw an exception into everything that is open.

    Returns:
        The exception that is left: the same, another that a dependency raised instead, or None if
        one of them swallowed it.
    """
    is_cancelled = not isinstance(exc, Exception)
    remaining: BaseException | None = exc
    while exits:
        opened = exits.pop()
        if is_cancelled and not isinstance(opened, (ShieldedGenerator, Shield)):
            with anyio.CancelScope(shield=True):
                remaining = await _close(opened, remaining)
        else:
            remaining = await _close(opened, remaining)
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


async def _close(opened: Any, exc: BaseException | None) -> BaseException | None:
    """Close one; returns the exception to go on with."""
    try:
        if isinstance(opened, (FormExit, SlotExit, Shield)):
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
