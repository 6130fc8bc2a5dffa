"""Drivers: what carries bytes between peers and bots, and what adapters see of it.

`slipstream.bots.drivers.fastapi` is the driver to use.
"""

from slipstream.bots.connections import (
    HTTPPOLLING_SETUP as HTTPPOLLING_SETUP,
    WEBSOCKET_SETUP as WEBSOCKET_SETUP,
    HTTPConnection as HTTPConnection,
    HTTPPollingSetup as HTTPPollingSetup,
    HTTPRequest as HTTPRequest,
    HTTPResponse as HTTPResponse,
    WebSocket as WebSocket,
    WebSocketSetup as WebSocketSetup,
)
from slipstream.bots.drivers.base import (
    Driver as Driver,
    ForwardDriver as ForwardDriver,
    ReverseDriver as ReverseDriver,
)
