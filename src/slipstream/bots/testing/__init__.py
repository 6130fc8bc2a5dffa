"""A fake chat platform for tests: a server to dial and poll, a client that dials; both misbehave as a test says.

Nothing here waits by the clock but for `delay`: `connected()`, `Peer.receive()` and the like wait for events.

    async with FakePlatform() as platform:
        driver.setup_websocket(WebSocketSetup("echo", "1", platform.ws_url))
        peer = await platform.connected()
        await peer.send("hello")
        peer.drop()
"""

from slipstream.bots.testing.peer import (
    Ended as Ended,
    Line as Line,
    Peer as Peer,
    Refused as Refused,
    Session as Session,
)
from slipstream.bots.testing.platform import Answer as Answer, Asked as Asked, FakePlatform as FakePlatform
