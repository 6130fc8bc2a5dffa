"""JSON responses with and without the packages that they are named after."""

import dataclasses
import datetime
import enum
import uuid
from typing import Any

import fastapi.exceptions
import fastapi.responses
import orjson
import pytest

from slipstream import exceptions, responses

pytestmark = pytest.mark.filterwarnings("ignore:.*JSONResponse is deprecated")


class Kind(enum.Enum):
    one = 1


class Word(enum.StrEnum):
    two = "2"


@dataclasses.dataclass
class Point:
    x: int
    _hidden: int = 2


VALUES: list[Any] = [
    {"a": 1.5, "ü": ["é\u2028/<", None, True, (1, 2)]}, [1e16, 1e-7, 1e22, 5e-324, -0.0, 0.1, 123456789.123],
    [float("nan"), float("-inf")], datetime.datetime(2020, 1, 1, 2, 3, 4),
    datetime.datetime(2020, 1, 1, 2, 3, 4, 5, datetime.UTC), datetime.date(2020, 1, 1), datetime.time(1, 2, 3),
    uuid.UUID(int=3), Kind.one, Word.two, Point(1), "\x00\x1f\x7f\t\n\"\\",
    {1: 1, None: 2, 2.5: 3, uuid.UUID(int=3): 4, datetime.date(2020, 1, 1): 5, Word.two: 6, True and "t": 7},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_orjsons_bytes_need_no_orjson(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many programs name `ORJSONResponse`; they should run where it is not installed."""
    expected = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)

    assert responses.ORJSONResponse(value).body == expected
    monkeypatch.setattr(responses, "orjson", None)
    assert responses.ORJSONResponse(value).body == expected


def test_what_orjson_refuses_is_refused_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set would otherwise work on one machine and fail on the next."""
    monkeypatch.setattr(responses, "orjson", None)

    with pytest.raises(TypeError, match="not JSON serializable: set"):
        responses.ORJSONResponse({1})


def test_ujson_escapes_slashes_with_and_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the package does by default."""

    class Fake:
        @staticmethod
        def dumps(content: Any, *, ensure_ascii: bool) -> str:
            return f"{content}{ensure_ascii}"

    monkeypatch.setattr(responses, "ujson", None)
    assert responses.UJSONResponse({"a": "é/", "b": [1, 2]}).body == '{"a":"é\\/","b":[1,2]}'.encode()
    monkeypatch.setattr(responses, "ujson", Fake)
    assert responses.UJSONResponse(1).body == b"1False"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["ORJSONResponse", "UJSONResponse"])
def test_json_of_other_packages_is_deprecated_as_under_fastapi(name: str) -> None:
    """Where it is made; a response model does the same, and faster."""
    for module in (responses, fastapi.responses) if name == "ORJSONResponse" else (responses,):
        kind = vars(fastapi.exceptions if module is fastapi.responses else exceptions)["FastAPIDeprecationWarning"]
        with pytest.warns(kind, match=f"^{name} is deprecated") as warned:
            vars(module)[name]({})
        assert module is not responses or [each.filename for each in warned] == [__file__]


def test_a_package_that_is_not_there_is_none() -> None:
    """Only looking for it must not fail."""
    assert responses._imported("no_such_package_at_all") is None
