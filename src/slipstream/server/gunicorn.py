"""A worker class for gunicorn: `gunicorn -k slipstream.server.gunicorn.Worker main:app`.

Needs `uvicorn-worker`. gunicorn's `--keep-alive` counts if it is given; its default of 2 seconds does not.
"""

from typing import Any

from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]  # it has no types

from slipstream.server import http_protocol, ws_protocol
from slipstream.server.limits import UVICORNS_IDLE_TIME

_GUNICORNS_IDLE_TIME = 2
"""gunicorn's `keepalive` if nobody sets it: less than any balancer waits."""


class Worker(UvicornWorker):  # type: ignore[misc]  # of no known type
    """uvicorn's worker with slipstream's protocols, and so with `slipstream.server.Limits`."""

    CONFIG_KWARGS: dict[str, Any] = {**UvicornWorker.CONFIG_KWARGS, "http": http_protocol(), "ws": ws_protocol()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.cfg.keepalive == _GUNICORNS_IDLE_TIME:
            self.config.timeout_keep_alive = UVICORNS_IDLE_TIME
