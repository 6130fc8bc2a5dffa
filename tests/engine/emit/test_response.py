"""The text that makes a response of the endpoint's result."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from slipstream import BackgroundTasks, Response
from slipstream.responses import HTMLResponse, JSONResponse, PlainTextResponse
from slipstream.testclient import TestClient

Serve = Callable[..., TestClient]


class Item(BaseModel):
    name: str
    price: float | None = None
    secret: str = Field("x", alias="hidden")


class Public(BaseModel):
    name: str


class Special(Public):
    extra: int = 1


class Revalidated(BaseModel):
    model_config = ConfigDict(revalidate_instances="always")
    checks: int = 0

    @model_validator(mode="after")
    def count(self) -> "Revalidated":
        self.__dict__["checks"] += 1
        return self


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"name": "a", "price": None, "hidden": "x"}),
        ({"response_model_exclude_none": True}, {"name": "a", "hidden": "x"}),
        ({"response_model_exclude_unset": True}, {"name": "a"}),
        ({"response_model_exclude_defaults": True}, {"name": "a"}),
        ({"response_model_by_alias": False}, {"name": "a", "price": None, "secret": "x"}),
        ({"response_model_include": {"name"}}, {"name": "a"}),
        ({"response_model_exclude": {"secret", "price"}}, {"name": "a"}),
    ],
    ids=range(7),
)
def test_options_of_the_response_model_hold(serve: Serve, options: dict[str, Any], body: dict[str, Any]) -> None:
    """Whether a model or a dictionary was returned."""

    async def model() -> Any:
        return Item(name="a")

    async def mapping() -> Any:
        return {"name": "a"}

    for endpoint in (model, mapping):
        assert serve(endpoint, response_model=Item, **options).post("/").json() == body


def test_only_the_fields_of_the_response_model_go_out(serve: Serve) -> None:
    """A subclass with more of them, or a row with a password, must not leak it."""

    async def endpoint() -> Any:
        return Special(name="a")

    assert serve(endpoint, response_model=Public).post("/").json() == {"name": "a"}


def test_an_instance_that_wants_to_be_validated_again_is(serve: Serve) -> None:
    """`revalidate_instances` is for those that are changed after they are made."""

    async def endpoint() -> Any:
        return Revalidated()

    assert serve(endpoint, response_model=Revalidated).post("/").json() == {"checks": 2}


def test_a_result_that_does_not_fit_is_a_500(serve: Serve) -> None:
    """It is the program's fault; nothing of it is shown."""

    async def endpoint() -> Any:
        return {"nam": "secret"}

    response = serve(endpoint, response_model=Item).post("/")

    assert (response.status_code, response.text) == (500, "Internal Server Error")


def test_a_response_is_sent_as_it_is(serve: Serve) -> None:
    """Whatever the decorator says of models, classes and statuses."""

    async def endpoint() -> Any:
        return PlainTextResponse("a", 418, {"x-a": "1"})

    for options in ({}, {"response_model": Item}, {"response_class": HTMLResponse, "status_code": 201}):
        response = serve(endpoint, **options).post("/")
        assert (response.status_code, response.text, response.headers["x-a"]) == (418, "a", "1")


@pytest.mark.parametrize("options", [{}, {"response_class": JSONResponse}], ids=["bytes", "object"])
def test_what_was_injected_holds_on_both_ways(serve: Serve, options: dict[str, Any]) -> None:
    """Written in place or through a class: status, headers, cookies, background tasks."""
    ran = []

    async def endpoint(response: Response, tasks: BackgroundTasks) -> Any:
        response.status_code = 202
        response.headers["x-a"] = "1"
        response.set_cookie("b", "2")
        tasks.add_task(ran.append, 1)
        return {"a": 1}

    answer = serve(endpoint, status_code=201, **options).post("/")

    assert (answer.status_code, answer.headers["x-a"], answer.cookies["b"]) == (202, "1", "2")
    assert (answer.json(), answer.headers["content-type"], answer.headers["content-length"]) == (
        {"a": 1}, "application/json", "7",
    )  # fmt: skip
    assert ran == [1]


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(serve: Serve, status: int) -> None:
    """Neither bytes nor a length."""

    async def endpoint(): ...  # type: ignore[no-untyped-def]  # an annotation would be a response model

    response = serve(endpoint, status_code=status).post("/")

    assert (response.status_code, response.content) == (status, b"")
    assert "content-length" not in response.headers
