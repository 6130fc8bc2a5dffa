"""From an open connection to its end, whoever dialled: hooks, the outbox, the conversation."""

import asyncio
import logging

from slipstream.links.connection import Connection
from slipstream.links.errors import LinkDown, ends_task
from slipstream.links.link import Link
from slipstream.links.rules import Failure
from slipstream.links.session import Session

GRACE = 1.0
"""Seconds that a conversation may go on after the end of its connection."""

logger = logging.getLogger("slipstream.links")


async def serve(link: Link, session: Session, connection: Connection, reason: str) -> Failure:
    """Call the `opened` hooks, come up, send what was kept, and hold the conversation, if the handler holds one.

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
    try:
        async with asyncio.timeout(link.options.opened_timeout):
            await link.open(connection)
    except LinkDown:
        return None
    except BaseException as error:
        if ends_task(error):
            raise
        return await _close_after(link, connection, error, "an opened hook failed")
    link.come_up(reason)
    await session.ready(connection)
    if link.handler is None or not session.is_conversation:
        return None
    try:
        await link.handler.run(connection)
    except LinkDown:
        return None
    except BaseException as error:
        if ends_task(error):
            raise
        link.counters.failed += 1
        return await _close_after(link, connection, error, "the conversation failed")
    if not connection.is_open:
        return None
    await connection.close()
    return Failure("closed", "the conversation came to its end", code=1000, side="us")


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


async def _close_after(link: Link, connection: Connection, error: BaseException, what: str) -> Failure:
    logger.error("link %s: %s", link.name, what, exc_info=error)
    await connection.close(1011)
    return Failure("hook", f"{what}: {type(error).__name__}", code=1011, side="us")
