"""From an open connection to its end, whoever dialled: hooks, the outbox, the conversation."""

import asyncio
import logging
from typing import Literal

from slipstream.links.connection import Connection
from slipstream.links.errors import LinkDown, ends_task
from slipstream.links.link import Link
from slipstream.links.queue import QueueFull
from slipstream.links.rules import Failure
from slipstream.links.session import Session

GRACE = 1.0
"""Seconds that a conversation may go on after the end of its connection."""

QUEUE_FULL = Failure("closed", "our queue is full", code=1013, side="us", reason="try again later")

logger = logging.getLogger("slipstream.links")


async def serve(link: Link, session: Session, connection: Connection, reason: str) -> Failure:
    """Log in, call the `opened` hooks, come up, send what was kept, and hold the conversation, if there is one.

    Where the connection itself ends first, this waits for ever: whoever reads from it knows why.

    Args:
        link: The link.
        session: The peer's session.
        connection: The connection; somebody reads from it meanwhile.
        reason: What to say when the link comes up.

    Returns:
        Why the program, and not the peer, ended the connection.
    """
    conversation = session.conversation(connection)
    try:
        failure = await _hold(link, session, connection, reason)
    finally:
        if conversation is not None:
            conversation.is_over.set()
    if failure is None:
        await for_ever()
    assert failure is not None
    return failure


async def _hold(link: Link, session: Session, connection: Connection, reason: str) -> Failure | None:
    kind: Literal["login", "hook"] = "login"
    try:
        async with asyncio.timeout(link.options.login_timeout):
            await link.log_in(connection)
        await session.release(connection)
        kind = "hook"
        async with asyncio.timeout(link.options.opened_timeout):
            await link.open(connection)
    except QueueFull:
        return await close(connection, QUEUE_FULL)
    except BaseException as error:
        return await _close_after(link, connection, error, kind)
    link.come_up(reason)
    is_conversation = link.handler is not None and session.is_conversation
    if is_conversation and session.bucket is not None:
        connection.spawn(session.ready(connection))  # what is kept may take long, and the conversation can begin
    else:
        await session.ready(connection)
    if link.handler is None or not is_conversation:
        return None
    try:
        await link.handler.run(connection)
    except BaseException as error:
        link.counters.failed += not _is_over(connection, error)
        return await _close_after(link, connection, error, "conversation")
    if not connection.is_open:
        return None
    return await close(connection, Failure("closed", "the conversation came to its end", code=1000, side="us"))


async def close(connection: Connection, failure: Failure) -> Failure:
    """End a connection for a reason of ours, and return it."""
    await connection.transport.close(failure)
    return failure


async def finish(link: Link, connection: Connection) -> None:
    """Wait at most `GRACE` for the tasks of a connection that has ended; then call the `closed` hooks, and wait."""
    try:
        if connection.tasks:
            _, late = await asyncio.wait(connection.tasks, timeout=GRACE)
            for task in late:
                logger.warning("link %s: %s goes on although its connection has ended", link.name, task.get_name())
    finally:
        hooks = link.close(connection)
    if hooks:
        await asyncio.wait(hooks, timeout=link.options.opened_timeout)


async def last_words(session: Session, connection: Connection, failure: Failure) -> Failure:
    """Let a conversation read what came before the end of its connection; for no longer than `GRACE`."""
    conversation = session.conversation(connection)
    if conversation is not None:
        conversation.inbox.close()
        try:
            async with asyncio.timeout(GRACE):
                await conversation.is_over.wait()
        except TimeoutError:
            logger.warning("link %s: a conversation outlived its connection, and is cancelled", session.link.name)
    return failure


async def for_ever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


async def _close_after(
    link: Link, connection: Connection, error: BaseException, kind: Literal["login", "hook", "conversation"]
) -> Failure | None:
    if ends_task(error):
        raise error
    if _is_over(connection, error):
        return None
    what = {"login": "the login", "hook": "an opened hook", "conversation": "the conversation"}[kind]
    logger.error("link %s: %s failed", link.name, what, exc_info=error)
    text = f"{what} failed: {type(error).__name__}"
    return await close(connection, Failure("login" if kind == "login" else "hook", text, code=1011, side="us"))


def _is_over(connection: Connection, error: BaseException) -> bool:
    """Tell whether an error says no more than that the connection has ended; another link may be down as well."""
    return isinstance(error, LinkDown) and not connection.is_open
