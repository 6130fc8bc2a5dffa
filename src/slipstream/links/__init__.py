"""Links to servers that a program dials, and paths that others dial; see `Links` and docs/links.md.

The libraries that dial (websockets, httpx2) are imported when the first link that needs them is declared.
"""

from slipstream.links.counters import Counters
from slipstream.links.errors import (
    CallTimeout,
    CannotReceive,
    CannotSend,
    LinkDown,
    LinkError,
    MissingLibrary,
    NotRunning,
    OutboxFull,
    WrongHandler,
    WrongSetup,
)
from slipstream.links.health import LinkHealth
from slipstream.links.link import Link
from slipstream.links.links import Links
from slipstream.links.outbox import Dropped
from slipstream.links.rules import Backoff, Failure, Fatal, backoff
from slipstream.links.session import Connection, current_connection
from slipstream.links.setup import TLS, LinkOptions, PollingSetup, Timeouts, WebSocketSetup
from slipstream.links.state import LinkState, Status

__all__ = [
    "TLS",
    "Backoff",
    "CallTimeout",
    "CannotReceive",
    "CannotSend",
    "Connection",
    "Counters",
    "Dropped",
    "Failure",
    "Fatal",
    "Link",
    "LinkDown",
    "LinkError",
    "LinkHealth",
    "LinkOptions",
    "LinkState",
    "Links",
    "MissingLibrary",
    "NotRunning",
    "OutboxFull",
    "PollingSetup",
    "Status",
    "Timeouts",
    "WebSocketSetup",
    "WrongHandler",
    "WrongSetup",
    "backoff",
    "current_connection",
]
