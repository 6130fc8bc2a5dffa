"""The way into an application: opened when something has changed, and then one comparison a request."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, cast

from starlette.applications import Starlette
from starlette.types import ASGIApp, Scope

from slipstream._app.fail import raise_again
from slipstream._app.observing import Observer
from slipstream._app.refresh import Latest
from slipstream._app.stack import SoleGuard
from slipstream._engine.entry.asgi import Choose, Fail, Target

_STARLETTES_OWN = Starlette.__call__
"""Packages that watch applications, such as Sentry, put a function of theirs in its place."""


@dataclass(frozen=True, slots=True)
class Door:
    """What an application does with a request.

    Args:
        choose: Says who serves it, and completes its scope.
        choose_direct: Says who serves it when it comes by the direct door.
        fail: Answers an exception.
    """

    choose: Choose
    choose_direct: Choose
    fail: Fail


class Enterable(Protocol):
    """What the entrance asks of an application."""

    observer: Observer

    @property
    def root_path(self) -> str:
        """Prefix that every URL has before what the routes match; "" leaves what the server says."""
        ...

    @property
    def middleware_stack(self) -> ASGIApp | None:
        """What serves; None if it has to be built."""
        ...

    def build_middleware_stack(self) -> ASGIApp:
        """Put guards and middleware around the router."""
        ...


class Entrance(Latest[Door]):
    """The door of an application, as everything is now.

    Args:
        app: The application.
    """

    def __init__(self, app: Enterable) -> None:
        super().__init__(self._open)
        self._app = app

    def enter(self, scope: Scope) -> Door:
        """Return the door for a scope that comes in; each calls this until the first request, and after a change."""
        is_decided = self._app.observer.decide(scope)
        door = self.get()
        if not is_decided:
            self.expire()
        return door

    def _open(self) -> Door:
        """Put the layers together, around which packages put their own."""
        app = self._app
        stack = app.middleware_stack
        if stack is None:
            stack = vars(app)["middleware_stack"] = app.build_middleware_stack()  # no change anybody must hear of
        if Starlette.__call__ is not _STARLETTES_OWN:
            stack = partial(Starlette.__call__, cast(Starlette, app))
        door = door_of(app.observer.around(stack), app.root_path)
        return replace(door, choose=app.observer.lifespans(door.choose))


def door_of(stack: ASGIApp, root_path: str = "") -> Door:
    """Return what an application does; without middleware, nothing stands between it and the handler of a route.

    Args:
        root_path: What every scope gets in place of the server's root path; "" leaves that.
    """
    fail: Fail = raise_again
    if isinstance(stack, SoleGuard):
        (choose, choose_direct), fail = stack.choosers(), stack.fail
    else:
        choose = choose_direct = always(stack)
    if root_path:
        choose = choose_direct = rooted(choose, root_path)
    return Door(choose, choose_direct, fail)


def always(app: ASGIApp) -> Choose:
    """Choose one app for every scope."""
    target = Target(None, None, app)
    return lambda scope: target


def rooted(choose: Choose, root_path: str) -> Choose:
    """Note a root path in the scope before choosing."""

    def note_and_choose(scope: Scope) -> Target:
        scope["root_path"] = root_path
        return choose(scope)

    return note_and_choose
