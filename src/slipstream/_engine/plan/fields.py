"""A validated value: its name in Python, its names on the wire, its validator and serializer.

The attributes are those that FastAPI's `ModelField` has, since packages read them.
Validators are shared between fields of one annotation; the schema with title, default and
description is only built when the OpenAPI document asks for it.
"""

import warnings
from functools import cached_property, lru_cache
from operator import getitem
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic.warnings import UnsupportedFieldAttributeWarning
from pydantic_core import PydanticUndefined

from slipstream._engine.runtime.errors import located
from slipstream._engine.signature.merge import FIELD_ATTRIBUTES
from slipstream._engine.types import ErrorDetail, Location


class ModelField:
    """One value that a request carries or a response is made of.

    Args:
        name: The Python name of the parameter.
        field_info: Pydantic's description: annotation, constraints, default, aliases, documentation.
        mode: "validation" for what comes in, "serialization" for what goes out.
        config: Pydantic configuration of the model that the field comes from, if it comes from one.
    """

    def __init__(
        self,
        name: str,
        field_info: FieldInfo,
        mode: Literal["validation", "serialization"] = "validation",
        config: ConfigDict | None = None,
    ) -> None:
        self.name = name
        self.field_info = field_info
        self.mode = mode
        self.config = config

    def __repr__(self) -> str:
        return f"ModelField(name={self.name!r}, field_info={self.field_info!r}, mode={self.mode!r})"

    @property
    def alias(self) -> str:
        """Name on the wire, ignoring a validation alias."""
        return self.field_info.alias if self.field_info.alias is not None else self.name

    @property
    def validation_alias(self) -> str | None:
        """Name on the wire when it is read, if one was given as a string."""
        alias = self.field_info.validation_alias
        return alias if isinstance(alias, str) and alias else None

    @property
    def serialization_alias(self) -> str | None:
        """Name on the wire when it is written, if one was given."""
        return self.field_info.serialization_alias or None

    @property
    def default(self) -> Any:
        """Value when the request carries none; `PydanticUndefined` where one is required."""
        return self.get_default()

    @property
    def required(self) -> bool:
        """Whether a request without it is refused."""
        return self.field_info.is_required()

    def get_default(self) -> Any:
        """Make the default anew (a factory is called)."""
        if self.field_info.is_required():
            return PydanticUndefined
        return self.field_info.get_default(call_default_factory=True)

    @cached_property
    def type_adapter(self) -> TypeAdapter[Any]:
        """Adapter that carries everything `field_info` says; the one JSON Schema is made from."""
        info = self.field_info
        said = {name: getattr(info, name, PydanticUndefined) for name in FIELD_ATTRIBUTES}
        attributes: dict[str, Any] = {name: value for name, value in said.items() if value is not PydanticUndefined}
        # Subscripted by a call: the parts are only known now, which a type checker takes for a mistake.
        annotated: Any = getitem(cast(Any, Annotated), (info.annotation, *info.metadata, Field(**attributes)))
        with warnings.catch_warnings():
            # Aliases and the like mean nothing to a bare TypeAdapter; the engine honours them itself.
            warnings.simplefilter("ignore", category=UnsupportedFieldAttributeWarning)
            return TypeAdapter(annotated, config=self.config)

    @property
    def _type_adapter(self) -> TypeAdapter[Any]:
        """The name that packages know `type_adapter` by."""
        return self.type_adapter

    @cached_property
    def checker(self) -> TypeAdapter[Any]:
        """Adapter that validates and serializes; shared by all fields of one annotation with the same constraints."""
        info = self.field_info
        if info.discriminator is not None or self.config is not None:
            return self.type_adapter
        parts = (info.annotation, *info.metadata)
        try:
            # Unions that differ in order, 1 and 1.0 are equal but not the same; their text tells them apart.
            return _shared_adapter(parts, repr(parts))
        except TypeError:  # an unhashable annotation, such as Literal over a list
            return self.type_adapter

    def validate(
        self, value: Any, values: dict[str, Any] | None = None, *, loc: Location = ()
    ) -> tuple[Any, list[ErrorDetail]]:
        """Check a Python value.

        Args:
            value: What was read.
            values: Ignored; kept because packages pass it.
            loc: Where the value stood; put before each error's own location.

        Returns:
            The validated value and no errors, or None and at least one error.
        """
        try:
            return self.checker.validate_python(value, from_attributes=True), []
        except ValidationError as exc:
            return None, located(exc, loc)

    def serialize(self, value: Any, *, mode: Literal["json", "python"] = "json", **options: Any) -> Any:
        """Turn a validated value into JSON-compatible Python objects; options are Pydantic's."""
        return self.checker.dump_python(value, mode=mode, **options)

    def serialize_json(self, value: Any, **options: Any) -> bytes:
        """Turn a validated value into JSON text; options are Pydantic's."""
        return self.checker.dump_json(value, **options)


@lru_cache(maxsize=4096)
def _shared_adapter(parts: Any, _text: str) -> TypeAdapter[Any]:
    return TypeAdapter(parts[0] if len(parts) == 1 else getitem(cast(Any, Annotated), parts))


@lru_cache(maxsize=1024)
def model_fields(model: type[BaseModel]) -> tuple[ModelField, ...]:
    """Take a Pydantic model apart into fields, as parameter models and form models are read."""
    return tuple(
        ModelField(name, info, config=model.model_config if _takes_config(info.annotation) else None)
        for name, info in model.model_fields.items()
    )


def _takes_config(annotation: Any) -> bool:
    """Pydantic refuses a config for types that have one of their own."""
    if not isinstance(annotation, type):
        return True
    try:
        has_own = issubclass(annotation, (BaseModel, dict)) or hasattr(annotation, "__dataclass_fields__")
    except TypeError:  # a subscripted generic such as list[int]
        return True
    return not has_own
