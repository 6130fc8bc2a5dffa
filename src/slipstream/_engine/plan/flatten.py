"""The parameters and security schemes of a whole tree, as flat lists; a shared dependency counts at its first place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel

from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.model import Call, CallKey, call_key, security_scheme
from slipstream._engine.signature.annotations import is_json, is_subclass, model_of

_MODEL_SOURCES = frozenset({"query", "header", "cookie"})


@dataclass(frozen=True, slots=True)
class SecurityUse:
    """A security scheme, and the scopes on the way to it."""

    scheme: Any
    scopes: tuple[str, ...]


@dataclass
class FlatCall:
    """The parameters of a tree outside the body, as they were declared, and its security schemes."""

    path: list[ModelField] = field(default_factory=list)
    query: list[ModelField] = field(default_factory=list)
    header: list[ModelField] = field(default_factory=list)
    cookie: list[ModelField] = field(default_factory=list)
    security: list[SecurityUse] = field(default_factory=list)

    @cached_property
    def params(self) -> list[ModelField]:
        """All parameters, with the fields of parameter models in their place; read it when the lists are complete."""
        return flat_fields((*self.path, *self.query, *self.header, *self.cookie))


def flatten(root: Call) -> FlatCall:
    """List the parameters and security schemes of a tree, parents before their dependencies."""
    flat = FlatCall()
    seen: list[CallKey] = []  # some callables have no hash
    stack: list[tuple[Call, tuple[str, ...]]] = [(root, ())]
    while stack:
        call, inherited = stack.pop()
        key = call_key(call)
        if key in seen:
            continue
        seen.append(key)
        scopes = tuple(dict.fromkeys((*inherited, *call.oauth_scopes)))
        flat.path += call.path_params
        flat.query += call.query_params
        flat.header += call.header_params
        flat.cookie += call.cookie_params
        if call is not root and (scheme := security_scheme(call.call)) is not None:
            flat.security.append(SecurityUse(scheme, scopes))
        stack.extend((dependency, scopes) for dependency in reversed(call.dependencies))
    return flat


def flat_params(root: Call) -> list[ModelField]:
    """List all parameters of a tree outside the body: path first, then query, header and cookie."""
    return flatten(root).params


def flat_body_params(root: Call) -> list[ModelField]:
    """List the body parameters of a tree; those of a shared dependency appear at each of its places."""
    return [item for call in root.walk() for item in call.body_params]


def flat_fields(fields: Sequence[ModelField]) -> list[ModelField]:
    """Replace each parameter model by its fields."""
    flat: list[ModelField] = []
    for item in fields:
        model = param_model(item)
        flat += [item] if model is None else model_fields(model)
    return flat


def param_model(item: ModelField) -> type[BaseModel] | None:
    """Return the model if a parameter is declared as a parameter model, whose fields are the real parameters."""
    annotation: Any = item.field_info.annotation
    if is_json(item.field_info):
        return None
    if slot_source(item) in _MODEL_SOURCES:
        return model_of(annotation)
    return annotation if is_subclass(annotation, BaseModel) else None


def slot_source(item: ModelField) -> str | None:
    """Return where a field is read; None for the fields of a model, which are read where the model is."""
    return getattr(item.field_info, "slot_source", None)


def request_names(item: ModelField, *, convert_underscores: bool = False) -> list[tuple[str, str]]:
    """List the names of a value, the preferred one first: pairs of the name that Pydantic knows and the one sent.

    If `convert_underscores`, `x_token` without an alias is sent as `x-token`, as headers are.
    """
    alias = item.validation_alias or item.alias
    sent = alias.replace("_", "-") if convert_underscores and alias == item.name else alias
    given = item.field_info.validation_alias
    choices = given.choices if isinstance(given, AliasChoices) else [given]
    if slot_source(item) == "path" or any(isinstance(choice, AliasPath) for choice in choices):
        return [(alias, sent)]
    # Underscores in `AliasChoices` stay.
    names = [(str(choice), str(choice)) for choice in choices] if isinstance(given, AliasChoices) else [(alias, sent)]
    # The model's configuration adds the field's own name, or allows it alone.
    config = item.config or {}
    own = (item.name, item.name.replace("_", "-") if convert_underscores else item.name)
    if config.get("validate_by_alias") is False:
        return [own]
    by_name = config.get("validate_by_name", config.get("populate_by_name", False))
    if by_name and all(alias != item.name for alias, _ in names):
        return [*names, own]
    return names
