"""What a bot offers a program: API calls, their hooks, tokens."""

from typing import Any

import pytest

from slipstream.bots.adapters import Bot, bearer_token, same_token
from slipstream.bots.drivers import HTTPConnection, HTTPRequest, HTTPResponse
from slipstream.bots.exception import MockApiException

pytestmark = pytest.mark.anyio

REQUEST = HTTPRequest("1.1", "http", "/")


class Base(Bot):
    """A bot whose API says what it was asked."""

    @property
    def type(self) -> str:
        return "base"

    @classmethod
    async def check_permission(cls, driver: Any, request: HTTPConnection) -> tuple[str | None, HTTPResponse | None]:
        return None, None

    async def handle_message(self, message: bytes) -> None: ...

    async def _call_api(self, api: str, **data: Any) -> Any:
        if api == "fail":
            raise ConnectionError("no")
        return api, data

    async def send(self, event: Any, message: Any, **kwargs: Any) -> Any: ...


def fresh() -> Any:
    return type("Fresh", (Base,), {})


async def test_an_unknown_attribute_is_an_api_call() -> None:
    """Names of hidden calls, which begin with an underscore, included; Python's own are not."""
    bot = fresh()("1", REQUEST)

    assert await bot.send_msg(text="x") == ("send_msg", {"text": "x"})
    assert await bot._hidden() == ("_hidden", {})
    assert await bot.call_api("get", a=1) == ("get", {"a": 1})
    with pytest.raises(AttributeError):
        _ = bot.__wrapped__
    assert repr(bot) == "<Fresh '1'>"


async def test_hooks_run_before_and_after_a_call() -> None:
    """The one may change the data, the other sees what came of it."""
    kind, told = fresh(), []

    @kind.on_calling_api
    async def before(bot: Bot, api: str, data: dict[str, Any]) -> None:
        data["added"] = True

    @kind.on_called_api
    async def after(bot: Bot, exception: Exception | None, api: str, data: dict[str, Any], result: Any) -> None:
        told.append((exception, api, data, result))

    bot = kind("1", REQUEST)
    result = await bot.get()
    with pytest.raises(ConnectionError):
        await bot.fail()

    assert result == ("get", {"added": True})
    assert told[0] == (None, "get", {"added": True}, result)
    assert isinstance(told[1][0], ConnectionError)


async def test_a_hook_that_raises_is_logged_and_the_call_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Before or after."""
    kind = fresh()

    @kind.on_calling_api
    async def before(*args: Any) -> None:
        raise RuntimeError("before")

    @kind.on_called_api
    async def after(*args: Any) -> None:
        raise RuntimeError("after")

    assert await kind("1", REQUEST).get() == ("get", {})
    assert "RuntimeError: before" in caplog.text
    assert "RuntimeError: after" in caplog.text


async def test_a_hook_can_answer_in_place_of_the_platform() -> None:
    """Before the call, or instead of its result."""
    kind, other = fresh(), fresh()

    @kind.on_calling_api
    async def before(*args: Any) -> None:
        raise MockApiException("mocked")

    @other.on_called_api
    async def after(*args: Any) -> None:
        raise MockApiException("replaced")

    assert await kind("1", REQUEST).fail() == "mocked"
    assert await other("1", REQUEST).fail() == "replaced"


async def test_hooks_of_a_class_hold_for_its_subclasses_and_for_no_other() -> None:
    """Two adapters of one process do not hear each other's calls."""
    parent, stranger, told = fresh(), fresh(), []
    child = type("Child", (parent,), {})

    @parent.on_calling_api
    async def before(bot: Bot, api: str, data: dict[str, Any]) -> None:
        told.append(type(bot))

    for kind in (parent, child, stranger):
        await kind("1", REQUEST).get()

    assert told == [parent, child]


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [
        ("a", "a", True),
        ("ü", "ü".encode(), True),
        ("a", "b", False),
        ("", "", False),
        (None, None, False),
        ("a", None, False),
        (None, "a", False),
    ],
)
def test_tokens_are_the_same_only_if_there_is_one(given: Any, expected: Any, same: bool) -> None:
    """A token that is not set admits nobody."""
    assert same_token(given, expected) is same


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer x", "x"), ("bearer  x ", "x"), ("Token x", "x"), ("Basic x", None), ("Bearer", None), ("", None)],
)
def test_a_token_stands_in_the_authorization_header(header: str, token: str | None) -> None:
    """In the two forms that platforms use."""
    assert bearer_token(HTTPRequest("1.1", "http", "/", headers={"authorization": header})) == token
