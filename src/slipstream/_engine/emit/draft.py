"""What the writers of the steps share while one handler is written.

A draft knows the plan, the text so far, and which variable holds what.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from slipstream._engine.abc import Services
from slipstream._engine.codegen.writer import Writer
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Again, Call, Plan, Solve, Take
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.schema.json_mode import is_json_safe
from slipstream._engine.signature.kinds import may_hold_scopes
from slipstream._engine.signature.model import Origin
from slipstream._engine.types import ContextKind, Scope

RESERVED = frozenset(
    {
        "scope", "receive", "send", "handle", "errors", "exits", "closing", "sent", "exc", "wrong", "given", "raw",
        "body", "content_type", "form", "query", "query_lists", "headers", "header_lists", "cookies", "path_params",
        "request", "websocket", "response", "background", "opened", "place", "shield", "result", "payload", "length",
        "start", "end", "reply", "work", "each", "_",
    }
)  # fmt: skip
"""Locals of the handler's own; a user's parameter of such a name gets a number."""


@dataclass(eq=False)
class Draft:
    """One handler in the making.

    `fallible` says that an error may already have been noted where the text has come to;
    `is_direct` says that the server hands over the whole body and takes whole responses;
    `is_in_hop` says that what is written runs in a worker; `is_checked` that one has validated the result, `is_encoded`
    that it has made bytes of it;
    `variables` maps (call, parameter) and `results` a call to the local that holds it.
    """

    plan: Plan
    services: Services
    text: Writer = field(default_factory=lambda: Writer(RESERVED))
    fallible: bool = False
    variables: dict[tuple[int, str], str] = field(default_factory=dict)
    results: dict[int, str] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    prepared: set[str] = field(default_factory=set)
    is_request_given: bool = False
    is_direct: bool = False
    is_in_hop: bool = False
    is_checked: bool = False
    is_encoded: bool = False
    decode: Callable[..., Any] | None = None
    dump: Callable[..., bytes] | None = None
    observation: str | None = None
    """The local that holds the observation; None where nobody observes."""

    @property
    def wanted_headers(self) -> int:
        """How many headers are looked up one by one."""
        reads = sum(1 for step in self.plan.steps if isinstance(step, Take) and step.source == "header")
        return reads + (self.plan.body is not None and self.plan.body.kind == "json")

    @property
    def makes_request(self) -> bool:
        """Whether the handler makes a Request: somebody asks for it, or the body is a form."""
        if self.plan.protocol == "websocket" or self.is_request_given:
            return False
        return self.has_request or (self.plan.body is not None and self.plan.body.kind == "form")

    @property
    def has_request(self) -> bool:
        """Whether a Request is there by the time the body is read."""
        return self.is_request_given or self.uses("request", "connection") or self.observation is not None

    @property
    def keeps_raw(self) -> bool:
        """Whether the body is read as bytes without a Request, so that exception handlers need them."""
        return self.plan.body is not None and self.plan.body.kind == "json" and not self.has_request

    def where(self, scope: Scope | None) -> dict[str, Any]:
        """Tell where the endpoint is, for errors."""
        origin, root = self.plan.root.origin, self.plan.root
        verb = "WS" if self.plan.protocol == "websocket" else self.plan.label.partition(" ")[0]
        mount = ""
        if scope is not None:
            verb = scope.get("method", verb)
            mount = scope.get("root_path", "").rstrip("/")
        facts = {"function": getattr(root.call, "__name__", None), "file": origin.file, "line": origin.line}
        return {
            **{key: value for key, value in facts.items() if value is not None},
            "path": f"{verb} {mount}{root.path}",
        }

    @cached_property
    def request_error(self) -> Callable[[list[Any], Any, Scope], Exception]:
        """The function that makes the exception of a request with errors."""

        def refuse(errors: list[Any], body: Any, scope: Scope) -> Exception:
            return self.services.request_error(errors, None if body is UNSET else body, self.where(scope))

        return refuse

    @cached_property
    def websocket_error(self) -> Callable[[list[Any], Scope], Exception]:
        """The function that makes the exception of a handshake with errors."""

        def refuse(errors: list[Any], scope: Scope) -> Exception:
            return self.services.websocket_error(errors, self.where(scope))

        return refuse

    def uses(self, *kinds: ContextKind) -> bool:
        """Whether any call asks for one of these objects."""
        return any(kind in kinds for call in self.plan.calls for _, kind in call.contexts)

    @cached_property
    def fast_body(self) -> ModelField | None:
        """The parameter that is the whole JSON body and may be validated straight from its bytes."""
        body = self.plan.body
        if self.observation is not None:
            return None  # observers see the body as values, so it is parsed as such
        if body is None or self.plan.protocol == "websocket" or body.kind != "json" or body.embed:
            return None
        if len(body.fields) != 1 or not is_json_safe(body.fields[0].checker.core_schema):
            return None
        return body.fields[0]

    @property
    def is_body_first(self) -> bool:
        """Whether nothing is read before the parameter that is the whole body, so that its errors come first."""
        first = self.plan.steps[0]
        return isinstance(first, Take) and first.field is self.fast_body

    @property
    def has_errors(self) -> bool:
        """Whether errors have to be gathered, or can be raised where they are found."""
        return bool(self.fallible_steps) and not self._raises_at_once

    @cached_property
    def _raises_at_once(self) -> bool:
        """Whether one step alone can be wrong, is told of once, and nothing that does without it is called after it."""
        if len(self.fallible_steps) != 1 or self.observation is not None:
            return False
        is_after = False
        for step in self.plan.steps:
            if isinstance(step, Again) and self.subtree_can_fail(step.first):
                return False
            if isinstance(step, Solve) and is_after and not self.subtree_can_fail(step.call):
                return False
            is_after = is_after or step is self.fallible_steps[0]
        return True

    @cached_property
    def fallible_steps(self) -> list[Take]:
        """Where a request can have an error."""
        return [step for step in self.plan.steps if isinstance(step, Take) and self.can_fail(step)]

    def can_fail(self, step: Take) -> bool:
        """Whether a request can have an error there."""
        if step.source == "path" and step.field.alias in self.plan.path_strings and is_plain_str(step.field):
            return False
        if step.source == "body" or not is_plain_str(step.field) or step.field.field_info.validate_default:
            return True
        return step.field.required

    @property
    def has_exits(self) -> bool:
        """Whether anything stays open until after the response."""
        is_form = self.plan.body is not None and self.plan.body.kind == "form"
        return (
            is_form
            or self.needs_shield
            or any(stays_open(step.call) and step.call.scope != "function" for step in self.solves)
        )

    @property
    def needs_shield(self) -> bool:
        """Whether a dependency may have a cancel scope of its own open where it yields."""
        return any(holds_scopes(step.call) for step in self.solves)

    @property
    def has_closing(self) -> bool:
        """Whether anything is closed between the endpoint and the response."""
        return any(stays_open(step.call) and step.call.scope == "function" for step in self.solves)

    @property
    def solves(self) -> list[Solve]:
        """The dependencies that are called."""
        return [step for step in self.plan.steps if isinstance(step, Solve)]

    def constant(self, wish: str, value: Any) -> str:
        """Name an object for the text."""
        return self.text.constant(wish, value)

    def wrong(self, errors: str) -> None:
        """Write what is done about errors: they join the others, or are raised where there are no others.

        Args:
            errors: Expression of the list of them, which is not empty.
        """
        if self.has_errors:
            self.text.line(f"errors += {errors}")
        elif self.plan.protocol == "websocket":
            self.text.line(f"raise {self.constant('websocket_error', self.websocket_error)}({errors}, scope)")
        else:
            refuse = self.constant("request_error", self.request_error)
            self.text.line(f"raise {refuse}({errors}, {self.body_told}, scope)")

    def perhaps_wrong(self) -> None:
        """Write what is done about the list `wrong`, which may be empty."""
        if self.has_errors:
            self.text.line("errors += wrong")
        else:
            with self.text.block("if wrong:"):
                self.wrong("wrong")

    @property
    def body_told(self) -> str:
        """The local with the body as it was sent, for errors to show."""
        if self.plan.body is None:
            return "None"
        return "form" if self.plan.body.kind == "form" else "body"

    def complete_scope(self) -> None:
        """Write, where the scope is about to be shown for the first time, that it be completed."""
        if self.is_direct and not self.plan.shows_scope:
            self.text.line(f"{self.constant('complete_scope', self._completing)}(scope)")

    @cached_property
    def _completing(self) -> Callable[[Scope], None]:
        return self.services.complete_scope

    def function(self, call: Call) -> str:
        """Name a user's callable: as it is called, unless a parameter took the name."""
        name = name_of(call)
        return self.constant(name if self.text.is_free(name) else f"call_{name}", call.call)

    def note(self, what: str, origin: Origin) -> None:
        """Write the comment of a step."""
        place = "" if origin.file is None else f" ({origin.file.rpartition('/')[2]}:{origin.line})"
        self.text.comment(f"{what}{place}")

    def subtree_can_fail(self, call: Call) -> bool:
        """Whether reading anything for a call, or for what it depends on, can fail."""
        below = {id(inner) for inner in _family(call)}
        firsts = {id(step.first) for step in self.plan.steps if isinstance(step, Again) and id(step.call) in below}
        for step in self.plan.steps:
            if isinstance(step, Take) and id(step.call) in below and self.can_fail(step):
                return True
            if isinstance(step, Solve) and id(step.call) in firsts and self.subtree_can_fail(step.call):
                return True
        return False


def _family(call: Call) -> list[Call]:
    found = [call]
    for dependency in call.dependencies:
        found.extend(_family(dependency))
    return found


def stays_open(call: Call) -> bool:
    """Whether a dependency has something to close."""
    return call.is_generator


def holds_scopes(call: Call) -> bool:
    """Whether a dependency may have a cancel scope of its own open where it yields; threads cannot have one."""
    return call.kind == "async_gen" and may_hold_scopes(call.call)


def is_simple_generator(call: Call) -> bool:
    """Whether an open dependency is an async generator and nothing more: no scope to shield, no place to give back."""
    return call.kind == "async_gen" and call.limit is None and not holds_scopes(call)


def is_plain_str(item: ModelField) -> bool:
    """Whether any string is a good value as it is: `str` or `str | None` without constraints."""
    info = item.field_info
    if info.metadata or info.discriminator is not None or item.config is not None:
        return False
    return info.annotation in (str, str | None)
