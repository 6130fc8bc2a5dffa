"""FastAPI's routes as `get_openapi` reads them: the same endpoints, told in the engine's words.

So the document can be compared with FastAPI's over one and the same program.
"""

import inspect
from copy import copy
from types import SimpleNamespace
from typing import Any

from fastapi import params, routing
from fastapi.datastructures import DefaultPlaceholder as TheirPlaceholder
from fastapi.dependencies.models import Dependant, _get_computed_scope

from slipstream._engine.plan.body import build_body_field, should_embed
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.model import Call
from slipstream._engine.signature.model import Origin, Signature
from slipstream.datastructures import DefaultPlaceholder

_SOURCES = {
    params.Path: "path",
    params.Query: "query",
    params.Header: "header",
    params.Cookie: "cookie",
    params.Body: "body",
    params.Form: "form",
    params.File: "file",
}
for _class, _source in _SOURCES.items():
    _class.slot_source = _source


class Translation:
    """Translates the routes of one app; equal fields stay one field."""

    def __init__(self) -> None:
        self.fields: dict[int, tuple[Any, ModelField]] = {}

    def routes(self, routes: Any) -> list[Any]:
        return [
            self.route(context)
            for context in routing.iter_route_contexts(routes)
            if isinstance(context.original_route, routing.APIRoute)
        ]

    def route(self, theirs: Any) -> Any:
        root = self.call(theirs.dependant)
        body = flat_body_params(root)
        return SimpleNamespace(
            **{name: getattr(theirs, name) for name in _SAME},
            callbacks=self.routes(theirs.callbacks) if theirs.callbacks else theirs.callbacks,
            response_class=self.default(theirs.response_class),
            response_field=self.field(theirs.response_field),
            response_fields={status: self.field(field) for status, field in theirs.response_fields.items()},
            stream_item_field=self.field(theirs.stream_item_field),
            body_field=self.body_field(body, theirs.unique_id),
            plan=SimpleNamespace(protocol="http", root=root),
        )

    def call(self, theirs: Dependant) -> Call:
        call = Call(
            signature=Signature(theirs.call, Origin("", None, None), (), inspect.Signature.empty, "sync"),
            path=theirs.path or "",
            name=theirs.name,
            use_cache=theirs.use_cache,
            scope=_get_computed_scope(dependant=theirs),
            own_scopes=tuple(theirs.own_oauth_scopes or ()),
            parent_scopes=tuple(theirs.parent_oauth_scopes or ()),
        )
        if theirs.security_scopes_param_name is not None:
            call.contexts.append((theirs.security_scopes_param_name, "scopes"))
        for kind in ("path_params", "query_params", "header_params", "cookie_params", "body_params"):
            getattr(call, kind).extend(self.field(field) for field in getattr(theirs, kind))
        call.dependencies = [self.call(dependency) for dependency in theirs.dependencies]
        return call

    def field(self, theirs: Any) -> Any:
        if theirs is None:
            return None
        if id(theirs) not in self.fields:
            info = copy(theirs.field_info)
            if hasattr(info, "example"):
                info.example = self.default(info.example)
            self.fields[id(theirs)] = (theirs, ModelField(theirs.name, info, theirs.mode, theirs.config))
        return self.fields[id(theirs)][1]

    def body_field(self, params: list[ModelField], name: str) -> ModelField | None:
        field = build_body_field(params, name=name, embed=should_embed(params))
        if field is not None:
            field.field_info.example = self.default(field.field_info.example)
        return field

    @staticmethod
    def default(value: Any) -> Any:
        return DefaultPlaceholder(value.value) if isinstance(value, TheirPlaceholder) else value


_SAME = (
    "path",
    "path_format",
    "methods",
    "endpoint",
    "name",
    "summary",
    "description",
    "response_description",
    "deprecated",
    "operation_id",
    "unique_id",
    "include_in_schema",
    "tags",
    "openapi_extra",
    "status_code",
    "responses",
    "is_sse_stream",
    "is_json_stream",
)
