"""The functions that an application calls for a request, looked up again after a change."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, cast

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.observing import Observer
from slipstream._app.refresh import Latest, is_as_written
from slipstream._app.stack import SoleGuard, are_replaced
from slipstream._engine.entry.asgi import Choose, Target
from slipstream._engine.entry.guard import HandlerPair
from slipstream._engine.types import Fail, Reply


@dataclass(frozen=True, slots=True)
class Door:
    """The functions that an application calls for a request; `choose_direct` is for the direct door."""

    choose: Choose
    choose_direct: Choose
    fail: Fail
    handlers: HandlerPair = ({}, {})
    """Exception handlers of an application without middleware."""


class Enterable(Protocol):
    """The application as its entrance uses it."""

    observer: Observer

    @property
    def root_path(self) -> str: ...
    @property
    def middleware_stack(self) -> ASGIApp | None: ...
    def build_middleware_stack(self) -> ASGIApp: ...


class Entrance(Latest[Door]):
    """The current door of an application."""

    def __init__(self, app: Enterable) -> None:
        super().__init__(self._open)
        self._app = app
        self._built: tuple[ASGIApp | None, bool] = None, False
        """The stack that was built here, and whether it is Starlette's own."""

    def enter(self, scope: Scope) -> Door:
        """Return the door for a scope; called for each until the first request, and after a change."""
        is_decided = self._app.observer.decide(scope)
        door = self.get()
        if not is_decided:
            self.expire()
        return door

    def _open(self) -> Door:
        app = self._app
        stack, is_replaced = app.middleware_stack, are_replaced()
        built, was_replaced = self._built
        if stack is None or (stack is built and is_replaced != was_replaced):
            stack = vars(app)["middleware_stack"] = app.build_middleware_stack()  # not counted as a change
            self._built = stack, are_replaced()
        if not is_as_written(Starlette, "__call__"):  # Sentry's is not
            stack = partial(Starlette.__call__, cast(Starlette, app))
        door = door_of(app.observer.around(stack), app.root_path)
        return replace(door, choose=app.observer.lifespans(door.choose))


def door_of(stack: ASGIApp, root_path: str = "") -> Door:
    """Return the door of a stack, that of a `SoleGuard` to the routes' handlers; a root path replaces the server's."""
    fail: Fail = raise_again
    handlers: HandlerPair = ({}, {})
    if isinstance(stack, SoleGuard):
        (choose, choose_direct), fail = stack.choosers.get(), stack.fail
        handlers = stack.registered.guard.pair
    else:
        target = Target(None, None, stack)
        choose = choose_direct = lambda scope: target
    if root_path:
        choose = choose_direct = rooted(choose, root_path)
    return Door(choose, choose_direct, fail, handlers)


async def raise_again(
    exc: Exception, scope: Scope, receive: Receive, send: Send, *, reply: Reply | None = None
) -> None:
    """Raise an exception: the `fail` of a stack that answers exceptions itself."""
    raise exc


def rooted(choose: Choose, root_path: str) -> Choose:
    """Write a root path into the scope before `choose` reads it."""

    def write_and_choose(scope: Scope) -> Target:
        scope["root_path"] = root_path
        return choose(scope)

    return write_and_choose
