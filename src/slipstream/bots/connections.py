"""What adapters see of a connection, whichever library carries it, and what they say about those that we make."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass
class HTTPConnection(ABC):
    """What an HTTP request and the handshake of a WebSocket have in common."""

    http_version: str
    """"1.0", "1.1" or "2"."""
    scheme: str
    """Scheme of the URL: "http", "https", "ws" or "wss"."""
    path: str
    """Path of the URL, decoded, without the query."""
    query_string: bytes = b""
    """What follows the `?` of the URL, percent-encoded."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers by lower-case name; of several with one name, the last."""

    @property
    @abstractmethod
    def type(self) -> str:
        """Kind of the connection: "http" or "websocket"."""


@dataclass
class HTTPRequest(HTTPConnection):
    """An HTTP request."""

    method: str = "GET"
    """Method, in capitals."""
    body: bytes = b""
    """Body."""

    @property
    def type(self) -> str:
        """Always "http"."""
        return "http"


@dataclass
class HTTPResponse:
    """An answer to a request."""

    status: int
    """HTTP status."""
    body: bytes | None = None
    """Body; None: none."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers by lower-case name, sent in their order."""

    @property
    def type(self) -> str:
        """Always "http"."""
        return "http"


@dataclass
class WebSocket(HTTPConnection, ABC):
    """A WebSocket, dialled by either side; who receives or sends after its end gets `WebSocketClosed`."""

    @property
    def type(self) -> str:
        """Always "websocket"."""
        return "websocket"

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the connection has ended, or not begun."""

    @abstractmethod
    async def accept(self) -> None:
        """Accept the connection."""

    @abstractmethod
    async def close(self, code: int) -> None:
        """Close the connection with a code of RFC 6455, section 7.4."""

    @abstractmethod
    async def receive(self) -> str:
        """Wait for the next message, as text."""

    @abstractmethod
    async def receive_bytes(self) -> bytes:
        """Wait for the next message, as bytes."""

    @abstractmethod
    async def send(self, data: str) -> None:
        """Send a text message."""

    @abstractmethod
    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""


@dataclass
class HTTPPollingSetup:
    """An HTTP server that is asked again and again."""

    adapter: str
    """Name of the adapter."""
    self_id: str
    """Id of the bot."""
    url: str
    """URL to ask."""
    method: str
    """HTTP method."""
    body: bytes
    """Body of the request."""
    headers: dict[str, str]
    """Headers of the request."""
    http_version: str
    """"1.0", "1.1" or "2"."""
    poll_interval: float
    """Seconds between an answer and the next request."""


@dataclass
class WebSocketSetup:
    """A WebSocket server that is dialled."""

    adapter: str
    """Name of the adapter."""
    self_id: str
    """Id of the bot."""
    url: str
    """URL to dial."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the handshake."""
    reconnect_interval: float = 3.0
    """Longest wait before the first new attempt, in seconds; it grows from there, see `Driver.setup_websocket`."""


HTTPPOLLING_SETUP: TypeAlias = HTTPPollingSetup | Callable[[], Awaitable[HTTPPollingSetup]]
"""A setup, or what is asked for one at each request."""

WEBSOCKET_SETUP: TypeAlias = WebSocketSetup | Callable[[], Awaitable[WebSocketSetup]]
"""A setup, or what is asked for one at each connection."""
