"""What the writers of the steps share: the text, the names of what it refers to, and the phrases that differ."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

from starlette.responses import Response

from slipstream._engine.abc import Services
from slipstream._engine.codegen.writer import Writer
from slipstream._engine.plan.arrange import Manner, Program
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.model import Call, Plan
from slipstream._engine.signature.model import Origin
from slipstream._engine.types import ContextKind, ErrorDetail, Scope

RESERVED = frozenset(
    {
        "scope", "receive", "send", "handle", "errors", "exits", "closing", "sent", "exc", "wrong", "given", "raw",
        "body", "content_type", "form", "query", "query_lists", "headers", "header_lists", "cookies", "path_params",
        "request", "websocket", "response", "background", "opened", "place", "shield", "result", "payload", "length",
        "start", "end", "reply", "work", "each", "_",
    }
)  # fmt: skip
"""Locals of the handler's own; a user's parameter of such a name gets a number."""

SHORT = 60
"""Most characters of an expression that is one half of a conditional expression."""


class Dialect:
    """The phrases that differ by how a handler is called; each dialect is one object.

    Here are the phrases of a handler that answers to a server, by messages.
    """

    name: ClassVar[str]
    parameters: ClassVar[str] = "scope, receive, send"
    """Of the generated function."""
    manner: ClassVar[Manner] = Manner()
    connection: ClassVar[str] = "request"
    """The local with the Request or the like."""
    objects: ClassVar[dict[ContextKind, str]]
    """The locals with what calls can ask for; what is not among them is not handed over."""

    def write(self, pen: "Pen") -> None:
        """Write the whole inside of the function."""
        raise NotImplementedError

    def read_raw(self, pen: "Pen") -> None:
        """Write how the bytes of the body get into `raw`."""
        raise NotImplementedError

    def refusal(self, pen: "Pen", errors: str, body: str) -> str:
        """Write the exception of a request with errors.

        Args:
            errors: Expression of the list of them, which is not empty.
            body: Expression of the body as it was sent.
        """
        raise NotImplementedError

    def show_scope(self, pen: "Pen") -> None:
        """Write what is to be done before somebody is shown the scope who may expect all of ASGI in it."""

    def send_json(self, pen: "Pen", status: int) -> None:
        """Write the sending of `payload` under a status, with no headers but its own."""
        raise NotImplementedError


class Layer:
    """The phrases by which a handler of any dialect tells an observer what it does; these are of one that does not."""

    title: ClassVar[str] = ""
    """What is added to the name of the source."""

    def manner(self, manner: Manner) -> Manner:
        """Return what a dialect's decisions depend on, with the layer over it."""
        return manner

    def reserve(self, pen: "Pen") -> None:
        """Reserve names, before the user's are named."""

    def enter(self, pen: "Pen") -> None:
        """Write that this handler serves, when its connection is there."""

    def read(self, pen: "Pen", body: str) -> None:
        """Write that the body has been read into a local."""

    def solved(self, pen: "Pen") -> None:
        """Write that the endpoint's arguments are there."""

    def refused(self, pen: "Pen") -> None:
        """Write that there are errors, before they are raised."""

    def operation(self, pen: "Pen", name: str) -> AbstractContextManager[None]:
        """Put what is written inside of a `with` block into the measuring of an operation."""
        return nullcontext()

    def encode(self, pen: "Pen", target: str, given: str, made: str) -> None:
        """Write the encoding of a result.

        Args:
            target: The local to be set.
            given: Expression of its value where the result is a Response already.
            made: Expression of its value where the result has to be encoded.
        """
        if given == made:
            pen.text.line(f"{target} = {made}")
            return
        is_response = f"isinstance(result, {pen.constant('Response', Response)})"
        if len(made) <= SHORT:
            pen.text.line(f"{target} = {given} if {is_response} else {made}")
            return
        with pen.text.block(f"if {is_response}:"):
            pen.text.line(f"{target} = {given}")
        with pen.text.block("else:"):
            pen.text.line(f"{target} = {made}")

    def body_teller(self, pen: "Pen") -> Callable[[Scope, ErrorDetail, str], None] | None:
        """Return the function that is told of a body that is not JSON; None for none."""
        return None


@dataclass(eq=False)
class Pen:
    """Text and names of one handler.

    `is_in_hop` says that what is written stands in a worker's function. `variables` maps (call, parameter), `results` a
    call, `marks` and `failures` a call to the local that holds it.
    """

    program: Program
    services: Services
    dialect: Dialect
    layer: Layer
    text: Writer = field(init=False)
    variables: dict[tuple[int, str], str] = field(default_factory=dict)
    results: dict[int, str] = field(default_factory=dict)
    marks: dict[int, str] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    prepared: set[str] = field(default_factory=set)
    is_in_hop: bool = False
    _made: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.text = Writer(RESERVED | set(self.dialect.parameters.split(", ")))

    @property
    def plan(self) -> Plan:
        """The plan that is written."""
        return self.program.plan

    @property
    def body(self) -> str:
        """The local with the body as it was sent, once it has been parsed; "None" if there is no body."""
        return "None" if self.plan.body is None else "form" if self.plan.is_form else "body"

    def constant(self, wish: str, value: Any) -> str:
        """Name an object for the text."""
        return self.text.constant(wish, value)

    def made(self, wish: str, make: Callable[[], Any]) -> str:
        """Name an object that is made when it is first needed."""
        if wish not in self._made:
            self._made[wish] = make()
        return self.text.constant(wish, self._made[wish])

    def function(self, call: Call) -> str:
        """Name a user's callable: as it is called, unless a parameter took the name."""
        name = name_of(call)
        return self.constant(name if self.text.is_free(name) else f"call_{name}", call.call)

    def variable(self, call: Call, name: str) -> str:
        """Reserve the local of a parameter."""
        local = self.variables[id(call), name] = self.text.local(name)
        return local

    def note(self, what: str, origin: Origin) -> None:
        """Write the comment of a step."""
        place = "" if origin.file is None else f" ({origin.file.rpartition('/')[2]}:{origin.line})"
        self.text.comment(f"{what}{place}")

    def wrong(self, errors: str) -> None:
        """Write what is done about errors: they join the others, or are raised where there are no others.

        Args:
            errors: Expression of the list of them, which is not empty.
        """
        if self.program.is_gathering:
            self.text.line(f"errors += {errors}")
        else:
            self.text.line(f"raise {self.dialect.refusal(self, errors, self.body)}")

    def perhaps_wrong(self) -> None:
        """Write what is done about the list `wrong`, which may be empty."""
        if self.program.is_gathering:
            self.text.line("errors += wrong")
        else:
            with self.text.block("if wrong:"):
                self.wrong("wrong")
