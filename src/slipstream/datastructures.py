"""Small data structures: Starlette's, an `UploadFile` that Pydantic can validate, and marks for defaults."""

from typing import Any, TypeVar, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema
from starlette.datastructures import (
    URL as URL,
    Address as Address,
    FormData as FormData,
    Headers as Headers,
    QueryParams as QueryParams,
    State as State,
    UploadFile as StarletteUploadFile,
)


class UploadFile(StarletteUploadFile):
    """A file that came with a form; it is closed after the response.

    `read(size)`, `write(data)`, `seek(offset)` and `close()` are coroutines; sizes and offsets are in bytes, and
    `read()` reads all that is left. In a plain `def` function use `file`, which is an ordinary Python file.

    Attributes:
        file: The Python file object; blocking.
        filename: Name that the client gave; never trust it as a path.
        size: Size in bytes.
        headers: Headers of the file's own part of the form.
        content_type: Media type that the client claims.
    """

    @classmethod
    def _validate(cls, value: Any, _: Any) -> "UploadFile":
        if not isinstance(value, StarletteUploadFile):
            raise ValueError(f"Expected UploadFile, received: {type(value)}")
        return cast(UploadFile, value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "contentMediaType": "application/octet-stream"}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(cls._validate)


class DefaultPlaceholder:
    """A default that may be replaced by the default of an outer router or the app."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefaultPlaceholder) and bool(other.value == self.value)

    def __hash__(self) -> int:
        return hash(DefaultPlaceholder)  # the value may be unhashable

    def __repr__(self) -> str:
        return f"Default({self.value!r})"


DefaultType = TypeVar("DefaultType")


def Default(value: DefaultType) -> DefaultType:  # noqa: N802  # FastAPI's name
    """Mark `value` as a default that outer defaults replace; type checkers see the value itself."""
    return cast(DefaultType, DefaultPlaceholder(value))


_Unset: Any = Default(None)
"""Stands for "not given" where None means something."""
