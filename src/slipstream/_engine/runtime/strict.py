"""Holds what clients send to an application's `Limits`."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from pydantic import TypeAdapter
from starlette.exceptions import HTTPException

from slipstream._engine.runtime.values import UNSET
from slipstream._engine.schema.questions import finite_schema, may_nest
from slipstream._foreign.pydantic import own_validator
from slipstream.limits import DEEPEST, UNLIMITED, Limits


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
