"""What can go wrong with a link, said to the program that uses it, or in the log."""

import asyncio
import logging
from dataclasses import dataclass

from slipstream.exceptions import DefinitionError, SlipstreamError

logger = logging.getLogger("slipstream.links")


class LinkError(SlipstreamError):
    """Root of the errors of links."""


@dataclass(eq=False)
class MissingLibrary(LinkError, ImportError):
    """A library that dials, or helps to, is not installed; `extra` brings it."""

    library: str
    purpose: str
    extra: str = "links"
    text = "{purpose} needs the package {library!r}: pip install 'slipstream[{extra}]'"


@dataclass(eq=False)
class WrongHandler(LinkError, DefinitionError):
    """A function cannot handle the events of a link as it is written."""

    link: str
    handler: str
    claim: str
    text = (
        "{handler} cannot handle the events of link {link!r}: {claim}\n"
        "  write (connection: Connection, event: SomeType), either or both, and Depends() for anything else"
    )


@dataclass(eq=False)
class WrongSetup(LinkError, DefinitionError, ValueError):
    """A setting is out of its range, or two of them contradict each other."""

    setting: str
    value: object
    expected: str
    text = "{setting}={value!r} is not possible: expected {expected}"


@dataclass(eq=False)
class NotRunning(LinkError, RuntimeError):
    """Something was asked of a link whose supervisor is not running."""

    link: str
    text = (
        "link {link!r} is not running\n"
        "  its supervisor runs under the application's lifespan: serve the application,\n"
        "  write `with TestClient(app):`, or `async with links.running():` where there is no application"
    )


@dataclass(eq=False)
class LinkDown(LinkError, ConnectionError):
    """A connection ended, or was not there, when something had to go through it.

    `code` is a WebSocket close code, or None where there was none.
    """

    link: str
    reason: str
    code: int | None = None
    text = "link {link!r} is down: {reason}"


@dataclass(eq=False)
class OutboxFull(LinkError):
    """An outbox with the policy "refuse" has no room for a message."""

    link: str
    messages: int
    size: int
    text = "the outbox of link {link!r} is full: {messages} messages, {size} bytes"


@dataclass(eq=False)
class CallTimeout(LinkError, TimeoutError):
    """No reply came in time; the peer may have acted all the same."""

    link: str
    timeout: float
    text = "no reply on link {link!r} within {timeout:g} seconds"


@dataclass(eq=False)
class CannotSend(LinkError):
    """The kind of a link has no way to send."""

    link: str
    kind: str
    text = "link {link!r} is of kind {kind!r}, and nothing can be sent through it now"


@dataclass(eq=False)
class CannotReceive(LinkError):
    """The messages of a connection go elsewhere than to `receive`."""

    link: str
    connection: str
    text = (
        "nothing can be received from connection {connection} of link {link!r} here\n"
        "  its messages go to the link's handler, one by one: receive in a `login` function, before they do,\n"
        "  or write a handler without an event, which holds the whole connection"
    )


def ends_task(error: BaseException) -> bool:
    """Return whether an error must end the task that catches it.

    That is the end of the process, or the cancellation of the task itself. Everything else that a function of the
    program raises is a failure of that function, even where it is no `Exception`.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt | SystemExit)
