"""What a connection may cost the server, and how its workers are watched: sizes, numbers and times."""

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

VARIABLE: Final = "SLIPSTREAM_SERVER"
"""Environment variable by which `slipstream run` gives limits and settings of the log to its processes, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the server on connections and requests; sizes are in bytes, times in seconds.

    Times are looked at once a second, so that up to a second more passes. 0 is no limit.

    Raises:
        ValueError: A number is below 0, or the origins are no sequence of texts.
    """

    request_line: int = 8192
    """Method, target and version of a request; longer: 414. nginx, Apache and Kestrel have 8 KiB too."""

    header_line: int = 8192
    """Name and value of one header; longer: 431."""

    header_count: int = 100
    """Headers of a request; more: 431. As Kestrel and Apache."""

    head_size: int = 32768
    """Request line and headers together; longer: 431. As nginx and Kestrel."""

    head_time: float = 10
    """From the first byte of a head, or from the start of a connection, to the end of the head: 408 and the end."""

    body_silence: float = 30
    """Without a byte of a body that is being waited for: 408 and the end."""

    body_rate: float = 240
    """Bytes a second of a body, on average, after `body_grace`; slower: 408 and the end. As Kestrel."""

    body_grace: float = 5
    """How long a body may be slower than `body_rate`."""

    handshake_time: float = 10
    """From a WebSocket's request to the application's answer: 503."""

    websocket_origins: tuple[str, ...] = ()
    """Origins, such as `https://example.org`, from whose pages WebSockets may be opened; others: 403. None: from any.
    With or without cookies, whatever the application's own `websocket_origins` says (docs/limits.md)."""

    idle_time: float = 75
    """Between two requests. Balancers wait 60: one that closes later than the server loses requests."""

    write_time: float = 10
    """Without a byte taken by a client for whom there is something to send: the end."""

    connections: int = 10_000
    """Open connections of a process; one more gets a 503."""

    connections_by_address: int = 0
    """Of these, from one address; one more gets a 503. 0, since clients behind a proxy share its address."""

    requests: int = 0
    """Requests under way in a process; one more gets a 503 with a Retry-After."""

    def __post_init__(self) -> None:
        origins: Any = self.websocket_origins
        if isinstance(origins, str) or not all(isinstance(each, str) for each in origins):
            raise ValueError(f"websocket_origins is {origins!r}\n  write a tuple of origins: ('https://example.org',)")
        object.__setattr__(self, "websocket_origins", tuple(origins))
        for field in fields(self):
            if field.name == "websocket_origins":
                continue
            value = getattr(self, field.name)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
                raise ValueError(f"{field.name} is {value!r}\n  write a number from 0 on; 0 is no limit")


UVICORNS_IDLE_TIME: Final = 5
"""What uvicorn's `timeout_keep_alive` is if nobody sets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `slipstream run` tells the protocols in its processes."""

    limits: Limits = Limits()
    log_format: str = ""
    """How to write the access log: "text", "json", or "" for what the logger `uvicorn.access` does."""

    health: tuple[str, ...] = ()
    """Paths of liveness and of readiness, which the server answers itself."""

    def to_environment(self) -> None:
        """Leave the settings to this process and those that it starts."""
        os.environ[VARIABLE] = json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How workers are watched and replaced; times are in seconds, 0 of a limit is none."""

    graceful_time: float = 10
    """For what is under way when a worker has to end; then it is cancelled."""

    lame_duck: float = 5
    """Of `graceful_time`, for idle connections to send one request more, which is answered with Connection: close."""

    reload_timeout: float = 60
    """For a replacement to start; a first start may take any time."""

    worker_timeout: float = 30
    """Without an answer of a worker's loop, before the worker is ended and replaced."""

    limit_max_requests: int = 0
    """Requests that a worker serves before it is replaced."""

    limit_max_requests_jitter: int = 0
    """At most so many more, drawn for each worker."""

    limit_max_age: float = 0
    """After its start, before a worker is replaced."""

    limit_max_age_jitter: float = 0
    """At most so much later, drawn for each worker."""


def settings_for(config: Any) -> Settings:
    """Return the settings in the environment, and what uvicorn's configuration says about the same.

    Raises:
        ValueError: The environment has something else.
    """
    try:
        given = json.loads(os.environ.get(VARIABLE) or "{}")
        converted = {"limits": Limits(**given.get("limits", {})), "health": tuple(given.get("health", ()))}
        settings = Settings(**{**given, **converted})
    except (TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{VARIABLE} is {os.environ[VARIABLE]!r}: {error}") from error
    changes: dict[str, Any] = {}
    if config.timeout_keep_alive != UVICORNS_IDLE_TIME:
        changes["idle_time"] = config.timeout_keep_alive
    if config.limit_concurrency is not None:
        changes["requests"] = config.limit_concurrency
    return replace(settings, limits=replace(settings.limits, **changes))
