"""How links are, as data and as metrics."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from slipstream.links.counters import Counters
from slipstream.links.link import Link
from slipstream.links.redact import HIDDEN
from slipstream.links.rules import Failure
from slipstream.links.setup import LinkKind
from slipstream.links.state import LinkState, Moment

_HARMLESS = frozenset({"content-length", "content-type", "date", "retry-after", "server", "via"})

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """One link at one time.

    Args:
        target: Address without secrets, or path.
        failure: Why the latest attempt or connection ended, as `Failure` has it, without what may hold secrets: the
            values of headers that are not known to be harmless, the body (its size is there), the close reason.
        latency: Seconds from the last ping to its answer.
        high_water: Most events that ever waited.

    The other fields are those of `Status` and `Link`, and what the metrics say.
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
        """Return the facts as JSON has them."""
        facts = asdict(self)
        for name in ("since", "retry_at", "last_up"):
            facts[name] = facts[name].isoformat() if facts[name] is not None else None
        return {**facts, "state": self.state.value}


def health_of(link: Link, now: Moment) -> LinkHealth:
    """Describe a link."""
    status, sessions = link.status, link.sessions.values()
    is_up = status.state is LinkState.UP
    return LinkHealth(
        name=link.name,
        kind=link.kind,
        target=link.target,
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


_FAMILIES: tuple[tuple[str, str, Callable[[LinkHealth], dict[str, int]]], ...] = (
    ("up", "Whether the link is up.", lambda link: {"": link.state is LinkState.UP}),
    ("connections", "Open connections.", lambda link: {"": link.connections}),
    ("waiting", "Events that wait for the handler or are being handled.", lambda link: {"": link.waiting}),
    ("outbox", "Messages kept until the link is up.", lambda link: {"": link.outbox}),
    ("ups_total", "Times that the link came up.", lambda link: {"": link.ups}),
    ("failures_total", "Attempts and connections that ended in failure.", lambda link: {"": link.failures}),
    (
        "state",
        "1 for the state that the link is in.",
        lambda link: {f',state="{state.value}"': link.state is state for state in LinkState},
    ),
    (
        "events_total",
        "What was counted, by outcome.",
        lambda link: {f',outcome="{outcome}"': number for outcome, number in asdict(link.counters).items()},
    ),
)
"""Metrics: name, text, and the numbers of a link by what the labels say beside its name and kind."""


def exposition(healths: Iterable[LinkHealth]) -> str:
    """Write gauges and counters in Prometheus' text format, version 0.0.4."""
    every = [(each, f'link="{each.name.translate(_ESCAPES)}",kind="{each.kind}"') for each in healths]
    lines: list[str] = []
    for name, text, numbers in _FAMILIES:
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# HELP slipstream_link_{name} {text}", f"# TYPE slipstream_link_{name} {kind}"]
        for link, labels in every:
            lines += [f"slipstream_link_{name}{{{labels}{more}}} {value:d}" for more, value in numbers(link).items()]
    return "\n".join(lines) + "\n"


def _shown(failure: Failure) -> dict[str, Any]:
    names = ("kind", "side", "text", "status", "code", "retry_after", "is_final")
    headers = {name: text if name in _HARMLESS else HIDDEN for name, text in failure.headers.items()}
    facts = {name: getattr(failure, name) for name in names}
    return {**facts, "headers": headers, "body_size": len(failure.body)}


def _date(moment: Moment) -> datetime:
    return datetime.fromtimestamp(moment.wall, UTC)
