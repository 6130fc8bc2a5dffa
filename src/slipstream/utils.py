"""Small functions that packages import from here; each belongs to one question about a path operation."""

import re
import warnings
from typing import Any, Literal, TypeVar

from pydantic import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from starlette.routing import Route

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.signature.annotations import is_pydantic_v1
from slipstream.datastructures import DefaultPlaceholder
from slipstream.exceptions import FastAPIDeprecationWarning, FastAPIError, PydanticV1NotSupportedError

T = TypeVar("T")

_RANGES = frozenset({"default", "1XX", "2XX", "3XX", "4XX", "5XX"})
_NO_WORD = re.compile(r"\W")
_BODILESS = frozenset({204, 205, 304})


def is_body_allowed_for_status_code(status_code: int | str | None) -> bool:
    """Whether a response of this status may have a body; OpenAPI's ranges (`2XX`) and `default` may."""
    if status_code is None or status_code in _RANGES:
        return True
    code = int(status_code)
    return code >= 200 and code not in _BODILESS


def get_path_param_names(path: str) -> set[str]:
    """List what stands between the braces of a path."""
    return set(re.findall("{(.*?)}", path))


def create_model_field(
    name: str,
    type_: Any,
    default: Any | None = PydanticUndefined,
    field_info: FieldInfo | None = None,
    alias: str | None = None,
    mode: Literal["validation", "serialization"] = "validation",
) -> ModelField:
    """Make the field that validates or serializes values of a type.

    Args:
        default: Its default, unless `field_info` says it.
        alias: Name on the wire, unless `field_info` says it.
        mode: "validation" for what comes in, "serialization" for what goes out.

    Raises:
        FastAPIError: Pydantic cannot handle the type.
        PydanticV1NotSupportedError: It is a model of `pydantic.v1`.
    """
    if is_pydantic_v1(type_):
        raise PydanticV1NotSupportedError(
            f"pydantic.v1 models are no longer supported: {type_!r}\n  make it a model of Pydantic 2"
        )
    field = ModelField(field_info or FieldInfo(annotation=type_, default=default, alias=alias), name, mode)
    try:
        _ = field.checker
    except PydanticSchemaGenerationError:
        raise FastAPIError(
            f"Invalid args for response field! {type_} is not a valid Pydantic field type\n"
            "  if it is a return annotation that is only there for readers and type checkers, such as\n"
            "  Response | dict, give the path operation decorator the parameter response_model=None"
        ) from None
    return field


def generate_unique_id(route: Route) -> str:
    """Make the default operation id: the endpoint's name, the path and one of the methods."""
    assert route.methods
    identifier = _NO_WORD.sub("_", f"{route.name}{route.path_format}")
    return f"{identifier}_{next(iter(route.methods)).lower()}"


def generate_operation_id_for_path(*, name: str, path: str, method: str) -> str:
    """Make an operation id. Deprecated: give `generate_unique_id_function` to the app."""
    warnings.warn(
        "generate_operation_id_for_path() is deprecated and not used by the framework itself",
        category=FastAPIDeprecationWarning,
        stacklevel=2,
    )
    return _NO_WORD.sub("_", f"{name}{path}") + f"_{method.lower()}"


def deep_dict_update(main_dict: dict[Any, Any], update_dict: dict[Any, Any]) -> None:
    """Update in place: dicts into dicts, lists to the end of lists, anything else replaced."""
    for key, new in update_dict.items():
        old = main_dict.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            deep_dict_update(old, new)
        elif isinstance(old, list) and isinstance(new, list):
            main_dict[key] = old + new
        else:
            main_dict[key] = new


def get_value_or_default(first_item: DefaultPlaceholder | T, *extra_items: DefaultPlaceholder | T) -> Any:
    """Return the first value that is no placeholder, or else the first; the innermost level stands first."""
    chosen = (item for item in (first_item, *extra_items) if not isinstance(item, DefaultPlaceholder))
    return next(chosen, first_item)
