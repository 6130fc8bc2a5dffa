"""How strict an application is with what clients send, as one choice: `FastAPI(limits=INTERNET)`.

Routers, inclusions and routes take `limits=` too; of each field, the innermost level that sets it counts. A mounted
application is below the one that mounts it. `SLIPSTREAM_LIMITS=internet` in the environment, or
`slipstream run --limits internet`, is what applies where no level sets a field.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Final, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

ON_DISCONNECT: Final = "slipstream.on_disconnect"
"""Key of a scope by which a route tells the server its `Limits.on_disconnect`."""

VARIABLE: Final = "SLIPSTREAM_LIMITS"
"""Environment variable with the name of the limits for what no level sets."""

DEEPEST: Final = 200
"""Levels of JSON that Pydantic reads at most."""


UNLIMITED: Final = sys.maxsize
"""For a size or a number that has no limit."""

Count = Annotated[int, Field(ge=0)]
Origin = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9+.-]*://[^/]+)$")]
Flag = Literal["Secure", "HttpOnly", "SameSite=Lax", "SameSite=Strict", "SameSite=None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on requests and additions to responses; each field is None where this level does not set it.

    Numbers are 0 or more, or `UNLIMITED`; `a | b` is `a` with the fields that `b` sets. A body that is too large gets
    a 413, other input a 422 or 400, a WebSocket 403 or close code 1009.

    Raises:
        ValidationError: A field has a value that it cannot have; a ValueError of Pydantic, which names the field.
    """

    body_size: Count | None = None
    """Bytes of a request's body, of whatever type. FastAPI: none; on the internet 16 MiB."""

    json_size: Count | None = None
    """Bytes of a body that is read as JSON. FastAPI: none; on the internet 1 MiB."""

    json_depth: Annotated[Count, Field(ge=1, le=DEEPEST)] | None = None
    """Levels of nesting of a JSON body, 1 to 200. FastAPI: about 990, by accident; here 200, on the internet 64."""

    json_constants: bool | None = None
    """Whether JSON may have NaN, Infinity and numbers too large for a float. FastAPI: yes; on the internet no."""

    form_fields: Count | None = None
    """Fields of a form that are no files. Starlette: 1,000."""

    form_files: Count | None = None
    """Files of a form. Starlette: 1,000."""

    form_part_size: Count | None = None
    """Bytes of one field of a form that is no file. Starlette: 1 MiB."""

    form_header_size: Count | None = None
    """Bytes of all headers of one part of a form. FastAPI: 8 headers of 4 KiB each; on the internet 4 KiB."""

    errors: Count | None = None
    """Errors that a 422 lists, of up to 10,000. FastAPI: all; here 100."""

    error_echo: Count | None = None
    """Bytes of JSON that the echo of an invalid input has. FastAPI: none; here 1,024."""

    websocket_message_size: Count | None = None
    """Bytes of a WebSocket message. uvicorn: 16 MiB; on the internet 1 MiB."""

    websocket_origins: tuple[Origin, ...] | None = None
    """Origins, such as `https://example.org`, that may open a WebSocket with a Cookie, beside the request's own host;
    `("*",)` for all. FastAPI: all; on the internet none."""

    docs: bool | None = None
    """Whether an application serves its OpenAPI document and its documentation pages; read when it is made.
    FastAPI: yes; on the internet no."""

    cookie_flags: tuple[Flag, ...] | None = None
    """Of `Secure`, `HttpOnly` and `SameSite=…`, what a Set-Cookie header that lacks it gets. FastAPI: nothing; on the
    internet all three, `SameSite=Lax`."""

    nosniff: bool | None = None
    """Whether responses get `X-Content-Type-Options: nosniff`. FastAPI: no; on the internet yes."""

    def __post_init__(self) -> None:
        given = self.given
        if given:
            _checker().model_validate(given)

    on_disconnect: Literal["cancel", "tell", "ignore"] | None = None
    """What becomes of a handler whose client leaves, under `slipstream run`: it is cancelled, told by
    `http.disconnect` (`Request.is_disconnected()`), or not even told. uvicorn: told."""

    def __or__(self, inner: "Limits") -> "Limits":
        return _checked(**{**self.given, **inner.given})

    @property
    def given(self) -> dict[str, Any]:
        """The fields that are set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@cache
def _checker() -> type[BaseModel]:
    """Make the model that checks fields; for the first limits that a program sets, since few programs do."""
    hints: Any = {name: (hint, None) for name, hint in get_type_hints(Limits, include_extras=True).items()}
    return create_model("Limits", __config__=ConfigDict(strict=True), **hints)


def _checked(**given: Any) -> Limits:
    """Make limits of fields that need no check."""
    limits = object.__new__(Limits)
    for each in fields(Limits):
        object.__setattr__(limits, each.name, given.get(each.name))
    return limits


OF_FORMS: Final = {"max_fields": "form_fields", "max_files": "form_files", "max_part_size": "form_part_size"}
"""Options of `Request.form`, and the fields that they are."""


def form_options(limits: Limits) -> dict[str, Any]:
    """Return the options of `Request.form`."""
    given = limits.given
    return {name: given[field] for name, field in OF_FORMS.items() if field in given}


def of_forms(options: Mapping[str, Any] | None) -> Limits:
    """Return the limits that options of `Request.form` say."""
    return Limits(**{OF_FORMS[name]: bound for name, bound in (options or {}).items()})


COMPATIBLE: Final = _checked(
    body_size=UNLIMITED,
    json_size=UNLIMITED,
    json_depth=DEEPEST,
    json_constants=True,
    form_fields=1000,
    form_files=1000,
    form_part_size=1024 * 1024,
    form_header_size=UNLIMITED,
    errors=100,
    error_echo=1024,
    websocket_message_size=UNLIMITED,
    websocket_origins=("*",),
    docs=True,
    cookie_flags=(),
    nosniff=False,
    on_disconnect="tell",
)
"""What FastAPI does, but for what would be a 5xx or a stall; the default."""

INTERNET: Final = COMPATIBLE | _checked(
    body_size=16 * 1024 * 1024,
    json_size=1024 * 1024,
    json_depth=64,
    json_constants=False,
    form_header_size=4096,
    websocket_message_size=1024 * 1024,
    websocket_origins=(),
    docs=False,
    cookie_flags=("Secure", "HttpOnly", "SameSite=Lax"),
    nosniff=True,
)
"""For an application that anyone can reach."""

BY_NAME: Final = {"compatible": COMPATIBLE, "internet": INTERNET}


def outermost() -> Limits:
    """Return the limits for what no level sets, as the environment says.

    Raises:
        ValueError: The environment names limits that there are not.
    """
    name = os.environ.get(VARIABLE) or "compatible"
    if name not in BY_NAME:
        raise ValueError(f"{VARIABLE} is {name!r}\n  write {' or '.join(BY_NAME)}")
    return BY_NAME[name]
