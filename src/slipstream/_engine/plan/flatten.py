"""What a whole tree of calls asks of a request, as flat lists.

A dependency that several calls share counts once, at its first place; a parameter model counts as
its fields. Nothing here knows how the lists are documented.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeAlias

from pydantic import AliasChoices, AliasPath, BaseModel

from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.model import Call
from slipstream._engine.signature.annotations import is_json, is_subclass, model_of

CallKey: TypeAlias = tuple[Callable[..., Any], tuple[str, ...], str]
"""Two calls with one key are one call: the callable, the scopes it can see, and when it closes."""

_MODEL_SOURCES = frozenset({"query", "header", "cookie"})


@dataclass(frozen=True, slots=True)
class SecurityUse:
    """One use of a security scheme, with the scopes asked for on the way to it."""

    scheme: Any
    scopes: tuple[str, ...]


@dataclass
class FlatCall:
    """Everything that a tree of calls reads outside the body, in the order it is asked for.

    The lists hold parameters as they were declared; `flat_fields` takes parameter models apart.
    """

    path: list[ModelField] = field(default_factory=list)
    query: list[ModelField] = field(default_factory=list)
    header: list[ModelField] = field(default_factory=list)
    cookie: list[ModelField] = field(default_factory=list)
    security: list[SecurityUse] = field(default_factory=list)

    @cached_property
    def params(self) -> list[ModelField]:
        """Every single parameter, those of parameter models among them: path, query, header, cookie.

        Ask for it when the lists are complete.
        """
        return flat_fields((*self.path, *self.query, *self.header, *self.cookie))


def flatten(root: Call) -> FlatCall:
    """Gather the parameters and the security schemes of a tree, parents before their dependencies."""
    flat = FlatCall()
    for call, scopes in _distinct_calls(root):
        flat.path += call.path_params
        flat.query += call.query_params
        flat.header += call.header_params
        flat.cookie += call.cookie_params
        if call is not root and (scheme := security_scheme(call.call)) is not None:
            flat.security.append(SecurityUse(scheme, scopes))
    return flat


def flat_params(root: Call) -> list[ModelField]:
    """List every single parameter of a tree: path first, then query, header and cookie."""
    return flatten(root).params


def flat_body_params(root: Call) -> list[ModelField]:
    """List the body parameters of a tree; one that a shared dependency asks for appears at each of its places."""
    params = list(root.body_params)
    for dependency in root.dependencies:
        params += flat_body_params(dependency)
    return params


def flat_fields(fields: Sequence[ModelField]) -> list[ModelField]:
    """Replace each parameter model by its fields."""
    flat: list[ModelField] = []
    for item in fields:
        model = param_model(item)
        if model is None:
            flat.append(item)
        else:
            flat += model_fields(model)
    return flat


def param_model(item: ModelField) -> type[BaseModel] | None:
    """Return the model whose fields are the real parameters, if the parameter is declared as one."""
    annotation: Any = item.field_info.annotation
    if is_json(item.field_info):
        return None
    if slot_source(item) in _MODEL_SOURCES:
        return model_of(annotation)
    return annotation if is_subclass(annotation, BaseModel) else None


def slot_source(item: ModelField) -> str | None:
    """Say where a field is read; None for the fields of a model, which are read where the model is."""
    return getattr(item.field_info, "slot_source", None)


def request_names(item: ModelField, *, convert_underscores: bool = False) -> list[tuple[str, str]]:
    """List the names a value may come under, best first.

    Args:
        item: The parameter, or the field of a parameter model or form model.
        convert_underscores: Turn `x_token` into `x-token` where nobody chose a name, as headers do.

    Returns:
        Pairs of the name that Pydantic knows and the name on the wire.
    """
    alias = item.validation_alias or item.alias
    wire = alias.replace("_", "-") if convert_underscores and alias == item.name else alias
    given = item.field_info.validation_alias
    choices = given.choices if isinstance(given, AliasChoices) else [given]
    if slot_source(item) == "path" or any(isinstance(choice, AliasPath) for choice in choices):
        return [(alias, wire)]
    # Names listed as choices are meant literally, underscores and all.
    names = [(str(choice), str(choice)) for choice in choices] if isinstance(given, AliasChoices) else [(alias, wire)]
    return _with_python_name(item, names, convert_underscores)


def _with_python_name(
    item: ModelField, names: list[tuple[str, str]], convert_underscores: bool
) -> list[tuple[str, str]]:
    """Add the field's own name, or let it replace the aliases, as the model's configuration says."""
    config = item.config or {}
    own = (item.name, item.name.replace("_", "-") if convert_underscores else item.name)
    if config.get("validate_by_alias") is False:
        return [own]
    by_name = config.get("validate_by_name", config.get("populate_by_name", False))
    if by_name and all(alias != item.name for alias, _ in names):
        return [*names, own]
    return names


def security_scheme(call: Callable[..., Any]) -> Any | None:
    """Return the security scheme behind a callable, through partials and decorators; None if it is none."""
    bare: Any = call
    while isinstance(bare, partial):
        bare = bare.func
    bare = inspect.unwrap(bare)
    if isinstance(bare, type) or inspect.isroutine(bare):
        return None
    # The class of schemes stands on a higher floor: whoever has a scheme's two attributes is one.
    is_scheme = isinstance(getattr(bare, "scheme_name", None), str) and hasattr(bare, "model")
    return bare if is_scheme else None


def _distinct_calls(root: Call) -> Iterator[tuple[Call, tuple[str, ...]]]:
    """Walk the tree in order, each distinct call once, with the scopes gathered on the way to it."""
    if not root.dependencies:
        yield root, root.oauth_scopes
        return
    sees_scopes: dict[int, bool] = {}
    seen = _Seen()
    stack: list[tuple[Call, tuple[str, ...]]] = [(root, ())]
    while stack:
        call, inherited = stack.pop()
        if seen.before(call_key(call, sees_scopes)):
            continue
        scopes = tuple(dict.fromkeys((*inherited, *call.oauth_scopes)))
        yield call, scopes
        stack.extend((dependency, scopes) for dependency in reversed(call.dependencies))


def call_key(call: Call, sees_scopes: dict[int, bool] | None = None) -> CallKey:
    """Tell calls apart: scopes only matter to a call that can see them.

    Args:
        call: A call in a tree.
        sees_scopes: Answers kept from call to call while one tree is walked, by `id`.
    """
    memo = {} if sees_scopes is None else sees_scopes
    scopes = tuple(sorted(set(call.oauth_scopes))) if _sees_scopes(call, memo) else ()
    return call.call, scopes, call.lifetime or ""


def _sees_scopes(call: Call, memo: dict[int, bool]) -> bool:
    """Whether the scopes asked for can make a difference to a call or to anything below it."""
    known = memo.get(id(call))
    if known is None:
        known = memo[id(call)] = (
            bool(call.own_scopes)
            or any(kind == "scopes" for _, kind in call.contexts)
            or security_scheme(call.call) is not None
            or any(_sees_scopes(dependency, memo) for dependency in call.dependencies)
        )
    return known


class _Seen:
    """Keys met so far; callables that cannot be hashed are compared one by one."""

    def __init__(self) -> None:
        self.hashed: set[CallKey] = set()
        self.listed: list[CallKey] = []

    def before(self, key: CallKey) -> bool:
        """Say whether a key was met before, and remember it."""
        try:
            met = key in self.hashed
            self.hashed.add(key)
        except TypeError:
            met = key in self.listed
            self.listed.append(key)
        return met
