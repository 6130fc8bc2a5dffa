"""Reads a body: messages to bytes, bytes to values within an application's `Limits`, values to parameters."""

import json
from collections.abc import Awaitable, Callable
from email.message import Message as MimeHeader
from functools import lru_cache, partial
from operator import methodcaller
from typing import Any, TypeAlias, TypeVar, cast

from pydantic import TypeAdapter
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from slipstream._engine.abc import Services
from slipstream._engine.runtime.take import Item
from slipstream._engine.runtime.values import UNSET, missing
from slipstream._engine.schema import finite_schema, may_nest
from slipstream._engine.types import ErrorDetail, Location, Message, Receive, Scope, Taken
from slipstream._foreign.pydantic import own_validator
from slipstream._foreign.starlette import bounded_form, limit_signal
from slipstream.limits import COMPATIBLE, DEEPEST, UNLIMITED, Limits, form_options

T = TypeVar("T")
Read: TypeAlias = Callable[[Any], Awaitable[T]]
Refuse: TypeAlias = Callable[[Exception], Exception]


def body_reader(refuse: Refuse, *, from_request: bool = False, most: int = UNLIMITED) -> Read[bytes]:
    """Make the function that reads a body from `receive`, or from a Request, which keeps it; `refuse` makes errors."""

    async def read_body(receive: Receive) -> bytes:
        try:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                return message.get("body", b"")  # type: ignore[no-any-return]  # ASGI says bytes
            chunks, left = [], most
            while message["type"] != "http.disconnect":
                chunks.append(message.get("body", b""))
                left -= len(chunks[-1])
                if left < 0:
                    raise too_large()
                if not message.get("more_body", False):
                    return b"".join(chunks)
                message = await receive()
            raise ClientDisconnect()
        except HTTPException:
            raise
        except Exception as exc:
            raise limit_signal(exc) or refuse(exc) from exc

    return request_reader(refuse, methodcaller("body")) if from_request else read_body


def request_reader(refuse: Refuse, read: Read[T]) -> Read[T]:
    """Make the function that reads a Request by `read`; `refuse` makes the exception where that fails."""

    async def read_request(request: Request[Any]) -> T:
        try:
            return await read(request)
        except HTTPException:
            raise
        except Exception as exc:
            raise limit_signal(exc) or refuse(exc) from exc

    return read_request


def form_reader(refuse: Refuse, limits: Limits) -> Read[FormData]:
    """Make the function that reads a form within limits; `refuse` makes its exception."""
    options, most = form_options(limits), limits.form_header_size
    if most is None or most == UNLIMITED:
        return request_reader(refuse, methodcaller("form", **options))
    return request_reader(refuse, partial(bounded_form, most=most, options=options))


@lru_cache(maxsize=256)
def is_json(content_type: bytes | None, strict: bool) -> bool:
    """Whether a Content-Type is `application/json` or `application/*+json`; a missing one is JSON unless `strict`."""
    if not content_type:
        return not strict
    header = MimeHeader()
    header["content-type"] = content_type.decode("latin-1")
    if header.get_content_maintype() != "application":
        return False
    subtype = header.get_content_subtype()
    return subtype == "json" or subtype.endswith("+json")


def body_decoder(
    services: Services,
    strict: bool,
    where: Callable[[Scope], dict[str, Any]],
    report: Callable[[Scope, ErrorDetail, str], None] | None = None,
    limits: Limits = COMPATIBLE,
) -> Callable[..., Any]:
    """Make the function that parses a JSON body; others stay bytes, an empty one is `UNSET`; `report` gets errors."""

    check, most = json_checker(limits), json_size(limits)

    def decode(raw: bytes, content_type: bytes | None, scope: Scope) -> Any:
        if not raw:
            return UNSET
        try:
            if not is_json(content_type, strict):
                return raw
            if len(raw) > most:
                raise too_large()
            value = json.loads(raw)
            check(raw, value)
            return value
        except HTTPException:
            raise
        except json.JSONDecodeError as exc:
            detail: ErrorDetail = {"type": "json_invalid", "loc": ("body", exc.pos), "msg": "JSON decode error"}
            detail |= {"input": {}, "ctx": {"error": exc.msg}}
            if report is not None:
                report(scope, detail, exc.doc)
            raise services.request_error([detail], exc.doc, where(scope), limits) from exc
        except Exception as exc:  # no UTF-8, nested too deep, a number too long
            raise services.body_error(exc) from exc

    return decode


def whole_taker(item: Item) -> Callable[[Any], Taken]:
    return partial(item.settle, loc=("body",))


def key_taker(item: Item) -> Callable[[Any], Taken]:
    """Make the function that reads a parameter from one key of a JSON object."""

    def take(body: Any) -> Taken:
        loc: Location = ("body", item.names[0][0])
        if body is UNSET or isinstance(body, bytes):
            return item.settle(UNSET, loc)
        get = getattr(body, "get", None)
        if get is None:  # a list, a number or null has no keys
            return None, [missing(loc)]
        value = UNSET
        for name, _ in item.names:
            value = get(name, UNSET)
            if value is not UNSET:
                loc = ("body", name)
                break
        return item.settle(value, loc)

    return take


async def no_body() -> Message:
    """Return an empty body: the `receive` of a Request that is made without an HTTP request."""
    return {"type": "http.request", "body": b"", "more_body": False}


def too_large() -> HTTPException:
    return HTTPException(413, "Content Too Large")


def json_size(limits: Limits) -> int:
    """Return how many bytes of JSON may come."""
    bounds = (limits.body_size, limits.json_size)
    return min((bound for bound in bounds if bound is not None), default=UNLIMITED)


def json_parser(checker: TypeAdapter[Any], limits: Limits) -> Callable[[bytes], Any]:
    """Make the function that parses and validates JSON at once; it gives `UNSET` for what has to be looked at closely.

    What is well-formed costs nothing more where the schema says all that may come: no `Any`, no functions.
    """
    parse = checker.validator.validate_json
    deepest = limits.json_depth or DEEPEST
    needs_depth = deepest < DEEPEST and may_nest(checker.core_schema)
    if limits.json_constants is not False and not needs_depth:
        return parse
    strict = None if needs_depth else own_validator(checker, finite_schema(checker.core_schema))
    return strict or partial(_parse_unless_odd, parse, limits.json_constants is False, deepest)


def _parse_unless_odd(parse: Callable[[bytes], Any], refuses_constants: bool, deepest: int, raw: bytes) -> Any:
    if raw.count(b"[") + raw.count(b"{") > deepest:
        return UNSET
    if refuses_constants:
        figures = raw.translate(_FIGURES, b"+-")
        if b"NaN" in raw or b"Infinity" in raw or b"e000" in figures or _MANY in figures:
            return UNSET
    return parse(raw)


_FIGURES = bytes.maketrans(b"123456789E", b"000000000e")
_MANY = b"0" * 200  # with an exponent of two digits, fewer make no number that is too large


def json_checker(limits: Limits) -> Callable[[bytes, Any], None]:
    """Make the function that raises a JSONDecodeError if parsed JSON is not within the limits."""
    deepest = limits.json_depth or DEEPEST
    refuses_constants = limits.json_constants is False
    write = json.JSONEncoder(ensure_ascii=False, allow_nan=not refuses_constants).encode

    def check(raw: bytes, value: Any) -> None:
        if raw.count(b"[") + raw.count(b"{") > deepest and _is_deeper(value, deepest):
            raise _fault(f"Nested deeper than {deepest} levels", raw)
        # Half a surrogate pair comes as an escape, in bytes that begin with ED, or in UTF-16; no answer could quote it.
        if not refuses_constants and b"\\u" not in raw and b"\xed" not in raw and b"\0" not in raw:
            return
        try:
            write(value).encode()
        except UnicodeEncodeError:
            raise _fault("Half a surrogate pair", raw) from None
        except ValueError:
            raise _fault("NaN, an infinity or a number too large", raw) from None

    return check


def _fault(message: str, raw: bytes) -> json.JSONDecodeError:
    return json.JSONDecodeError(message, raw.decode(errors="replace"), 0)


def _is_deeper(value: Any, deepest: int) -> bool:
    """Whether lists and dicts are nested deeper, level by level: in linear time, and without recursion."""
    level = [value] if type(value) in (dict, list) else []
    for _ in range(deepest):
        inside = (item for each in level for item in (each.values() if type(each) is dict else cast(Any, each)))
        level = [item for item in inside if type(item) in (dict, list)]
    return bool(level)
