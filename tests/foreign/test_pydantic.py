"""Pydantic's option to build a model's validator from the schema given, and the way without it."""

from math import inf
from typing import Any

import pytest
from pydantic import VERSION, BaseModel, TypeAdapter, ValidationError

from slipstream._engine.runtime.body import json_parser
from slipstream._engine.runtime.values import UNSET
from slipstream._foreign import pydantic as foreign
from slipstream.limits import COMPATIBLE, INTERNET


class Inner(BaseModel):
    number: float


class Outer(BaseModel):
    inner: list[Inner]


ADAPTER: TypeAdapter[Any] = TypeAdapter(Outer)
HAS_OPTION = tuple(map(int, VERSION.split(".")[:2])) >= (2, 13)


def test_the_option_is_known() -> None:
    """Else all requests pay for what few could be refused for."""
    assert foreign.knows_option() is HAS_OPTION


@pytest.mark.skipif(not HAS_OPTION, reason="Pydantic before 2.13: the tests without the option")
def test_numbers_of_inner_models_are_finite() -> None:
    """The models' own validators would let them in."""
    parse = json_parser(ADAPTER, INTERNET)

    assert parse(b'{"inner": [{"number": 1}]}') == Outer(inner=[Inner(number=1)])
    with pytest.raises(ValidationError, match="finite number"):
        parse(b'{"inner": [{"number": NaN}]}')
    assert json_parser(ADAPTER, COMPATIBLE)(b'{"inner": [{"number": Infinity}]}').inner[0].number == inf


@pytest.mark.parametrize("body", [b'{"inner": [{"number": NaN}]}', b'{"inner": [{"number": 1e999}]}'])
def test_without_the_option_odd_bodies_are_looked_at_closely(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release without it costs time, and lets nothing in."""
    monkeypatch.setattr(foreign, "knows_option", lambda: False)
    parse = json_parser(ADAPTER, INTERNET)

    assert parse(body) is UNSET
    assert parse(b'{"inner": [{"number": 1e99}]}') == Outer(inner=[Inner(number=1e99)])


def test_a_core_that_does_not_take_the_option_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of Pydantic before 2.13 do not."""

    def refuses(schema: Any, **options: Any) -> Any:
        raise TypeError(f"unexpected {options}")

    monkeypatch.setattr(foreign, "SchemaValidator", refuses)

    assert not foreign.knows_option.__wrapped__()
