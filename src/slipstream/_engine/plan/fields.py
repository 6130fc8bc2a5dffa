"""`ModelField`: a value with its names, validator and serializer, and with the attributes that packages read."""

import warnings
from dataclasses import dataclass, is_dataclass
from functools import cached_property, lru_cache
from operator import getitem
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic.warnings import UnsupportedFieldAttributeWarning
from pydantic_core import PydanticUndefined

from slipstream._engine.runtime.values import located
from slipstream._engine.signature.annotations import is_subclass
from slipstream._engine.signature.merge import FIELD_ATTRIBUTES
from slipstream._engine.types import Location, Taken


@dataclass(eq=False)
class ModelField:
    """One value of a request or a response; `config` is that of the Pydantic model that has the field, if one has."""

    field_info: FieldInfo
    name: str
    mode: Literal["validation", "serialization"] = "validation"
    config: ConfigDict | None = None

    @property
    def alias(self) -> str:
        """Name in requests, if there is no validation alias."""
        return self.field_info.alias if self.field_info.alias is not None else self.name

    @property
    def validation_alias(self) -> str | None:
        """Name in requests, if it was given as a string."""
        alias = self.field_info.validation_alias
        return alias if isinstance(alias, str) and alias else None

    @property
    def serialization_alias(self) -> str | None:
        """Name in responses, if one was given."""
        return self.field_info.serialization_alias or None

    @property
    def default(self) -> Any:
        return self.get_default()

    @property
    def required(self) -> bool:
        return self.field_info.is_required()

    def get_default(self) -> Any:
        """Return the default, a new object if there is a factory; `PydanticUndefined` if the value is required."""
        if self.field_info.is_required():
            return PydanticUndefined
        return self.field_info.get_default(call_default_factory=True)

    @cached_property
    def type_adapter(self) -> TypeAdapter[Any]:
        """Adapter with all of `field_info`, for the JSON Schema; made when the OpenAPI document is."""
        info = self.field_info
        said = {name: getattr(info, name, PydanticUndefined) for name in FIELD_ATTRIBUTES}
        attributes: dict[str, Any] = {name: value for name, value in said.items() if value is not PydanticUndefined}
        # A type checker refuses `Annotated[...]` with parts that are known at run time only.
        annotated: Any = getitem(cast(Any, Annotated), (info.annotation, *info.metadata, Field(**attributes)))
        with warnings.catch_warnings():
            # A TypeAdapter ignores aliases and the like; the engine applies them.
            warnings.simplefilter("ignore", category=UnsupportedFieldAttributeWarning)
            return TypeAdapter(annotated, config=self.config)

    @property
    def _type_adapter(self) -> TypeAdapter[Any]:
        """The adapter that validates, under the name by which packages read its schema; made with the route."""
        return self.checker

    @cached_property
    def checker(self) -> TypeAdapter[Any]:
        """Adapter that validates and serializes, shared by fields of the same annotation and constraints."""
        info = self.field_info
        if info.discriminator is not None or self.config is not None:
            return self.type_adapter
        parts = (info.annotation, *info.metadata)
        try:
            # Unions in another order are equal, 1 and 1.0 too, but they validate differently: their text is compared.
            return _shared_adapter(parts, repr(parts))
        except TypeError:  # an unhashable annotation, such as Literal over a list
            return self.type_adapter

    def validate(self, value: Any, values: dict[str, Any] | None = None, *, loc: Location = ()) -> Taken:
        """Return the validated value and no errors, or None and errors, located below `loc`; packages pass `values`."""
        try:
            return self.checker.validate_python(value, from_attributes=True), []
        except ValidationError as exc:
            return None, located(exc, loc)

    def serialize(self, value: Any, *, mode: Literal["json", "python"] = "json", **options: Any) -> Any:
        """Turn a validated value into Python objects that JSON knows; `options` are Pydantic's."""
        return self.checker.dump_python(value, mode=mode, **options)

    def serialize_json(self, value: Any, **options: Any) -> bytes:
        """Turn a validated value into JSON; `options` are Pydantic's."""
        return self.checker.dump_json(value, **options)


@lru_cache(maxsize=4096)
def _shared_adapter(parts: Any, _text: str) -> TypeAdapter[Any]:
    return TypeAdapter(parts[0] if len(parts) == 1 else getitem(cast(Any, Annotated), parts))


@lru_cache(maxsize=1024)
def model_fields(model: type[BaseModel]) -> tuple[ModelField, ...]:
    """Return the fields of a Pydantic model, as parameter models and form models are read."""
    fields = []
    for name, info in model.model_fields.items():
        kind: Any = info.annotation
        # Pydantic accepts no config for types that have their own.
        has_own = is_subclass(kind, (BaseModel, dict)) or (isinstance(kind, type) and is_dataclass(kind))
        fields.append(ModelField(info, name, config=None if has_own else model.model_config))
    return tuple(fields)


def is_plain_str(item: ModelField) -> bool:
    """Whether any string is valid and stays as it is: `str` or `str | None` without constraints."""
    info = item.field_info
    if info.metadata or info.discriminator is not None or item.config is not None:
        return False
    return info.annotation in (str, str | None)
