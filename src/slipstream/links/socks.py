"""Close what httpcore2 leaves open when the way through a SOCKS proxy fails: it forgets the connection to the proxy."""

from collections.abc import Mapping
from typing import Any


class Closing:
    """A `trace` extension for one request: follows the connection to the proxy, and closes it when it is of no use."""

    def __init__(self) -> None:
        self._stream: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of a step of httpcore2."""
        if event == "socks.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event in ("socks.setup_socks5_connection.failed", "socks.start_tls.failed"):
            await self._stream.aclose()
