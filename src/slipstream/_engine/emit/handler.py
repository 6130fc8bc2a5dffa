"""The whole text of a handler: what stands around the steps.

Three frames: HTTP over ASGI, a function of a Request (for route classes that wrap it), WebSocket.
"""

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.websockets import WebSocket

from slipstream._engine.abc import Services
from slipstream._engine.codegen.load import Source
from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.body import decoded, emit_absent_body, emit_read_body, emit_take_body, emit_take_form
from slipstream._engine.emit.calls import arguments, emit_again, emit_leave, emit_solve, invocation, mark_before
from slipstream._engine.emit.draft import Draft
from slipstream._engine.emit.hops import endpoint_hop, made, one_hop, rows
from slipstream._engine.emit.observed import (
    DEPENDENCIES,
    ENDPOINT,
    emit_entered,
    emit_refused,
    emit_solved,
    observed_draft,
    operation,
)
from slipstream._engine.emit.response import (
    emit_checked,
    emit_encoded,
    emit_endpoint,
    emit_send,
    is_checked_by_worker,
)
from slipstream._engine.emit.values import emit_take
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.model import Again, Call, Plan, Solve, Step, Take
from slipstream._engine.runtime.cleanup import inner_failure, open_failure, open_shield
from slipstream._engine.runtime.response import blank_response

FUNCTION = "handle"


def emit_http(plan: Plan, services: Services, is_observed: bool = False, *, is_direct: bool = False) -> Source:
    """Write the ASGI handler of a path operation: `await handle(scope, receive, send)`.

    Args:
        is_observed: Have it tell an `Observation` what it does.
        is_direct: Make it `await handle(scope, receive, send, raw, reply)`, for a server that hands over the body, in
            bytes, and a function `reply(status, headers, content)` that sends a whole response, its length with it.
    """
    draft = observed_draft(plan, services) if is_observed else Draft(plan, services, is_direct=is_direct)
    text = draft.text
    more = ", raw, reply" if is_direct else ""
    with text.block(f"async def {FUNCTION}(scope, receive, send{more}):"):
        _emit_lists(draft)
        if draft.has_exits:
            text.line("sent = False")
        with text.block("try:"):
            _emit_objects(draft)
            _emit_closing(draft, lambda: _emit_core(draft))
            if draft.has_exits:
                emit_send(draft, is_open=True)
                emit_leave(draft, "exits")
        _emit_except(draft)
        if not draft.has_exits:
            emit_send(draft, is_open=False)
    return _source(draft)


def emit_request(plan: Plan, services: Services, is_observed: bool = False) -> Source:
    """Write a function of a Request that returns a Response: `await handle(request)`.

    What it opens is closed by whoever calls it, who puts two lists into the scope (`EXITS`, `CLOSING`).
    """
    draft = observed_draft(plan, services) if is_observed else Draft(plan, services)
    draft.is_request_given = True
    text = draft.text
    with text.block(f"async def {FUNCTION}(request):"):
        text.line("scope = request.scope")
        if draft.has_errors:
            text.line("errors = []")
        if draft.has_exits:
            text.line(f"exits = scope[{literal(EXITS)}]")
        if draft.has_closing:
            text.line(f"closing = scope[{literal(CLOSING)}]")
        emit_entered(draft, "request")
        _emit_objects(draft)
        _emit_core(draft, as_object=True)
        text.line("return result")
    return _source(draft)


EXITS = "slipstream.exits"
CLOSING = "slipstream.closing"


def emit_websocket(plan: Plan, services: Services, is_observed: bool = False) -> Source:
    """Write the handler of a WebSocket endpoint: `await handle(scope, receive, send)`."""
    draft = observed_draft(plan, services) if is_observed else Draft(plan, services)
    text = draft.text
    with text.block(f"async def {FUNCTION}(scope, receive, send):"):
        _emit_lists(draft)
        text.line(f"websocket = {draft.constant('WebSocket', WebSocket)}(scope, receive, send)")
        emit_entered(draft, "websocket")
        with text.block("try:"):
            _emit_objects(draft)
            _emit_closing(draft, lambda: _emit_conversation(draft))
            if draft.has_exits:
                emit_leave(draft, "exits")
        _emit_except(draft)
    return _source(draft)


def _source(draft: Draft) -> Source:
    return Source(
        function=FUNCTION,
        text=draft.text.text,
        shape=draft.text.shape,
        constants=draft.text.constants,
    )


def _emit_lists(draft: Draft) -> None:
    if draft.has_errors:
        draft.text.line("errors = []")
    if draft.has_exits:
        draft.text.line("exits = []")
    if draft.has_closing:
        draft.text.line("closing = []")
    if draft.keeps_raw and not draft.is_direct:
        draft.text.line("raw = None")
    if draft.makes_request:
        draft.text.line(f"request = {draft.constant('Request', Request)}(scope, receive, send)")
        emit_entered(draft, "request")


def _emit_objects(draft: Draft) -> None:
    """Make the objects that somebody asks for."""
    text = draft.text
    if draft.needs_shield:
        text.line(f"shield = {draft.constant('open_shield', open_shield)}(exits)")
    if draft.uses("response"):
        text.line(f"response = {draft.constant('blank_response', blank_response)}()")
    if draft.uses("background"):
        text.line(f"background = {draft.constant('background_tasks', draft.services.background_tasks)}()")


def _emit_closing(draft: Draft, emit: Callable[[], None]) -> None:
    """Write what is done while dependencies of scope "function" are open, and their closing."""
    if not draft.has_closing:
        emit()
        return
    text = draft.text
    with text.block("try:"):
        emit()
        emit_leave(draft, "closing")
    with text.block("except BaseException as exc:"):
        fail = draft.constant("fail_closing", inner_failure(draft.services.swallowed_error))
        text.line(f"raise await {fail}(closing, exc)")


def _emit_except(draft: Draft) -> None:
    """Write what happens to an exception: open dependencies hear of it first, then its handler answers."""
    text = draft.text
    known = ""
    if draft.plan.protocol == "websocket":
        known = ", connection=websocket"
    elif draft.makes_request and not draft.keeps_raw:
        known = ", connection=request"
    elif draft.keeps_raw:
        known = ", body=raw"
    if draft.has_exits:
        with text.block("except BaseException as exc:"):
            draft.complete_scope()
            fail = draft.constant("fail_open", open_failure(draft.services.fail, draft.services.swallowed_error))
            sent = "sent" if draft.plan.protocol == "http" else "False"
            text.line(f"return await {fail}(exits, exc, {sent}, scope, receive, send{known})")
    else:
        with text.block("except Exception as exc:"):
            draft.complete_scope()
            fail = draft.constant("fail", draft.services.fail)
            text.line(f"return await {fail}(exc, scope, receive, send, started=False{known})")


def _emit_core(draft: Draft, *, as_object: bool = False) -> None:
    """Read the request, call everything, encode the result."""
    if draft.plan.body is not None:
        emit_read_body(draft, draft.plan.body)
    steps, first = _Steps(draft), endpoint_hop(draft)
    with operation(draft, DEPENDENCIES):
        steps.emit_in_rows(draft.plan.steps[:first])
        if first == len(draft.plan.steps):
            _emit_refusal(draft)
        emit_solved(draft)
    if first < len(draft.plan.steps) or is_checked_by_worker(draft):
        with one_hop(draft) as given_back:
            if first < len(draft.plan.steps):
                steps.emit(draft.plan.steps[first:])
                _emit_refusal(draft)
            emit_endpoint(draft)
            given_back += emit_checked(draft, as_object=as_object)
    else:
        emit_endpoint(draft)
    emit_encoded(draft, as_object=as_object)


def _emit_refusal(draft: Draft) -> None:
    if not draft.has_errors:
        return
    refuse = draft.constant("request_error", draft.request_error)
    body = _body_again(draft)
    with draft.text.block("if errors:"):
        emit_refused(draft)
        draft.text.line(f"raise {refuse}(errors, {body}, scope)")


def _body_again(draft: Draft) -> str:
    """The parsed body, for the exception to show; parsed now if its model was made from bytes."""
    if draft.plan.body is None or draft.fast_body is None:
        return draft.body_told
    return decoded(draft, draft.plan.body)


def _emit_conversation(draft: Draft) -> None:
    text, root = draft.text, draft.plan.root
    with operation(draft, DEPENDENCIES):
        _Steps(draft).emit_in_rows(draft.plan.steps)
        if draft.has_errors:
            refuse = draft.constant("websocket_error", draft.websocket_error)
            with text.block("if errors:"):
                emit_refused(draft)
                text.line(f"raise {refuse}(errors, scope)")
        emit_solved(draft)
    draft.note(f"endpoint {name_of(root)}", root.origin)
    with operation(draft, ENDPOINT):
        text.line(invocation(draft, root, draft.function(root), arguments(draft, root)))


class _Steps:
    """Writes steps in order, some at a time; a dependency's condition is noted before its own values are read."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.conditions: dict[int, str | None] = {}
        self.seen_forms: set[int] = set()

    def emit_in_rows(self, steps: Sequence[Step]) -> None:
        """Write these, the next ones, with one hop for each row of calls that a worker can make."""
        for part, is_row in rows(self.draft, steps):
            if not is_row:
                self.emit(part)
                continue
            for step in part:
                self._enter(step)
            with one_hop(self.draft) as given_back:
                self.emit(part)
                given_back += made(self.draft, part)

    def emit(self, steps: Sequence[Step]) -> None:
        """Write these, the next ones."""
        for step in steps:
            self._enter(step)
            if isinstance(step, Again):
                emit_again(self.draft, step)
            elif isinstance(step, Solve):
                emit_solve(self.draft, step, self.conditions[id(step.call)])
            else:
                self._emit_take(step)

    def _enter(self, step: Step) -> None:
        for call in self._entered(step):
            self.conditions[id(call)] = mark_before(self.draft, call)

    def _emit_take(self, step: Take) -> None:
        draft = self.draft
        if step.source != "body":
            emit_take(draft, step)
        elif draft.plan.protocol == "websocket":
            emit_absent_body(draft, step)
        elif draft.plan.body is not None and draft.plan.body.kind == "form":
            if id(step.call) not in self.seen_forms:
                self.seen_forms.add(id(step.call))
                emit_take_form(draft, step.call, draft.plan.body.embed)
        else:
            emit_take_body(draft, step)

    def _entered(self, step: Step) -> list[Call]:
        """The dependencies whose subtree begins with this step, outermost first."""
        return [
            solve.call
            for solve in reversed(self.draft.solves)
            if id(solve.call) not in self.conditions and _contains(solve.call, step)
        ]


def _contains(call: Call, step: Step) -> bool:
    target = step.call
    return target is call or any(_contains(dependency, step) for dependency in call.dependencies)
