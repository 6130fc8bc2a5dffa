"""What span and log processors may look at while a request is served; none of it is exported by itself."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.websockets import WebSocket

SCOPE_KEY = "fastapi.telemetry"
"""Key of the observation in a scope; None for a request that is not recorded. The name is FastAPI's: middleware of
other packages that records requests itself sets None, and ours does for an excluded path and what is mounted there."""

CONTEXT_KEY = "slipstream.observation"
"""Key under which an OpenTelemetry context holds the observation of its request."""


@dataclass(kw_only=True)
class TelemetryData:
    """What is known of one request or connection so far; to be read, not changed.

    Values are what the client sent and the program made of it: leave out or redact before anything is exported.
    """

    request: Request[Any] | None = None
    """The request, from when its path operation begins."""

    websocket: WebSocket | None = None
    """The connection, from when its endpoint's dependencies begin."""

    body: Any = None
    """The body as it was read, before validation: parsed JSON, a form, bytes, or the text that is not JSON."""

    values: dict[str, Any] | None = None
    """The endpoint's arguments by parameter name, from when its dependencies are solved."""

    errors: Sequence[Any] | None = None
    """What was wrong with the request, with the input; empty where nothing was."""


def get_telemetry_data(context: Any = None) -> TelemetryData | None:
    """Return what is known of the request that an OpenTelemetry context belongs to; None takes the current context.

    It is None outside of requests, for requests that nobody observes, and once the request is over, even for a context
    that was kept.
    """
    contexts = sys.modules.get("opentelemetry.context")
    if contexts is None:
        return None  # never imported, so nothing is observed
    observation = contexts.get_value(CONTEXT_KEY, context)
    data: TelemetryData | None = getattr(observation, "data", None)
    return data
