"""The settings that the driver reads from NoneBot's configuration."""

from typing import Any

from pydantic import BaseModel


class Config(BaseModel):
    """Settings of the driver.

    The `fastapi_*` settings mean the same as for NoneBot's own FastAPI driver, so that a program can change its driver
    and nothing else.

    Args:
        fastapi_openapi_url: Path of the OpenAPI document. None serves none.
        fastapi_docs_url: Path of Swagger UI; needs the document.
        fastapi_redoc_url: Path of ReDoc; needs the document.
        fastapi_include_adapter_schema: Whether the routes of adapters are in the document.
        fastapi_reload: Whether to restart when a file changes; `run` must then be given `app` as an import string.
        fastapi_reload_dirs: Folders to watch. None means the server's default.
        fastapi_reload_delay: Seconds between two checks of the files.
        fastapi_reload_includes: Glob patterns of files to watch.
        fastapi_reload_excludes: Glob patterns of files not to watch.
        fastapi_extra: Further options of the application; see `slipstream.FastAPI`.
        slipstream_type: Value of `driver.type`; "fastapi" for plugins that look for that name.
        slipstream_ws_max_size: Longest WebSocket message to receive, in bytes, on either side; a longer one closes the
            connection with 1009.
        slipstream_ws_ping_interval: Seconds between pings to each peer. None sends none.
        slipstream_ws_ping_timeout: Seconds that a peer has to answer a ping before the connection is closed.
        slipstream_ws_compression: Whether to negotiate permessage-deflate. A compressed connection holds tens of KiB
            more, and each message takes longer; events of a few hundred bytes are not worth it.
        slipstream_http_keepalive: Seconds that an idle outgoing HTTP connection is kept. Many servers close theirs
            after five.
    """

    fastapi_openapi_url: str | None = None
    fastapi_docs_url: str | None = None
    fastapi_redoc_url: str | None = None
    fastapi_include_adapter_schema: bool = True
    fastapi_reload: bool = False
    fastapi_reload_dirs: list[str] | None = None
    fastapi_reload_delay: float = 0.25
    fastapi_reload_includes: list[str] | None = None
    fastapi_reload_excludes: list[str] | None = None
    fastapi_extra: dict[str, Any] = {}
    slipstream_type: str = "slipstream"
    slipstream_ws_max_size: int = 16 * 1024 * 1024
    slipstream_ws_ping_interval: float | None = 20.0
    slipstream_ws_ping_timeout: float | None = 20.0
    slipstream_ws_compression: bool = False
    slipstream_http_keepalive: float = 4.0
