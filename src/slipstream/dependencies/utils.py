"""Reading and solving dependencies by hand, under FastAPI's names: for packages that serve requests in their own way.

What the framework itself serves is compiled; `solve_dependencies` walks the same trees (`_routes/solving.py`).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ForwardRef, cast

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from starlette.datastructures import FormData

from slipstream._engine.errors import NO_FORM_PARSER, OTHER_FORM_PARSER
from slipstream._engine.plan.body import build_body_field, form_models, should_embed
from slipstream._engine.plan.build import require_form_parser
from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.flatten import flat_body_params, flat_params, request_names
from slipstream._engine.plan.items import form_item, item_model, read_member
from slipstream._engine.plan.model import Call
from slipstream._engine.plan.tree import build_tree
from slipstream._engine.runtime.take import is_supplied, pick, read_again
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.signature.annotations import is_subclass, stream_item
from slipstream._engine.signature.names import written_signature
from slipstream._engine.types import DependencyScope
from slipstream._routes.dependant import Dependant, dependant_of
from slipstream._routes.services import IMPLIED, public_errors
from slipstream._routes.solving import (
    SolvedDependency as SolvedDependency,
    request_body_to_args as request_body_to_args,
    request_params_to_args as request_params_to_args,
    solve_dependencies as solve_dependencies,
)
from slipstream.dependencies.models import _get_cache_key
from slipstream.params import Depends, Security

get_flat_params = flat_params
get_stream_item_type = stream_item
lenient_issubclass = is_subclass
multipart_incorrect_install_error = OTHER_FORM_PARSER
multipart_not_installed_error = NO_FORM_PARSER
_get_flat_body_params = flat_body_params
_get_form_models = form_models
_get_param_aliases = request_names
_read_file_bytes = read_again
_should_embed_body_fields = should_embed


def get_dependant(
    *,
    path: str,
    call: Callable[..., Any],
    name: str | None = None,
    own_oauth_scopes: list[str] | None = None,
    parent_oauth_scopes: list[str] | None = None,
    use_cache: bool = True,
    scope: DependencyScope | None = None,
    concurrency: Any = None,
) -> Dependant:
    """Read a callable and everything that it depends on; the arguments are those of `Dependant`.

    Raises:
        DefinitionError: It asks for something that no request has.
    """
    scopes = [*(parent_oauth_scopes or []), *(own_oauth_scopes or [])]
    dependant = get_parameterless_sub_dependant(depends=Security(call, scopes=scopes, scope=scope), path=path)
    dependant.own_oauth_scopes = own_oauth_scopes or []
    dependant.parent_oauth_scopes = parent_oauth_scopes or []
    dependant.name, dependant.use_cache, dependant.limit = name, use_cache, concurrency
    return dependant


def get_parameterless_sub_dependant(*, depends: Depends, path: str) -> Dependant:
    """Read a dependency whose result no parameter receives."""
    with public_errors():
        root = build_tree(_nothing, path=path, implied=IMPLIED, dependencies=[cast(Any, depends)])
    return dependant_of(root.dependencies[0])


def _nothing() -> None:
    """Stand in for an endpoint."""


def get_flat_dependant(dependant: Call, *, skip_repeats: bool = False, visited: Any = None) -> Dependant:
    """Gather the parameters of a tree in one call without dependencies.

    Args:
        skip_repeats: Take a dependency that is used several times once.
        visited: Ignored; packages pass it.
    """
    flat, seen = Dependant(path=dependant.path, call=dependant.call), []
    waiting = [dependant]
    while waiting:
        call = waiting.pop()
        key = _get_cache_key(dependant=call)
        if skip_repeats and key in seen:
            continue
        seen.append(key)
        for shelf in ("path_params", "query_params", "header_params", "cookie_params", "body_params"):
            getattr(flat, shelf).extend(getattr(call, shelf))
        waiting.extend(reversed(call.dependencies))
    return flat


def get_typed_signature(call: Callable[..., Any]) -> inspect.Signature:
    """Return a callable's parameters, their annotations evaluated."""
    names = _globals_of(call)
    return inspect.Signature(
        [
            parameter.replace(annotation=get_typed_annotation(parameter.annotation, names))
            for parameter in _signature_of(call).parameters.values()
        ]
    )


def get_typed_return_annotation(call: Callable[..., Any]) -> Any:
    """Return what a callable says it returns, evaluated; None where it does not say."""
    annotation = _signature_of(call).return_annotation
    return None if annotation is inspect.Signature.empty else get_typed_annotation(annotation, _globals_of(call))


def get_typed_annotation(annotation: Any, globalns: dict[str, Any]) -> Any:
    """Evaluate an annotation that is text; one whose names are unknown stays a reference."""
    if not isinstance(annotation, str):
        return annotation
    try:
        value = eval(annotation, globalns)
    except NameError:
        return ForwardRef(annotation)
    return None if value is type(None) else value


def _signature_of(call: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(call, eval_str=True)
    except NameError:
        return written_signature(call)


def _globals_of(call: Callable[..., Any]) -> dict[str, Any]:
    return getattr(inspect.unwrap(call), "__globals__", {})


def get_cached_model_fields(model: type[BaseModel]) -> list[ModelField]:
    """List the fields of a model."""
    return list(model_fields(model))


def _normalize_form_model(value: Any, *, model: type[BaseModel]) -> Any:
    """Return a form's values as one model of a union reads them."""
    return read_member(model, value)


def _is_form_model_supplied(model: type[BaseModel], received_body: FormData) -> bool:
    """Whether a form has a field of a model, or any where the model takes further ones."""
    return is_supplied(item_model(model, map(form_item, model_fields(model))), received_body)


def _get_multidict_value(field: ModelField, values: Mapping[str, Any], alias: str) -> Any:
    """Return the raw value of a name, or all of them for a sequence; `PydanticUndefined` where there is none."""
    value = pick(form_item(field), values, alias)
    return PydanticUndefined if value is UNSET else value


def get_validation_alias(field: ModelField) -> str:
    """Return the name that a value is read under."""
    return field.validation_alias or field.alias


def ensure_multipart_is_installed() -> None:
    """Raise RuntimeError if python-multipart is not installed."""
    require_form_parser("ensure_multipart_is_installed()")


def _get_body_field(*, body_params: list[ModelField], name: str, embed_body_fields: bool) -> ModelField | None:
    """Make the field that documents a body."""
    return build_body_field(body_params, name=name, embed=embed_body_fields)


def get_body_field(*, flat_dependant: Call, name: str, embed_body_fields: bool) -> ModelField | None:
    """Make the field that documents the body of a flat dependant."""
    return build_body_field(flat_dependant.body_params, name=name, embed=embed_body_fields)
