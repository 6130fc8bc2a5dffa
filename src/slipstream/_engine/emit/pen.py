"""What the writers of the steps share: a pen (text and names), and the phrases of dialects and layers."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from starlette.responses import Response

from slipstream._engine.abc import Services
from slipstream._engine.codegen import Writer
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.model import Call, Plan
from slipstream._engine.plan.program import Manner, Program
from slipstream._engine.runtime.body import body_reader, json_size
from slipstream._engine.runtime.response import JSON_TYPE, NOSNIFF, has_body
from slipstream._engine.runtime.values import UNSET, model_maker
from slipstream._engine.signature.model import Origin
from slipstream._engine.types import ContextKind, ErrorDetail, Scope

RESERVED = frozenset(
    {
        "scope", "receive", "send", "handle", "errors", "exits", "closing", "sent", "exc", "wrong", "given", "raw",
        "body", "content_type", "form", "query", "query_lists", "headers", "header_lists", "cookies", "path_params",
        "request", "websocket", "response", "background", "opened", "place", "shield", "result", "payload", "length",
        "start", "end", "reply", "work", "each", "observed", "failure", "_",
    }
)  # fmt: skip
"""Locals of the handler; a user's parameter with such a name gets a number."""

SHORT = 60
"""Maximum length of an expression in a conditional expression, in characters."""


class Dialect:
    """The phrases that depend on how a handler is called; the defaults are those of an ASGI application."""

    name: ClassVar[str]
    parameters: ClassVar[str] = "scope, receive, send"
    manner: ClassVar[Manner] = Manner()
    connection: ClassVar[str] = "request"
    """The local with the Request or WebSocket."""
    where: ClassVar[str] = "scope"
    """Expression of the scope from which errors take method and mount path."""
    place: ClassVar[str] = ", scope"
    """The same as a further argument, for what fails while dependencies are closed."""
    objects: ClassVar[dict[ContextKind, str]] = {
        "request": "request", "connection": "request", "response": "response", "background": "background",
    }  # fmt: skip
    """The locals with the context objects that calls can ask for; other objects are not given."""

    def write(self, pen: "Pen") -> None:
        """Write the body of the function."""

    def read_raw(self, pen: "Pen") -> None:
        """Write the assignment of the body's bytes to `raw`."""
        name, given = ("read_request_body", "request") if pen.program.reads_request else ("read_body", "receive")
        most = json_size(pen.plan.limits)
        read = body_reader(pen.services.body_error, from_request=pen.program.reads_request, most=most)
        pen.line(f"raw = await {pen.constant(name, read)}({given})")

    def refusal(self, pen: "Pen", errors: str, body: str) -> str:
        """Return the expression of the exception for errors (a list that is not empty) in a request with a body."""
        return f"{pen.made('request_error', lambda: pen.refuse)}({errors}, {body}, {self.where})"

    def show_scope(self, pen: "Pen") -> None:
        """Write what completes the scope before user code may see it."""

    def raise_closing(self, pen: "Pen", failure: str) -> None:
        """Write the raising of an expression: what dependencies of scope "function" have made of an exception."""
        pen.line(f"raise {failure}")

    def reply_quickly(self, pen: "Pen") -> None:
        """Write a quick reply to the exception `exc`, if the dialect has one."""

    def unless_replied(self, pen: "Pen", reply: Callable[[], str]) -> AbstractContextManager[None]:
        """Return a context for the text that sends a response which the expression of `reply` has not sent."""
        return nullcontext()

    def send_json(self, pen: "Pen", status: int) -> None:
        """Write the sending of `payload` with a status and without further headers."""
        json_type = headers = pen.constant("JSON_TYPE", JSON_TYPE)
        content = 'b""'
        if has_body(status):
            pen.line('length = (b"content-length", b"%d" % len(payload))')
            headers, content = f"length, {json_type}", "payload"
        if pen.plan.limits.nosniff:
            headers += f", {pen.constant('NOSNIFF', NOSNIFF)}"
        pen.line(f'await send({{"type": "http.response.start", "status": {status}, "headers": [{headers}]}})')
        pen.line(f'await send({{"type": "http.response.body", "body": {content}}})')


class Layer:
    """The phrases by which a handler of any dialect reports to an observer; this base reports nothing."""

    title: ClassVar[str] = ""
    """Suffix of the name of the source."""
    shows_steps: ClassVar[bool] = False
    """See `Manner.shows_steps`."""

    def enter(self, pen: "Pen") -> None:
        """Write the report that this handler serves, once the connection object is made."""

    def read(self, pen: "Pen", body: str) -> None:
        """Write the report of the body, which is in the local `body`."""

    def solved(self, pen: "Pen") -> None:
        """Write the report of the endpoint's arguments."""

    def refused(self, pen: "Pen") -> None:
        """Write the report of errors, before they are raised."""

    def operation(self, pen: "Pen", name: str) -> AbstractContextManager[None]:
        """Return a context in which the text written measures an operation."""
        return nullcontext()

    def encode(self, pen: "Pen", target: str, given: str, made: str) -> None:
        """Write the encoding of a result: `target = given` if it is a Response already, else `target = made`."""
        if given == made:
            pen.line(f"{target} = {made}")
            return
        is_response = f"isinstance(result, {pen.constant('Response', Response)})"
        if len(made) <= SHORT:
            pen.line(f"{target} = {given} if {is_response} else {made}")
            return
        with pen.block(f"if {is_response}:"):
            pen.line(f"{target} = {given}")
        with pen.block("else:"):
            pen.line(f"{target} = {made}")

    def body_reporter(self, pen: "Pen") -> Callable[[Scope, ErrorDetail, str], None] | None:
        """Return the function that reports a body that is not JSON, if there is one."""
        return None


class Pen(Writer):
    """The text and the names of one handler.

    `variables` has the local of each parameter, by id of the call and name; `results` that of each call's result, by id
    of the call; `marks` and `failures` likewise; `prepared` those with parsed parts of the request.
    """

    def __init__(self, program: Program, services: Services, dialect: Dialect, layer: Layer) -> None:
        super().__init__(RESERVED | set(dialect.parameters.split(", ")))
        self.program, self.services, self.dialect, self.layer = program, services, dialect, layer
        self.variables: dict[tuple[int, str], str] = {}
        self.results: dict[int, str] = {}
        self.marks: dict[int, str] = {}
        self.failures: dict[int, str] = {}
        self.prepared: set[str] = set()
        self.is_in_hop = False
        self._made: dict[str, Any] = {}

    @property
    def plan(self) -> Plan:
        return self.program.plan

    @property
    def body(self) -> str:
        """The local with the parsed body; "None" if there is no body."""
        return "None" if self.plan.body is None else "form" if self.plan.is_form else "body"

    def made(self, wish: str, make: Callable[[], Any]) -> str:
        """Name an object that is made once, when it is first needed."""
        if wish not in self._made:
            self._made[wish] = make()
        return self.constant(wish, self._made[wish])

    def callee(self, call: Call) -> str:
        """Name a user's callable: by its own name, unless a parameter has that name."""
        name = name_of(call)
        function = call.call
        if hasattr(function, "__pydantic_validator__"):
            sources = {slot.name: slot.source for slot in call.signature.slots}
            function = model_maker(function, sources, self._refuse_model)
        return self.constant(name if self.is_free(name) else f"call_{name}", function)

    def refuse(self, errors: list[ErrorDetail], body: Any, scope: Scope | None) -> Exception:
        """Make the exception for a request with errors; without a scope, it is located where it is answered."""
        where = self.plan.where(scope)
        if self.plan.protocol == "websocket":
            return self.services.websocket_error(errors, where)
        return self.services.request_error(errors, None if body is UNSET else body, where, self.plan.limits)

    def _refuse_model(self, errors: list[ErrorDetail]) -> Exception:
        error = self.refuse(errors, None, None)
        vars(error)["is_located"] = False
        return error

    def variable(self, call: Call, name: str) -> str:
        local = self.variables[id(call), name] = self.local(name)
        return local

    def note(self, what: str, origin: Origin) -> None:
        place = "" if origin.file is None else f" ({origin.file.rpartition('/')[2]}:{origin.line})"
        self.comment(f"{what}{place}")

    def wrong(self, errors: str) -> None:
        """Write what is done about a list of errors that is not empty: it is added to `errors`, or raised."""
        if self.program.errors == "gathered":
            self.line(f"errors += {errors}")
        else:
            self.line(f"raise {self.dialect.refusal(self, errors, self.body)}")

    def take(self, target: str, take: str, given: str) -> None:
        """Write the call of a taker, which returns a value and a list of errors, and what is done about the errors."""
        self.line(f"{target}, wrong = {take}({given})")
        with nullcontext() if self.program.errors == "gathered" else self.block("if wrong:"):
            self.wrong("wrong")
