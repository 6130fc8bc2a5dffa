"""From an open connection to its end, dialled or accepted: hooks, the outbox, the conversation."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from slipstream.links.errors import LinkDown, ends_task, logger
from slipstream.links.intake import TooLong
from slipstream.links.queue import QueueFull
from slipstream.links.redact import described
from slipstream.links.rules import Failure, FailureKind
from slipstream.links.session import Connection
from slipstream.links.supervise import first_of

GRACE = 1.0
"""Seconds that a conversation may go on after the end of its connection."""

_QUEUE_FULL = Failure("closed", "our queue is full", code=1013, side="us", reason="try again later")


async def hold(connection: Connection, cancelled: Failure, *works: Awaitable[Failure | None]) -> Failure:
    """Begin a connection in its session, run its coroutines until one says why it has ended, and end it in the session.

    This returns the reason, too; if this task is cancelled, that is `cancelled`.
    """
    session, failure = connection.session, cancelled
    session.begin(connection)
    try:
        failure = await first_of(*works)
    except BaseException as error:
        if not ends_task(error):
            connection.ended_by = Failure("error", described(error), side="us")
        raise
    finally:
        failure = connection.ended_by or failure
        session.end(connection, failure)
    return failure


async def read(connection: Connection, intake: Awaitable[Failure], limit: int | None, silence: float | None) -> Failure:
    """Take in what the peer sends until the connection ends; return why. The intake keeps to the limits."""
    try:
        failure = await intake
    except TooLong:
        text = f"a message of more than {limit} bytes"
        return await connection.hang_up(Failure("protocol", text, code=1009, reason="message too big"))
    except QueueFull:
        return await connection.hang_up(_QUEUE_FULL)
    except TimeoutError:
        text = f"no message for {silence:g} seconds"
        return await connection.cut(Failure("silent", text, code=1001, reason="silence"))
    conversation = connection.conversation
    if conversation is not None:
        conversation.inbox.close()
        try:
            async with asyncio.timeout(GRACE):
                await conversation.is_over.wait()
        except TimeoutError:
            logger.warning("link %s: a conversation outlived its connection, and is cancelled", connection.link.name)
    return failure


async def serve(connection: Connection, reason: str) -> Failure | None:
    """Log in, call the `opened` hooks, come up for a reason, send what was kept, and run a handler of connections.

    Returns why the program has ended the connection, or None if it has not: the reader knows when the peer ends it.
    """
    link, session, conversation = connection.link, connection.session, connection.conversation
    step = "the login"
    try:
        try:
            await _call(link.hooks["login"], connection, link.options.login_timeout)
            await session.release(connection)
            step = "an opened hook"
            await _call(link.hooks["opened"], connection, link.options.opened_timeout)
        except QueueFull:
            return await connection.hang_up(_QUEUE_FULL)
        except BaseException as error:
            return await _close_after(connection, error, step)
        link.come_up(reason)
        if link.handler is None or not session.is_conversation:
            await session.ready(connection)
            return None
        if session.bucket is None:
            await session.ready(connection)
        else:  # by its rate it may take long: the conversation begins meanwhile
            connection.spawn(session.ready(connection))
        try:
            await link.handler.run(connection)
        except BaseException as error:
            failure = await _close_after(connection, error, "the conversation")
            link.counters.failed += failure is not None
            return failure
        if not connection.is_open:
            return None
        return await connection.hang_up(Failure("closed", "the conversation came to its end", code=1000, side="us"))
    finally:
        if conversation is not None:
            conversation.is_over.set()


async def _call(hooks: Iterable[Callable[[Connection], Any]], connection: Connection, within: float | None) -> None:
    async with asyncio.timeout(within):
        for hook in hooks:
            result = hook(connection)
            if inspect.isawaitable(result):
                await result


async def _close_after(connection: Connection, error: BaseException, step: str) -> Failure | None:
    if ends_task(error):
        raise error
    if isinstance(error, LinkDown) and not connection.is_open:  # not of another link that is down as well
        return None
    logger.error("link %s: %s failed", connection.link.name, step, exc_info=error)
    text = f"{step} failed: {type(error).__name__}"
    kind: FailureKind = "login" if step == "the login" else "hook"
    return await connection.hang_up(Failure(kind, text, code=1011, side="us"))


async def finish(connection: Connection) -> None:
    """Wait at most `GRACE` for the tasks of a connection that has ended; then call the `closed` hooks, and wait."""
    link = connection.link
    try:
        if connection.tasks:
            _, late = await asyncio.wait(connection.tasks, timeout=GRACE)
            for task in late:
                logger.warning("link %s: %s goes on although its connection has ended", link.name, task.get_name())
    finally:
        hooks = list(filter(None, (link.run_hook(hook, connection) for hook in link.hooks["closed"])))
    if hooks:
        await asyncio.wait(hooks, timeout=link.options.opened_timeout)
