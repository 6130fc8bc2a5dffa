"""What keeps a link up, and what its sessions and connections know of it: status, options, counters, hooks."""

import asyncio
import inspect
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from slipstream.links.counters import Counters
from slipstream.links.errors import ends_task, logger
from slipstream.links.handlers import Handler
from slipstream.links.outbox import Dropped
from slipstream.links.redact import described
from slipstream.links.rules import Failure
from slipstream.links.setup import LinkKind, LinkOptions, Options
from slipstream.links.state import LinkState, Moment, Status, moved
from slipstream.links.supervise import Home, Restart

_LEVELS = {LinkState.BACKING_OFF: logging.WARNING, LinkState.FAILED: logging.ERROR, LinkState.CONNECTING: logging.DEBUG}


class LinkCore:
    """The base of `Link`."""

    name: str
    kind: ClassVar[LinkKind]
    target: str
    """Address without secrets, or path."""
    dials: ClassVar = False

    def __init__(self, home: Home, options: LinkOptions) -> None:
        self.home, self.clock, self.options = home, home.clock, Options.of(options)
        self.counters = Counters()
        self.handler: Handler | None = None
        self.latency: float | None = None
        self.status = Status(LinkState.CLOSED, home.clock.now())
        self.is_stopping = False
        self.hooks_under_way: set[asyncio.Task[Any]] = set()
        self.main: asyncio.Task[Any] | None = None
        self.revival = Restart()
        self._change: asyncio.Future[None] | None = None
        self.hooks: Mapping[str, list[Callable[..., Any]]] = defaultdict(list)
        """Functions of the program by when they are called: "login", "opened", "closed", "on_change", "on_drop"."""

    def __repr__(self) -> str:
        return f"<Link {self.name} {self.kind} {self.status.state}: {self.status.reason}>"

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self.status.state

    async def run(self) -> None:
        """Keep the link up until it is stopped."""
        self.come_up(f"serving {self.target}")

    async def wait_for(self, *states: LinkState) -> Status:
        """Wait until the link is in one of the states."""
        while self.status.state not in states:
            if self._change is None:
                self._change = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._change)
        return self.status

    def restart(self) -> None:
        """Dial now, in whatever state, and forget the failures so far.

        An open connection, or an attempt under way, is ended first (1001). A link that others dial has nothing to
        dial: it leaves "failed", and is otherwise unchanged.
        """
        self.revival.set()

    def new_id(self) -> str:
        """Return a name for a connection, which no other has, even if a link is removed and another takes its name."""
        return f"{self.name}#{next(self.home.numbers[self.name])}"

    def move(
        self,
        state: LinkState,
        reason: str,
        failure: Failure | None = None,
        wait: float | None = None,
        now: Moment | None = None,
    ) -> None:
        """Set a new status (see `moved`), log it, call the hooks, and wake the tasks that wait for it."""
        old = self.status
        new = self.status = moved(old, state, now or self.clock.now(), reason, failure, wait)
        if old.state is not new.state:
            due = f", again in {new.retry_at.monotonic - new.since.monotonic:.2f} s" if new.retry_at else ""
            logger.log(
                _LEVELS.get(new.state, logging.INFO), "link %s: %s (%s)%s", self.name, new.state, new.reason, due
            )
        change, self._change = self._change, None
        if change is not None:
            change.set_result(None)
        for hook in (*self.hooks["on_change"], *self.home.hooks):
            self.run_hook(hook, self, old, new)

    def come_up(self, reason: str) -> None:
        """Note that events can come in."""
        if self.status.state is not LinkState.UP and not self.is_stopping:
            self.move(LinkState.UP, reason)

    async def keep_up(self) -> None:
        """Run until stopped; an error makes the link "failed", until `restart`."""
        while True:
            try:
                await self.run()
                return
            except BaseException as error:
                if ends_task(error):
                    raise
                if self.is_stopping:
                    return
                self._fail(error)
            await self.revival.wait()

    def _fail(self, error: BaseException) -> None:
        self.revival.clear()
        logger.critical("link %s: it cannot go on", self.name, exc_info=error)
        try:
            now = self.clock.now()
        except Exception:  # the clock may be what failed
            now = self.status.since
        text = described(error)
        if self.status.state is not LinkState.FAILED:
            self.move(LinkState.FAILED, text, Failure("error", text, side="us"), now=now)

    def report_dropped(self, dropped: list[Dropped]) -> None:
        """Count and log messages that an outbox dropped, and call the hooks."""
        if not dropped:
            return
        self.counters.outbox_dropped += len(dropped)
        logger.warning(
            "link %s: %d messages will not be sent (%s), %d bytes",
            self.name,
            len(dropped),
            ", ".join(sorted({each.reason for each in dropped})),
            sum(each.size for each in dropped),
        )
        for hook in self.hooks["on_drop"]:
            self.run_hook(hook, self, dropped)

    def run_hook(self, hook: Callable[..., Any], *args: Any) -> "asyncio.Task[Any] | None":
        """Call a hook, and return its task if it is async; its errors are logged."""
        try:
            result = hook(*args)
        except BaseException as error:
            if ends_task(error):
                raise
            self._hook_failed(error)
            return None
        if not inspect.isawaitable(result):
            return None
        task = self.home.spawn(result, f"links: {self.name} hook", self._hook_failed, self)
        self.hooks_under_way.add(task)
        task.add_done_callback(self.hooks_under_way.discard)
        return task

    def _hook_failed(self, error: BaseException) -> None:
        logger.error("link %s: a hook failed", self.name, exc_info=error)
