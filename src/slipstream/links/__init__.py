"""Links to servers that a program dials, and paths that others dial; see `Links` and docs/links.md.

The libraries that dial (websockets, httpx2) are imported when the first link that needs them is declared.
"""

from slipstream.links.counters import Counters as Counters
from slipstream.links.errors import (
    CallTimeout as CallTimeout,
    CannotReceive as CannotReceive,
    CannotSend as CannotSend,
    LinkDown as LinkDown,
    LinkError as LinkError,
    MissingLibrary as MissingLibrary,
    NotRunning as NotRunning,
    OutboxFull as OutboxFull,
    WrongHandler as WrongHandler,
    WrongSetup as WrongSetup,
)
from slipstream.links.health import LinkHealth as LinkHealth
from slipstream.links.link import Link as Link
from slipstream.links.links import Links as Links
from slipstream.links.outbox import Dropped as Dropped
from slipstream.links.rules import Backoff as Backoff, Failure as Failure, Fatal as Fatal, backoff as backoff
from slipstream.links.session import Connection as Connection, current_connection as current_connection
from slipstream.links.setup import (
    TLS as TLS,
    LinkOptions as LinkOptions,
    PollingSetup as PollingSetup,
    Timeouts as Timeouts,
    WebSocketSetup as WebSocketSetup,
)
from slipstream.links.state import LinkState as LinkState, Status as Status
