"""How links are, as data and as metrics."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from slipstream.applications import FastAPI
from slipstream.links.counters import Counters
from slipstream.links.link import Link
from slipstream.links.redact import HIDDEN
from slipstream.links.rules import Failure
from slipstream.links.setup import LinkKind
from slipstream.links.state import LinkState, Moment

_HARMLESS = frozenset({"content-length", "content-type", "date", "retry-after", "server", "via"})

_GAUGES = {
    "up": "Whether the link is up.",
    "connections": "Open connections.",
    "waiting": "Events that wait for the handler or are being handled.",
    "outbox": "Messages kept until the link is up.",
    "ups_total": "Times that the link came up.",
    "failures_total": "Attempts and connections that ended in failure.",
}


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """One link at one time.

    Args:
        name: Its name.
        kind: "websocket", "polling", "accepted" or "webhook".
        target: Address without secrets, or path.
        state: Where it stands.
        reason: Why.
        since: When it came there.
        retry_at: When it will dial again, if it waits.
        last_up: When it was last known to be up.
        attempt: Which attempt this is since then.
        ups: How often it came up.
        failures: How many attempts and connections ended in failure.
        failure: Why the latest of them did, as `Failure` has it, without what may hold secrets: the values of headers
            that are not known to be harmless, the body (its size is there), the close reason (`text` has it).
        latency: Seconds from the last ping to its answer.
        connections: Open connections.
        waiting: Events that wait for the handler or are being handled.
        high_water: Most events that ever waited.
        outbox: Messages kept until the link is up.
        counters: What has been counted.
    """

    name: str
    kind: LinkKind
    target: str
    state: LinkState
    reason: str
    since: datetime
    retry_at: datetime | None
    last_up: datetime | None
    attempt: int
    ups: int
    failures: int
    failure: dict[str, Any] | None
    latency: float | None
    connections: int
    waiting: int
    high_water: int
    outbox: int
    counters: Counters

    def as_dict(self) -> dict[str, Any]:
        """Give the facts as JSON has them."""
        facts = asdict(self)
        for name in ("since", "retry_at", "last_up"):
            facts[name] = facts[name].isoformat() if facts[name] is not None else None
        return {**facts, "state": self.state.value}


def health_of(link: Link, now: Moment) -> LinkHealth:
    """Tell how a link is."""
    status, sessions = link.status, link.sessions.values()
    is_up = status.state is LinkState.UP
    return LinkHealth(
        name=link.name,
        kind=link.kind,
        target=link.runner.target,
        since=_date(status.since),
        retry_at=_date(status.retry_at) if status.retry_at else None,
        last_up=_date(now) if is_up else _date(status.last_up) if status.last_up else None,
        **{name: getattr(status, name) for name in ("state", "reason", "attempt", "ups", "failures")},
        failure=_shown(status.failure) if status.failure else None,
        latency=link.latency,
        connections=len(link.connections),
        waiting=link.waiting,
        high_water=max((inbox.high_water for session in sessions for inbox in session.inboxes), default=0),
        outbox=sum(len(session.outbox) for session in sessions),
        counters=link.counters,
    )


def exposition(healths: Iterable[LinkHealth]) -> str:
    """Write gauges and counters in Prometheus' text format, version 0.0.4."""
    every = list(healths)
    lines: list[str] = []
    for gauge, text in _GAUGES.items():
        kind = "counter" if gauge.endswith("_total") else "gauge"
        lines += [f"# HELP slipstream_link_{gauge} {text}", f"# TYPE slipstream_link_{gauge} {kind}"]
        lines += [f"slipstream_link_{gauge}{_labels(each)} {_gauge(each, gauge)}" for each in every]
    name = "slipstream_link_state"
    lines += [f"# HELP {name} 1 for the state that the link is in.", f"# TYPE {name} gauge"]
    for each in every:
        lines += [f"{name}{_labels(each, state=state.value)} {int(each.state is state)}" for state in LinkState]
    name = "slipstream_link_events_total"
    lines += [f"# HELP {name} What was counted, by outcome.", f"# TYPE {name} counter"]
    for each in every:
        counted = asdict(each.counters)
        lines += [f"{name}{_labels(each, outcome=outcome)} {number}" for outcome, number in counted.items()]
    return "\n".join(lines) + "\n"


class HealthSource(Protocol):
    """What the routes read."""

    @property
    def is_healthy(self) -> bool:
        """Whether no link has failed."""

    def health(self) -> list[LinkHealth]:
        """Tell how each link is."""

    def metrics(self) -> str:
        """Write state and counters in Prometheus' text format."""


def add_health_routes(app: FastAPI, links: HealthSource, path: str, metrics: str | None) -> None:
    """Serve health as JSON, 503 for the unhealthy, and metrics as text; see `Links.serve_health`."""

    async def health(request: Request) -> Response:
        is_healthy = links.is_healthy
        content = {"healthy": is_healthy, "links": [each.as_dict() for each in links.health()]}
        return JSONResponse(content, status_code=200 if is_healthy else 503)

    async def text(request: Request) -> Response:
        return PlainTextResponse(links.metrics(), media_type="text/plain; version=0.0.4")

    app.add_route(path, health, include_in_schema=False)
    if metrics is not None:
        app.add_route(metrics, text, include_in_schema=False)


def _shown(failure: Failure) -> dict[str, Any]:
    names = ("kind", "side", "text", "status", "code", "retry_after", "is_final")
    headers = {name: text if name in _HARMLESS else HIDDEN for name, text in failure.headers.items()}
    facts = {name: getattr(failure, name) for name in names}
    return {**facts, "headers": headers, "body_size": len(failure.body)}


def _gauge(health: LinkHealth, name: str) -> int:
    if name == "up":
        return int(health.state is LinkState.UP)
    value: int = getattr(health, name.removesuffix("_total"))
    return value


def _labels(health: LinkHealth, **more: str) -> str:
    labels = {"link": health.name, "kind": health.kind, **more}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _date(moment: Moment) -> datetime:
    return datetime.fromtimestamp(moment.wall, UTC)
