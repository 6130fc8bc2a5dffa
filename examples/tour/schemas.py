"""What comes in and what goes out. Limits stand here, once, and show in the OpenAPI document."""

import uuid
from datetime import datetime
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

T = TypeVar("T")

BIGGEST_ID = 2**63 - 1
"""The largest integer that an SQLite column holds; a larger one would fail in the driver."""

Username = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{2,31}$")]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]
ItemName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Description = Annotated[str, StringConstraints(max_length=2000)]
Cents = Annotated[int, Field(ge=0, le=100_000_000)]


class Input(BaseModel):
    """What clients send; a misspelt field is an error, not silence."""

    model_config = ConfigDict(extra="forbid")


class Output(BaseModel):
    """What clients get, read from the attributes of a table row."""

    model_config = ConfigDict(from_attributes=True)


class Paging(Input):
    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=1_000_000)


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int
    limit: int
    offset: int


class SignUp(Input):
    username: Username
    email: Annotated[EmailStr, AfterValidator(str.lower)]
    password: Password


class UserOut(Output):
    id: int
    username: str
    email: str
    created_at: datetime


class Token(BaseModel):
    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
    """Seconds."""


class ItemIn(Input):
    name: ItemName
    description: Description | None = None
    price_cents: Cents
    is_public: bool = False


class ItemPatch(Input):
    """Every field may be left out. Only the description may be null: the others always have a value.

    The defaults are never used (see `exclude_unset`); factories keep them out of the OpenAPI document.
    """

    name: ItemName = Field(default_factory=str)
    description: Description | None = None
    price_cents: Cents = Field(default_factory=int)
    is_public: bool = Field(default_factory=bool)


class ItemOut(Output):
    id: int
    owner_id: int
    name: str
    description: str | None
    price_cents: int
    is_public: bool
    created_at: datetime


class ItemQuery(Paging):
    q: str | None = Field(default=None, max_length=100, description="Part of the name")
    min_price: Cents | None = None
    max_price: Cents | None = None
    mine: bool = False
    sort: Literal["newest", "oldest", "name", "price"] = "newest"

    @model_validator(mode="after")
    def _check_price_range(self) -> Self:
        low, high = self.min_price, self.max_price
        if low is not None and high is not None and low > high:
            raise ValueError("min_price must not be greater than max_price")
        return self


class FileOut(Output):
    id: uuid.UUID
    name: str
    note: str
    size: int
    sha256: str
    created_at: datetime


class Tick(BaseModel):
    number: int
    watching: int
    at: datetime


class Health(BaseModel):
    status: Literal["ok"] = "ok"
