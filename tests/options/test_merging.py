"""Options of application, routers, inclusions and routes: drawn at every level, merged as FastAPI merges them."""

from typing import Any

import fastapi
import fastapi.responses
import fastapi.testclient
import pytest
from hypothesis import given, settings, strategies as st

import slipstream
import slipstream.responses
import slipstream.routing
import slipstream.testclient
from slipstream._options.levels import InheritedOptions, RouteOptions, TaggedOptions
from slipstream._options.unpack import names_of

FRAMEWORKS = (fastapi, slipstream)


async def endpoint(name: str = fastapi.Form("nobody")) -> str:
    """What it does."""
    return name


async def own_endpoint(name: str = slipstream.Form("nobody")) -> str:
    """What it does."""
    return name


own_endpoint.__name__ = endpoint.__name__


def first() -> None: ...
def second() -> None: ...
def third() -> None: ...


def by_name(route: Any) -> str:
    return f"by_name_{route.name}"


def by_path(route: Any) -> str:
    return f"by_path_{route.path_format}"


def told(value: Any) -> Any:
    """Write an option so that equal ones of both frameworks are equal."""
    if type(value).__name__ == "DefaultPlaceholder":
        return ("default", told(value.value))
    if isinstance(value, list | tuple):
        return [told(getattr(each, "dependency", getattr(each, "path", each))) for each in value]
    return getattr(value, "__name__", value)


ATTRIBUTES = sorted(
    {"path", "path_format", "unique_id", *names_of(RouteOptions)}
    # Objects of each framework; FastAPI keeps bounds on forms elsewhere, and has no limits.
    - {"dependency_overrides_provider", "form_limits", "limits"}
)

SHARED: dict[str, st.SearchStrategy[Any]] = {
    "dependencies": st.lists(st.sampled_from(["first", "second", "third"]), max_size=2),
    "responses": st.dictionaries(
        st.sampled_from([404, 409, "5XX"]), st.sampled_from([{"description": "a"}, {"description": "b", "model": int}])
    ),
    "callbacks": st.lists(st.sampled_from(["/one", "/two"]), max_size=2),
    "deprecated": st.sampled_from([None, True, False]),
    "include_in_schema": st.booleans(),
    "generate_unique_id_function": st.sampled_from([by_name, by_path]),
    "max_body_size": st.sampled_from([None, 0, 10, 100]),
    "form_limits": st.sampled_from([None, {}, {"max_fields": 1}, {"max_fields": 9}, {"max_part_size": 2}]),
}
CLASS = st.sampled_from(["HTMLResponse", "PlainTextResponse", "JSONResponse"])
TAGS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2)
STRICT = st.booleans()
OF_APP = st.fixed_dictionaries({}, optional={**SHARED, "default_response_class": CLASS, "strict_content_type": STRICT})
OF_INCLUSION = st.fixed_dictionaries({}, optional={**SHARED, "tags": TAGS, "default_response_class": CLASS})
OF_ROUTER = st.fixed_dictionaries(
    {}, optional={**SHARED, "tags": TAGS, "default_response_class": CLASS, "strict_content_type": STRICT}
)
OF_ROUTE = st.fixed_dictionaries(
    {},
    optional={
        **SHARED,
        "tags": TAGS,
        "response_class": CLASS,
        "response_model": st.sampled_from([None, str, int]),
        "status_code": st.sampled_from([None, 201]),
        "summary": st.sampled_from([None, "summary"]),
        "description": st.sampled_from([None, "text\ffurther"]),
        "response_description": st.just("described"),
        "operation_id": st.sampled_from([None, "id"]),
        "response_model_include": st.sampled_from([None, {"a"}]),
        "response_model_exclude": st.sampled_from([None, {"b"}]),
        "response_model_by_alias": st.booleans(),
        "response_model_exclude_unset": st.booleans(),
        "response_model_exclude_defaults": st.booleans(),
        "response_model_exclude_none": st.booleans(),
        "name": st.sampled_from([None, "named"]),
        "openapi_extra": st.sampled_from([None, {"x-more": 1}]),
    },
)


def test_every_option_that_levels_share_is_drawn() -> None:
    """Whoever adds one learns here that it has to be compared with FastAPI."""
    assert set(SHARED) | {"limits"} == set(names_of(InheritedOptions))  # ours alone: tests/app/test_limits.py
    assert set(names_of(TaggedOptions)) - set(names_of(InheritedOptions)) == {"tags"}


TREE: st.SearchStrategy[Any] = st.deferred(
    lambda: st.tuples(OF_ROUTER, st.lists(OF_ROUTE, max_size=2), st.lists(st.tuples(OF_INCLUSION, TREE), max_size=2))
)


def made(framework: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Turn drawn options into those of a framework."""
    callbacks = framework.APIRouter()
    for path in options.get("callbacks", ()):
        callbacks.post(path, name=path.strip("/"))(third)
    ready = {
        "dependencies": lambda names: [framework.Depends(globals()[name]) for name in names],
        "callbacks": lambda paths: callbacks.routes,
        "response_class": lambda name: getattr(framework.responses, name),
        "default_response_class": lambda name: getattr(framework.responses, name),
    }
    return {name: ready.get(name, lambda value: value)(value) for name, value in options.items()}


def grow(framework: Any, router: Any, routes: Any, inclusions: Any) -> None:
    """Add routes to a router, every second one as plug-ins do that make it themselves, and the included routers."""
    own = endpoint if framework is fastapi else own_endpoint
    for number, options in enumerate(routes):
        if number % 2 == 0:
            router.post(f"/r{number}", **made(framework, options))(own)
        else:
            route = framework.routing.APIRoute(f"/own/r{number}", own, methods=["POST"], **made(framework, options))
            router.routes.append(route)
    for number, (of_inclusion, (of_router, inner_routes, inner_inclusions)) in enumerate(inclusions):
        inner = framework.APIRouter(prefix="/own", **made(framework, of_router))
        grow(framework, inner, inner_routes, inner_inclusions)
        router.include_router(inner, prefix=f"/i{number}", **made(framework, of_inclusion))


def seen(framework: Any, of_app: Any, routes: Any, inclusions: Any) -> list[Any]:
    """Every path operation with its options, what it answers to a form of three fields, and the document."""
    app = framework.FastAPI(**made(framework, of_app))
    grow(framework, app, routes, inclusions)
    client = framework.testclient.TestClient(app, raise_server_exceptions=False)
    found: list[Any] = []
    for context in framework.routing.iter_route_contexts(app.routes):
        if isinstance(context.original_route, framework.routing.APIRoute):
            response = client.post(context.path, data={"name": "abc", "x": "1", "y": "2"})
            found.append({name: told(getattr(context, name)) for name in ATTRIBUTES})
            found[-1]["deprecated"] = bool(context.deprecated)  # False and None mark nothing, whoever said which
            found.append((response.status_code, response.headers.get("content-type"), response.text[:60]))
    return [*found, app.openapi()]


@pytest.mark.parametrize(
    "of_router",
    [
        {"default_response_class": "HTMLResponse"},
        {"generate_unique_id_function": by_path},
        {"strict_content_type": False},
        {"max_body_size": 5},
        {"form_limits": {"max_fields": 1}},
    ],
    ids=lambda of_router: next(iter(of_router)),
)
def test_a_route_that_was_put_into_a_router_takes_its_options_when_it_is_included(of_router: dict[str, Any]) -> None:
    """Plug-ins make routes themselves; the router's options come to them by the inclusion alone."""
    theirs, ours = (seen(framework, {}, [], [({}, (of_router, [{}, {}], []))]) for framework in FRAMEWORKS)

    assert ours == theirs


@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")  # drawn operations may share one
@settings(max_examples=25, deadline=None)
@given(
    of_app=OF_APP, routes=st.lists(OF_ROUTE, max_size=2), inclusions=st.lists(st.tuples(OF_INCLUSION, TREE), max_size=2)
)
def test_options_of_every_level_merge_as_fastapis(of_app: Any, routes: Any, inclusions: Any) -> None:
    """Whoever moves a route from an application to a router, or includes one twice, must not be surprised."""
    theirs, ours = (seen(framework, of_app, routes, inclusions) for framework in FRAMEWORKS)

    assert ours == theirs
