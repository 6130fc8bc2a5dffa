"""The classes of a parameter's default or metadata.

`Query` and its like are Pydantic's field descriptions, with the place of the value in a request as `slot_source`;
`Depends` and `Security` name a callable.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Literal, Unpack

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from slipstream._engine.types import ContextKind, SlotSource
from slipstream._options.params import NOT_PYDANTIC, Example, ValueOptions
from slipstream._options.unpack import completed, unpacks
from slipstream.concurrency import ConcurrencyLimit
from slipstream.datastructures import _Unset
from slipstream.exceptions import FastAPIDeprecationWarning


class ParamTypes(Enum):
    """The places of parameters outside of the body, in OpenAPI's words."""

    query = "query"
    header = "header"
    path = "path"
    cookie = "cookie"


# Pydantic declares FieldInfo final but supports subclasses ("HACK 2" in its source), hence the ignores on each class.
class _Value(FieldInfo):  # type: ignore[misc]
    """The base of all classes of values."""

    slot_source: SlotSource
    example: Any
    include_in_schema: bool
    openapi_examples: dict[str, Example] | None

    def __init__(self, default: Any, annotation: Any, options: ValueOptions, **own: Any) -> None:
        for name, value in own.items():  # not by `vars`, which makes a dictionary for each instance
            setattr(self, name, value)
        given: Any = completed(ValueOptions, options, type(self).__name__, _Unset)
        for old, new, absent in (("example", "examples", _Unset), ("regex", "pattern", None)):
            if given[old] is not absent:
                # Frames above: the class, the function of `param_functions`, the user's line.
                text = f"`{old}` has been deprecated, please use `{new}` instead"
                warnings.warn(text, category=FastAPIDeprecationWarning, stacklevel=4)
        self.example = given["example"]
        self.include_in_schema = given["include_in_schema"]
        self.openapi_examples = given["openapi_examples"]

        given |= {"default": default, "annotation": annotation, "pattern": given["pattern"] or given["regex"]}
        if given["serialization_alias"] in (_Unset, None) and isinstance(given["alias"], str):
            given["serialization_alias"] = given["alias"]
        if given["validation_alias"] in (_Unset, None):
            given["validation_alias"] = given["alias"]
        super().__init__(
            **{name: value for name, value in given.items() if value is not _Unset and name not in NOT_PYDANTIC}
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.default})"


class Param(_Value):  # type: ignore[misc]
    """A value outside of the body; not derived from, a query parameter."""

    in_: ParamTypes
    slot_source: SlotSource = "query"

    @unpacks(ValueOptions, _Unset)
    def __init__(
        self, default: Any = PydanticUndefined, *, annotation: Any | None = None, **options: Unpack[ValueOptions]
    ) -> None:
        super().__init__(default, annotation, options)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "in_" in cls.__dict__ and "slot_source" not in cls.__dict__:
            cls.slot_source = cls.in_.value


class Path(Param):  # type: ignore[misc]
    """A part of the path. A request always has it, so a default is an AssertionError."""

    in_ = ParamTypes.path

    @unpacks(ValueOptions, _Unset)
    def __init__(self, default: Any = ..., *, annotation: Any | None = None, **options: Unpack[ValueOptions]) -> None:
        assert default is ..., "Path parameters cannot have a default value"
        _Value.__init__(self, default, annotation, options)


class Query(Param):  # type: ignore[misc]
    """A value of the query string, or a model made of all of them."""

    in_ = ParamTypes.query


class Header(Param):  # type: ignore[misc]
    """A request header, or a model made of all of them.

    Args:
        convert_underscores: Read the parameter `user_agent` from the header `user-agent`.
    """

    in_ = ParamTypes.header
    convert_underscores: bool

    @unpacks(ValueOptions, _Unset)
    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        annotation: Any | None = None,
        convert_underscores: bool = True,
        **options: Unpack[ValueOptions],
    ) -> None:
        _Value.__init__(self, default, annotation, options, convert_underscores=convert_underscores)


class Cookie(Param):  # type: ignore[misc]
    """A cookie, or a model made of all of them."""

    in_ = ParamTypes.cookie


class Body(_Value):  # type: ignore[misc]
    """The body, or one key of it.

    Args:
        embed: Expect an object with the parameter's name as a key. None: only if there are several body parameters.
        media_type: Media type in the documentation.
    """

    slot_source: SlotSource = "body"
    embed: bool | None
    media_type: str

    @unpacks(ValueOptions, _Unset)
    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        annotation: Any | None = None,
        embed: bool | None = None,
        media_type: str = "application/json",
        **options: Unpack[ValueOptions],
    ) -> None:
        super().__init__(default, annotation, options, embed=embed, media_type=media_type)


class Form(Body):  # type: ignore[misc]
    """A field of a form, or a model made of all of them."""

    slot_source: SlotSource = "form"

    @unpacks(ValueOptions, _Unset)
    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        annotation: Any | None = None,
        media_type: str = "application/x-www-form-urlencoded",
        **options: Unpack[ValueOptions],
    ) -> None:
        _Value.__init__(self, default, annotation, options, embed=None, media_type=media_type)


class File(Form):  # type: ignore[misc]
    """A file of a form, as `bytes` or as an `UploadFile`."""

    slot_source: SlotSource = "file"

    @unpacks(ValueOptions, _Unset)
    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        annotation: Any | None = None,
        media_type: str = "multipart/form-data",
        **options: Unpack[ValueOptions],
    ) -> None:
        _Value.__init__(self, default, annotation, options, embed=None, media_type=media_type)


@dataclass(frozen=True)
class Depends:
    """A callable to be called first; see `param_functions.Depends`."""

    dependency: Callable[..., Any] | None = None
    use_cache: bool = True
    scope: Literal["function", "request"] | None = None
    max_concurrency: int | None = field(default=None, kw_only=True)
    # Equal only to itself, so that `Annotated` keeps two limited declarations apart; an argument, so that
    # `dataclasses.replace` hands it on.
    _concurrency: ConcurrencyLimit | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        most, limit = self.max_concurrency, self._concurrency
        if most is None:
            limit = None
        elif type(most) is not int or most < 1:
            raise ValueError("max_concurrency must be a positive integer or None")
        elif limit is None or limit.max_concurrency != most:
            limit = ConcurrencyLimit(most)
        object.__setattr__(self, "_concurrency", limit)

    @property
    def security_scopes(self) -> Sequence[str]:
        """OAuth2 scopes that the dependency asks for, in order."""
        return ()

    @property
    def limit(self) -> ConcurrencyLimit | None:
        """The bound on simultaneous calls; None without `max_concurrency`."""
        return self._concurrency


@dataclass(frozen=True)
class Security(Depends):
    """A dependency that asks for OAuth2 scopes."""

    scopes: Sequence[str] | None = field(default=None, hash=False)  # may be a list, which has no hash

    @property
    def security_scopes(self) -> Sequence[str]:
        """OAuth2 scopes that the dependency asks for, in order."""
        return self.scopes or ()


class SecurityScopes:
    """The scopes that a path operation and its dependencies on the way to this one ask for.

    Annotate a dependency's parameter with it.
    """

    __module__ = "slipstream.security.oauth2"  # its public address

    slot_context: ClassVar[ContextKind] = "scopes"
    """What the engine recognizes the annotation by."""

    scopes: list[str]
    """The scopes, outermost first, each once."""

    scope_str: str
    """The same, separated by spaces, as a `WWW-Authenticate` header wants them."""

    def __init__(self, scopes: list[str] | None = None) -> None:
        self.scopes = scopes or []
        self.scope_str = " ".join(self.scopes)
