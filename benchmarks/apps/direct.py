"""slipstream, called as `slipstream.server` calls it: the whole body in, a whole response out."""

from typing import Any

from benchmarks.apps import slipstream_app


class Served:
    """An application with its two doors.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        self.direct = app.serve_direct

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve by the direct door, and tell what it replied as ASGI does, for comparison."""
        replied: list[Any] = []

        def reply(status: int, headers: Any, content: bytes, is_complete: bool = False) -> bool:
            length = () if is_complete else ((b"content-length", b"%d" % len(content)),)
            replied.append({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
            replied.append({"type": "http.response.body", "body": content})
            return True

        body = (await receive())["body"]
        await self.direct(scope, receive, send, body, reply)
        for message in replied:
            await send(message)


def build(work: str) -> Served:
    """Make the application for one work."""
    return Served(slipstream_app.build(work))
