"""The settings that the driver reads from NoneBot's configuration."""

from typing import Any

from pydantic import BaseModel


class Config(BaseModel):
    """Settings of the driver.

    The `fastapi_*` ones mean what they mean to NoneBot's own FastAPI driver, so a program may change
    its driver and nothing else.
    """

    fastapi_openapi_url: str | None = None
    """Path of the OpenAPI document. `None` serves none."""

    fastapi_docs_url: str | None = None
    """Path of Swagger UI; needs the document."""

    fastapi_redoc_url: str | None = None
    """Path of ReDoc; needs the document."""

    fastapi_include_adapter_schema: bool = True
    """Whether the routes of adapters are in the document."""

    fastapi_reload: bool = False
    """Whether to restart when a file changes; `run` must then be given `app` as an import string."""

    fastapi_reload_dirs: list[str] | None = None
    """Folders to watch. `None` means the server's default."""

    fastapi_reload_delay: float = 0.25
    """Pause between two looks at the files, in seconds."""

    fastapi_reload_includes: list[str] | None = None
    """Glob patterns of files to watch."""

    fastapi_reload_excludes: list[str] | None = None
    """Glob patterns of files not to watch."""

    fastapi_extra: dict[str, Any] = {}
    """Further options of the application; see `slipstream.FastAPI`."""

    slipstream_type: str = "slipstream"
    """What `driver.type` says. Plugins that ask for "fastapi" by name can be given that."""

    slipstream_ws_max_size: int = 16 * 1024 * 1024
    """Longest WebSocket message that is taken, in bytes, on either side; a longer one ends with 1009."""

    slipstream_ws_ping_interval: float | None = 20.0
    """Seconds between pings to each peer. `None` sends none."""

    slipstream_ws_ping_timeout: float | None = 20.0
    """Seconds that a peer has to answer a ping before the connection is given up."""

    slipstream_ws_compression: bool = False
    """Whether to negotiate permessage-deflate. With a peer that takes part, each link holds tens of KiB more, and
    every message takes the library's longer way; events of a few hundred bytes are not worth it."""

    slipstream_http_keepalive: float = 4.0
    """Seconds that an idle outgoing HTTP connection is kept for the next request to the same host. Many servers
    close theirs after five."""
