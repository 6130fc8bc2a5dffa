"""Templates in both orders of arguments."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
from starlette.requests import Request

from slipstream.templating import Jinja2Templates


@pytest.fixture
def templates(tmp_path: Path) -> Jinja2Templates:
    (tmp_path / "page.html").write_text("{{ word }}:{{ request.method }}")
    return Jinja2Templates(tmp_path)


REQUEST = Request({"type": "http", "method": "GET", "headers": []})
CALLS: dict[str, Callable[[Any], Any]] = {
    "today's order": lambda render: render(REQUEST, "page.html", {"word": "<a>"}, 201, {"x-a": "b"}),
    "today's names": lambda render: render(
        request=REQUEST, name="page.html", context={"word": "<a>"}, status_code=201, headers={"x-a": "b"}
    ),
    "older order": lambda render: render("page.html", {"word": "<a>", "request": REQUEST}, 201, {"x-a": "b"}),
    "older, mixed": lambda render: render(
        "page.html", context={"word": "<a>", "request": REQUEST}, status_code=201, headers={"x-a": "b"}
    ),
    "older names": lambda render: render(
        name="page.html", context={"word": "<a>", "request": REQUEST}, status_code=201, headers={"x-a": "b"}
    ),
    "name first, request by name": lambda render: render(
        "page.html", {"word": "<a>"}, request=REQUEST, status_code=201, headers={"x-a": "b"}
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_template_is_rendered_in_any_order(templates: Jinja2Templates, call: Callable[[Any], Any]) -> None:
    """Programs written before Starlette 1.0 put the name first and the request into the context."""
    answer = call(templates.TemplateResponse)

    assert (answer.status_code, answer.headers["x-a"]) == (201, "b")
    assert answer.body == b"&lt;a&gt;:GET"
    assert answer.context["word"] == "<a>"


def test_the_older_order_needs_a_request_too(templates: Jinja2Templates) -> None:
    """`url_for` reads it."""
    with pytest.raises(ValueError, match='"request"'):
        templates.TemplateResponse("page.html", {"word": "x"})


def test_environment_options_reach_jinja(tmp_path: Path) -> None:
    """Starlette 1.0 wants an environment for that."""
    (tmp_path / "page.html").write_text("[[ word ]]")
    templates = Jinja2Templates(tmp_path, variable_start_string="[[", variable_end_string="]]", autoescape=False)

    assert templates.TemplateResponse(REQUEST, "page.html", {"word": "<a>"}).body == b"<a>"
    assert "url_for" in templates.env.globals


def test_context_processors_add_to_the_context(tmp_path: Path) -> None:
    """With an environment of one's own."""
    env = jinja2.Environment(loader=jinja2.DictLoader({"page.html": "{{ word }}"}))
    templates = Jinja2Templates(env=env, context_processors=[lambda request: {"word": request.method}])

    assert templates.TemplateResponse(REQUEST, "page.html").body == b"GET"


def test_a_folder_or_an_environment_but_not_both(tmp_path: Path) -> None:
    """Anything else is a mistake."""
    env = jinja2.Environment()
    for options in ({}, {"directory": tmp_path, "env": env}, {"env": env, "autoescape": False}):
        with pytest.raises(AssertionError):
            Jinja2Templates(**options)
