"""The settings that the driver reads from NoneBot's configuration."""

from typing import Any

from pydantic import BaseModel


class Config(BaseModel):
    """Settings of the driver.

    The `fastapi_*` settings mean the same as for NoneBot's own FastAPI driver, so that a program can change its driver
    and nothing else.
    """

    fastapi_openapi_url: str | None = None
    """Path of the OpenAPI document. None serves none."""

    fastapi_docs_url: str | None = None
    """Path of Swagger UI; needs the document."""

    fastapi_redoc_url: str | None = None
    """Path of ReDoc; needs the document."""

    fastapi_include_adapter_schema: bool = True
    """Whether the routes of adapters are in the document."""

    fastapi_reload: bool = False
    """Whether to restart when a file changes; `run` must then be given `app` as an import string."""

    fastapi_reload_dirs: list[str] | None = None
    """Folders to watch. None means the server's default."""

    fastapi_reload_delay: float = 0.25
    """Seconds between two checks of the files."""

    fastapi_reload_includes: list[str] | None = None
    """Glob patterns of files to watch."""

    fastapi_reload_excludes: list[str] | None = None
    """Glob patterns of files not to watch."""

    fastapi_extra: dict[str, Any] = {}
    """Further options of the application; see `slipstream.FastAPI`."""

    slipstream_type: str = "slipstream"
    """Value of `driver.type`; "fastapi" for plugins that look for that name."""

    slipstream_ws_max_size: int = 16 * 1024 * 1024
    """Longest WebSocket message to receive, in bytes, on either side; a longer one closes the connection with 1009."""

    slipstream_ws_ping_interval: float | None = 20.0
    """Seconds between pings to each peer. None sends none."""

    slipstream_ws_ping_timeout: float | None = 20.0
    """Seconds that a peer has to answer a ping before the connection is closed."""

    slipstream_ws_compression: bool = False
    """Whether to negotiate permessage-deflate. A compressed connection holds tens of KiB more, and each message takes
    longer; events of a few hundred bytes are not worth it."""

    slipstream_http_keepalive: float = 4.0
    """Seconds that an idle outgoing HTTP connection is kept. Many servers close theirs after five."""
