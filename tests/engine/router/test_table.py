"""The table answers as a literal scan of Starlette's router would, and says why when it has no answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from starlette.convertors import CONVERTOR_TYPES, Convertor
from starlette.routing import BaseRoute, Host, Match, Mount, Route, WebSocketRoute

from slipstream._engine.router.pattern import read_pattern
from slipstream._engine.router.table import Entry, Found, Miss, OpaqueEntry, Table

METHODS = ("GET", "POST", "PUT")


class Crossing(Convertor[str]):
    """A registered converter that may match slashes, or nothing."""

    regex = "[a-z]*(?:/[a-z]+)?"

    def convert(self, value: str) -> str:
        return value.upper()

    def to_string(self, value: str) -> str:
        return value.lower()


@pytest.fixture(autouse=True, scope="module")
def crossing_convertor() -> Iterator[None]:
    """Register `Crossing` for this module's tests."""
    CONVERTOR_TYPES["crossing"] = Crossing()
    yield
    del CONVERTOR_TYPES["crossing"]


def match(table: Table, method: str, path: str) -> Any:
    """Find the route of an HTTP request, as a chooser does."""
    return table.finders.get(method, table.find_any)(path)


# What is drawn ----------------------------------------------------------------------------------------------------

texts = st.sampled_from(["a", "a", "b", "b", "me", "1", "", "x-", "{no-name}", "(.*)", "a\n"])
kinds = st.sampled_from(["", "", "", ":int", ":float", ":uuid", ":path", ":str", ":crossing"])
uuids = ["12345678-1234-5678-1234-567812345678", "12345678123456781234567812345678"]
oddities = ["me", "a.b", "2.5", "", "x-", "\n", "a\n", "1\n", "a\nb", "x-1.b", "é", "{no-name}", "(.*)", *uuids]
values = st.sampled_from(["a", "b", "1"]) | st.sampled_from(oddities)
paths = st.lists(values, max_size=4).map(lambda parts: "/" + "/".join(parts)) | st.sampled_from(["", "*", "a", "/\n"])
method_sets = st.none() | st.frozensets(st.sampled_from(METHODS), max_size=2)


@st.composite
def written_paths(draw: st.DrawFn) -> str:
    """A path in Starlette's syntax, no name used twice."""
    names = iter("pqrstuvwxyz")
    segments = []
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.integers(0, 4)):
            case 0 | 1:
                segments.append(draw(texts))
            case 2 | 3:
                segments.append(f"{{{next(names)}{draw(kinds)}}}")
            case _:
                between = draw(st.sampled_from([".", "-", "x", ""]))
                segments.append(f"{{{next(names)}{draw(kinds)}}}{between}{{{next(names)}{draw(kinds)}}}")
    return "/" + "/".join(segments)


async def endpoint(*args: Any) -> None:
    """Serve nothing; routes only need one."""


@st.composite
def routes(draw: st.DrawFn) -> BaseRoute:
    """A route of Starlette's: plain ones more often than mounts and hosts."""
    match draw(st.integers(0, 9)):
        case 0:
            return Mount(draw(st.sampled_from(["", "/a", "/a/b", "/{m}", "/a/{m:int}"])), app=endpoint)
        case 1:
            return Host(draw(st.sampled_from(["a.org", "{sub}.org"])), app=endpoint)
        case 2 | 3:
            return WebSocketRoute(draw(written_paths()), endpoint)
    route = Route(draw(written_paths()), endpoint)
    route.methods = draw(method_sets)
    return route


def entry_for(rank: int, route: BaseRoute) -> Entry | OpaqueEntry:
    """Say what a route of Starlette's is in our table."""
    if isinstance(route, Route):
        methods = None if route.methods is None else frozenset(route.methods)
        return Entry(rank=rank, pattern=read_pattern(route.path), methods=methods, value=route)
    if isinstance(route, WebSocketRoute):
        return Entry(rank=rank, pattern=read_pattern(route.path), protocol="websocket", value=route)
    prefix = f"{route.path}/".partition("{")[0] if isinstance(route, Mount) else ""
    return OpaqueEntry(rank=rank, matches=route.matches, prefix=prefix, value=route)


def scope_for(path: str, method: str = "GET", protocol: str = "http", root_path: str = "") -> dict[str, Any]:
    """Write the scope of a request."""
    headers = [(b"host", b"a.org")]
    return {"type": protocol, "method": method, "path": root_path + path, "root_path": root_path, "headers": headers}


# The oracle: Starlette's own scan, word for word in what it decides ------------------------------------------------


def scan(routes: list[BaseRoute], scope: dict[str, Any]) -> list[tuple[BaseRoute, Match, dict[str, Any]]]:
    """Ask every route in order; list those that match in any way."""
    asked = [(route, *route.matches(scope)) for route in routes]
    return [(route, match, dict(child)) for route, match, child in asked if match is not Match.NONE]


def expected_found(routes: list[BaseRoute], scope: dict[str, Any]) -> tuple[BaseRoute, dict[str, Any]] | None:
    """Return the route that Starlette's router serves a request with, and its path parameters."""
    full = [(route, child["path_params"]) for route, match, child in scan(routes, scope) if match is Match.FULL]
    return full[0] if full else None


def expected_miss(routes: list[BaseRoute], scope: dict[str, Any], path: str) -> tuple[Any, ...]:
    """Return the first partial route, its path parameters, its methods, and the path to redirect to."""
    partial = scan(routes, scope)
    if partial:
        route = partial[0][0]
        return route, partial[0][2]["path_params"], sorted(route.methods), None  # type: ignore[attr-defined]
    redirect = None
    if path != "/" and scope["type"] == "http":
        toggled = scope["path"].rstrip("/") if path.endswith("/") else scope["path"] + "/"
        redirect = toggled if scan(routes, {**scope, "path": toggled}) else None
    return None, None, [], redirect


def params_of(found: Found) -> dict[str, Any]:
    """Return the path parameters, wherever they are."""
    if found.child_scope is None:
        return found.params
    params: dict[str, Any] = found.child_scope["path_params"]
    return params


def facts_of(miss: Miss) -> tuple[Any, ...]:
    """Write a miss the way `expected_miss` does."""
    if miss.partial is None:
        return None, None, list(miss.allowed), miss.redirect_path
    return miss.partial.value, params_of(miss.partial), list(miss.allowed), miss.redirect_path


@settings(max_examples=150, deadline=None)
@given(
    routes=st.lists(routes(), max_size=8),
    paths=st.lists(paths, min_size=1, max_size=12),
    method=st.sampled_from((*METHODS, "BREW")),
    protocol=st.sampled_from(["http", "http", "websocket"]),
    root_path=st.sampled_from(["", "", "/root"]),
)
def test_a_table_answers_as_a_scan_in_order(
    routes: list[BaseRoute], paths: list[str], method: str, protocol: str, root_path: str
) -> None:
    """Whatever is registered and asked, route, parameters, 405, redirect and 404 are Starlette's."""
    table = Table(entry_for(rank, route) for rank, route in enumerate(routes))

    for path in paths:
        if root_path and not path.startswith("/"):
            continue
        scope = scope_for(path, method, protocol, root_path)
        expected = expected_found(routes, scope)
        found = table.match_mixed(scope, path)
        assert (None if found is None else (found.value, params_of(found))) == expected
        if not table.is_mixed:
            plain = match(table, method, path) if protocol == "http" else table.find_websocket(path)
            assert plain == expected
        if found is None:
            assert facts_of(table.miss(scope, path)) == expected_miss(routes, scope, path)


# One behaviour each -----------------------------------------------------------------------------------------------


def entry(rank: int, path: str, *methods: str, protocol: Any = "http") -> Entry:
    """Make an entry that leads to its own rank."""
    return Entry(rank=rank, pattern=read_pattern(path), methods=frozenset(methods), protocol=protocol, value=rank)


def mount(rank: int, path: str) -> OpaqueEntry:
    """Make a mount of Starlette's that leads to its own rank."""
    return OpaqueEntry(rank=rank, matches=Mount(path, app=endpoint).matches, prefix=f"{path}/", value=rank)


def test_a_method_leads_past_routes_that_do_not_take_it() -> None:
    """`GET /items/{id}` and `PUT /items/{id}` are two routes."""
    table = Table([entry(0, "/{a}", "GET"), entry(1, "/x", "PUT"), entry(2, "/{b}")])

    assert match(table, "GET", "/x") == (0, {"a": "x"})
    assert match(table, "PUT", "/x") == (1, {})
    assert match(table, "BREW", "/x") == (2, {"b": "x"})


def test_head_does_not_follow_from_get() -> None:
    """FastAPI answers HEAD with 405 unless it is declared."""
    table = Table([entry(0, "/x", "GET")])

    assert match(table, "HEAD", "/x") is None


def test_protocols_do_not_mix() -> None:
    """A WebSocket never reaches an HTTP route of the same path, nor the other way round."""
    table = Table([entry(0, "/x"), entry(1, "/x", protocol="websocket"), entry(2, "/y", protocol="websocket")])

    assert match(table, "GET", "/x") == (0, {})
    assert table.find_websocket("/x") == (1, {})
    assert match(table, "GET", "/y") is None
    assert table.miss(scope_for("/y"), "/y") == Miss()


def test_a_path_that_fits_with_another_method_is_a_405_with_the_methods_of_the_first_route() -> None:
    """Starlette names the first route's methods, and no others."""
    table = Table([entry(0, "/{a}", "GET"), entry(1, "/x", "PUT", "DELETE"), entry(2, "/y", "POST")])

    miss = table.miss(scope_for("/x", "PATCH"), "/x")

    assert miss == Miss(partial=Found(0, {"a": "x"}), allowed=("GET",))


@pytest.mark.parametrize(
    ("path", "redirect"),
    [("/a/", "/a"), ("/a//", "/a"), ("/b", "/b/"), ("/static", "/static/"), ("/c", None), ("/", None), ("//", None)],
)
def test_a_slash_too_many_or_too_few_is_redirected(path: str, redirect: str | None) -> None:
    """Even where the other path would take another method: that is for its own answer to say."""
    table = Table([entry(0, "/a", "GET"), entry(1, "/b/", "POST"), mount(2, "/static")])

    assert table.match_mixed(scope_for(path), path) is None
    miss = table.miss(scope_for(path), path)
    assert (miss.partial, miss.redirect_path) == (None, redirect)


def test_a_redirect_keeps_the_root_path() -> None:
    """The client knows the application by its whole path."""
    table = Table([entry(0, "/a", "GET")])

    assert table.miss(scope_for("/a/", root_path="/root"), "/a/").redirect_path == "/root/a"


def test_redirects_can_be_off_and_websockets_have_none() -> None:
    """`redirect_slashes=False`; a handshake follows no redirect."""
    entries = [entry(0, "/a", "GET"), entry(1, "/a", protocol="websocket")]

    assert Table(entries, redirect_slashes=False).miss(scope_for("/a/"), "/a/") == Miss()
    assert Table(entries).miss(scope_for("/a/", protocol="websocket"), "/a/") == Miss()


def test_mounts_and_routes_keep_their_order() -> None:
    """A mount before a route takes its path away, a mount behind it does not."""
    table = Table([mount(0, "/early"), entry(1, "/early/{x}"), entry(2, "/late/{x}"), mount(3, "/late")])
    before = dict(scope := scope_for("/early/1"))

    early = table.match_mixed(scope, "/early/1")
    late = table.match_mixed(scope_for("/late/1"), "/late/1")
    behind = table.match_mixed(scope_for("/late/1/2"), "/late/1/2")

    assert table.is_mixed
    assert early is not None
    assert (early.value, params_of(early)) == (0, {})
    assert late == Found(2, {"x": "1"})
    assert behind is not None
    assert behind.value == 3
    assert scope == before


def test_an_opaque_entry_is_not_asked_in_vain() -> None:
    """A mount costs a request elsewhere one comparison of its prefix; one that comes too late costs nothing."""
    asked = []

    def matches(scope: Any) -> tuple[int, dict[str, Any]]:
        asked.append(scope["path"])
        return 0, {}

    opaque = [
        OpaqueEntry(rank=rank, matches=matches, prefix=prefix, value=rank) for rank, prefix in [(0, "/s/"), (2, "")]
    ]
    table = Table([*opaque, entry(1, "/{x}/{y}")])

    assert table.match_mixed(scope_for("/a/b"), "/a/b") == Found(1, {"x": "a", "y": "b"})
    assert asked == []
    assert table.match_mixed(scope_for("/s/b"), "/s/b") == Found(1, {"x": "s", "y": "b"})
    assert asked == ["/s/b"]
    assert table.match_mixed(scope_for("/c"), "/c") is None
    assert asked == ["/s/b", "/c"]


def test_a_foreign_route_that_fits_in_part_is_a_405_that_it_answers_itself() -> None:
    """Its methods are its own affair."""
    foreign = Route("/{x}", endpoint, methods=["PUT"])
    table = Table([OpaqueEntry(rank=0, matches=foreign.matches, value="foreign"), entry(1, "/x", "POST")])

    found = table.match_mixed(scope_for("/x"), "/x")

    assert found is not None
    assert (found.value, params_of(found)) == ("foreign", {"x": "x"})


def test_a_foreign_route_is_asked_once_for_a_path_that_nothing_serves() -> None:
    """A route class may count, or look something up; the path with a slash is another question."""
    asked: list[str] = []

    def matches(scope: Any) -> Any:
        asked.append(scope["path"])
        return 0, {}

    table = Table(
        [OpaqueEntry(rank=1, matches=matches, value="foreign"), entry(0, "/x", "POST"), entry(2, "/y", "POST")]
    )

    for path in ("/x", "/y", "/z"):
        assert table.match_mixed(scope_for(path), path) is None
        table.miss(scope_for(path), path)

    assert asked == ["/x", "/y", "/z", "/z/"]


def test_an_empty_table_misses() -> None:
    """An application may have no routes yet."""
    table = Table([])

    assert not table.is_mixed
    assert match(table, "GET", "/") is None
    assert table.find_websocket("/") is None
    assert table.match_mixed(scope_for("/a"), "/a") is None
    assert table.miss(scope_for("/a"), "/a") == Miss()


def test_static_paths_are_listed_with_what_a_match_finds() -> None:
    """A short way for whoever needs no parameters; a pattern that was there earlier keeps its paths."""
    table = Table(
        [
            Entry(rank=0, pattern=read_pattern("/a"), value="a", methods=frozenset({"GET"})),
            Entry(rank=1, pattern=read_pattern("/{name}"), value="any", methods=frozenset({"GET"})),
            Entry(rank=2, pattern=read_pattern("/b"), value="b", methods=frozenset({"GET", "PUT"})),
            Entry(rank=3, pattern=read_pattern("/c"), value="c"),
        ]
    )

    assert table.static == {"GET": {"/a": "a"}, "PUT": {"/b": "b", "/c": "c"}}
    for method, paths in table.static.items():
        for path, value in paths.items():
            assert match(table, method, path) == (value, {})
