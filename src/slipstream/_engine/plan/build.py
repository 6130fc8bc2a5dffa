"""From a tree of calls and options to a `Plan`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, Literal

from slipstream._engine.errors import FormParserMissing, UnsupportedAnnotation, warn
from slipstream._engine.plan.body import build_body_field, is_form, should_embed
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.model import BodyPlan, Call, Plan, ResponseSpec


def build_http_plan(
    root: Call,
    *,
    methods: Sequence[str],
    unique_id: str,
    response: ResponseSpec,
    strict_content_type: bool,
    path_strings: frozenset[str],
    known: BodyPlan | None = None,
) -> Plan:
    """Plan a path operation; `unique_id` names a combined body model.

    `path_strings` are the path parameters whose converter returns a string. `known` says how the body was read before a
    package changed the tree, and is read still; only its fields are other ones.
    """
    _refuse_links(root)
    label = f"{','.join(sorted(methods))} {root.path}"
    fields = flat_body_params(root)
    embed = should_embed(fields)
    documented = None if known else build_body_field(fields, name=unique_id, embed=embed)
    body: BodyPlan | None = None
    if known is not None and fields:
        body = replace(known, fields=tuple(fields))
    elif documented is not None:
        names = tuple(field.name for field in root.body_params)
        marked = {slot.name for slot in root.signature.slots if slot.marked}
        # A GET with two unmarked models is mostly a mistake; with `Body()` they are meant.
        if set(methods) <= {"GET", "HEAD"} and len(set(names)) > 1 and not marked.issuperset(names):
            warn(
                f"{', '.join(sorted(methods))} with several bodies: {' and '.join(map(repr, names))}",
                root.origin,
                "for query parameters write Annotated[Model, Query()]; "
                "to read a body all the same, mark each with Body()",
            )
        if is_form(documented):
            require_form_parser(root.origin)
        kind: Literal["json", "form"] = "form" if is_form(documented) else "json"
        body = BodyPlan(kind, tuple(fields), embed, strict_content_type, documented)
    return Plan("http", label, root, body, response, path_strings)


def build_websocket_plan(root: Call, path_strings: frozenset[str]) -> Plan:
    """Plan a WebSocket endpoint, which has no body and no response."""
    _refuse_links(root)
    return Plan("websocket", f"WS {root.path}", root, None, ResponseSpec(), path_strings)


def build_event_plan(root: Call, label: str) -> Plan:
    """Plan a handler of events; `label` is its name for people."""
    return Plan("event", label, root, None, ResponseSpec())


def _refuse_links(root: Call) -> None:
    """Refuse a parameter for the connection of a link outside of handlers of events."""
    for call in root.walk():
        for name in (name for name, kind in call.contexts if kind == "link"):
            annotation = next(slot.annotation for slot in call.signature.slots if slot.name == name)
            raise UnsupportedAnnotation(
                "There is a connection of a link only where one of its events is handled",
                name, annotation, call.origin, "write Request or WebSocket, or leave the parameter out",
            )  # fmt: skip


def require_form_parser(origin: Any) -> None:
    """Raise `FormParserMissing`, with the origin of an endpoint, if python-multipart is not installed."""
    version = _found("python_multipart", "__version__") or ""
    if tuple(map(int, re.findall(r"\d+", version)[:3])) > (0, 0, 12):
        return
    # Older releases had the name `multipart`, which is also that of an unrelated package.
    if _found("multipart", "__version__") is None:
        raise FormParserMissing(None, origin)
    if _found("multipart.multipart", "parse_options_header") is None:
        raise FormParserMissing("multipart", origin)


def _found(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None
