"""Endpoint and options in, `Plan` out."""

from collections.abc import Sequence
from typing import Literal

from slipstream._engine.errors import UnsupportedAnnotation, warn
from slipstream._engine.plan.body import build_body_field, is_form, should_embed
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.form_parser import require_form_parser
from slipstream._engine.plan.model import BodyPlan, Call, Plan, ResponseSpec
from slipstream._engine.plan.order import order


def build_http_plan(
    root: Call,
    *,
    methods: Sequence[str],
    unique_id: str,
    response: ResponseSpec,
    strict_content_type: bool,
    form_limits: dict[str, int],
    path_strings: frozenset[str],
) -> Plan:
    """Plan a path operation.

    `unique_id` names a combined body model, `form_limits` are options of `Request.form`, `path_strings` are the path
    parameters whose converter returns a string.
    """
    _refuse_links(root)
    label = f"{','.join(sorted(methods))} {root.path}"
    fields = flat_body_params(root)
    embed = should_embed(fields)
    documented = build_body_field(fields, name=unique_id, embed=embed)
    body: BodyPlan | None = None
    if documented is not None:
        _warn_of_implied_bodies(root, methods)
        if is_form(documented):
            require_form_parser(root.origin)
        kind: Literal["json", "form"] = "form" if is_form(documented) else "json"
        body = BodyPlan(kind, tuple(fields), embed, strict_content_type, documented, form_limits)
    return Plan("http", label, root, order(root), body, response, path_strings)


def build_websocket_plan(root: Call, path_strings: frozenset[str]) -> Plan:
    """Plan a WebSocket endpoint, which has no body and no response."""
    _refuse_links(root)
    return Plan("websocket", f"WS {root.path}", root, order(root), None, ResponseSpec(), path_strings)


def build_event_plan(root: Call, label: str) -> Plan:
    """Plan a handler of events; `label` is its name for people."""
    return Plan("event", label, root, order(root), None, ResponseSpec())


def _refuse_links(root: Call) -> None:
    """Refuse a parameter for the connection of a link outside of handlers of events."""
    for owner, slot in ((call, slot) for call in root.walk() for slot in call.signature.slots):
        if slot.meta == "link":
            raise UnsupportedAnnotation(
                "There is a connection of a link only where one of its events is handled",
                slot.name, slot.annotation, owner.origin, "write Request or WebSocket, or leave the parameter out",
            )  # fmt: skip


def _warn_of_implied_bodies(root: Call, methods: Sequence[str]) -> None:
    """Warn of a GET with two unmarked models, which is mostly a mistake; with `Body()` they are meant."""
    names = tuple(field.name for field in root.body_params)
    marked = {slot.name for slot in root.signature.slots if slot.marked}
    if set(methods) <= {"GET", "HEAD"} and len(set(names)) > 1 and not marked.issuperset(names):
        warn(
            f"{', '.join(sorted(methods))} with several bodies: {' and '.join(map(repr, names))}",
            root.origin,
            "for query parameters write Annotated[Model, Query()]; to read a body all the same, mark each with Body()",
        )
