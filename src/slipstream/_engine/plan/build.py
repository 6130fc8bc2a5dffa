"""Endpoint and options in, `Plan` out."""

from collections.abc import Sequence

from slipstream._engine.errors import BodiesWithoutNames, UnsupportedAnnotation
from slipstream._engine.plan.body import build_body_field, is_form, should_embed
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.form_parser import require_form_parser
from slipstream._engine.plan.model import BodyPlan, Call, Plan, ResponseSpec
from slipstream._engine.plan.order import order
from slipstream._engine.plan.tree import walk


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

    Args:
        root: The tree of calls.
        methods: HTTP methods that it serves.
        unique_id: Name for a combined body model.
        response: How the result becomes a response.
        strict_content_type: Whether JSON needs a JSON content type.
        form_limits: Bounds for forms: `max_fields`, `max_files`, `max_part_size`.
        path_strings: Path parameters whose converter gives a string.

    Raises:
        BodiesWithoutNames: A GET that reads several unmarked bodies.
        FormParserMissing: A form, and nothing installed that reads forms.
    """
    _refuse_links(root)
    label = f"{','.join(sorted(methods))} {root.path}"
    fields = flat_body_params(root)
    body: BodyPlan | None = None
    if fields:
        _refuse_implied_bodies(root, methods)
        embed = should_embed(fields)
        documented = build_body_field(fields, name=unique_id, embed=embed)
        assert documented is not None, "fields are not empty"
        kind = "form" if is_form(documented) else "json"
        if kind == "form":
            require_form_parser(root.origin)
        body = BodyPlan(kind, tuple(fields), embed, strict_content_type, documented, form_limits)  # type: ignore[arg-type]
    return Plan("http", label, root, order(root), body, response, path_strings)


def build_websocket_plan(root: Call, path_strings: frozenset[str]) -> Plan:
    """Plan a WebSocket endpoint: same tree, no body, no response."""
    _refuse_links(root)
    return Plan("websocket", f"WS {root.path}", root, order(root), None, ResponseSpec(), path_strings)


def build_event_plan(root: Call, label: str) -> Plan:
    """Plan a handler of events; `label` names it for people."""
    return Plan("event", label, root, order(root), None, ResponseSpec())


def _refuse_links(root: Call) -> None:
    """Refuse to hand over the connection of a link where there is none."""
    for call in (root, *walk(root)):
        for slot in call.signature.slots:
            if slot.meta == "link":
                raise UnsupportedAnnotation(
                    "There is a connection of a link only where one of its events is handled",
                    slot.name, slot.annotation, call.origin, "write Request or WebSocket, or leave the parameter out",
                )  # fmt: skip


def _refuse_implied_bodies(root: Call, methods: Sequence[str]) -> None:
    """A GET with two unmarked models is nearly always a mistake; marked with `Body()`, it is meant."""
    if not set(methods) <= {"GET", "HEAD"} or len({field.name for field in root.body_params}) < 2:
        return
    implied = [field.name for field in root.body_params if not _is_marked(field.name, root)]
    if implied:
        names = tuple(field.name for field in root.body_params)
        raise BodiesWithoutNames(names, tuple(sorted(methods)), root.origin)


def _is_marked(name: str, root: Call) -> bool:
    return next(slot.marked for slot in root.signature.slots if slot.name == name)
