"""What is measured: requests, and the requests by which candidates are checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.data import ONE, ROUTES

HEADERS = {
    "host": "shop.example.com",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "application/json, text/plain, */*",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-US,en;q=0.7,de;q=0.3",
    "connection": "keep-alive",
    "referer": "https://shop.example.com/lamps",
    "x-token": "5e0d2c8f1b7a4c66",
}


@dataclass(frozen=True)
class Call:
    """One request, and the status that is right for it."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    without: tuple[str, ...] = ()
    """Names of headers to leave out."""
    status: int = 200

    def scope(self) -> dict[str, Any]:
        """Make the scope that uvicorn makes."""
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name not in self.without]
        if self.body:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", b"%d" % len(self.body)))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 51234),
            "scheme": "http",
            "root_path": "",
            "headers": headers,
            "state": {},
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query.encode(),
        }


@dataclass(frozen=True)
class Work:
    """One row of the table."""

    name: str
    title: str
    timed: Mapping[str, Call]
    """Requests whose time is taken, by the name of their row; all must be answered alike by every candidate."""
    wrong: tuple[Call, ...] = field(default=())
    """Requests with something wrong, which every candidate must answer with the same status."""
    done_by: tuple[str, ...] = ()
    """Candidates of `servers` that do it; all if empty."""


POSTED = ONE.model_dump_json().encode()
LOST = Call("GET", "/nowhere", status=404)

WORK = [
    Work(
        "plain",
        "a small dict, no parameters",
        {"plain": Call("GET", "/plain")},
        (LOST, Call("POST", "/plain", status=405)),
    ),
    Work(
        "item",
        "one path int and two query parameters",
        {"item": Call("GET", "/items/42", "q=brass+lamp&limit=20")},
        (
            LOST,
            Call("GET", "/items/many", status=422),
            Call("GET", "/items/42", "limit=few", status=422),
            Call("DELETE", "/items/42", status=405),
        ),
    ),
    Work(
        "post",
        "a model of 250 bytes in and out; with a response model, and without one",
        {"post": Call("POST", "/items", body=POSTED), "post, no model": Call("POST", "/unnamed", body=POSTED)},
        (
            Call("POST", "/items", body=b'{"sku": 3}', status=422),
            Call("POST", "/items", body=b"{", status=422),
            Call("GET", "/items", status=405),
        ),
    ),
    Work(
        "deps",
        "four dependencies: one shared, one with yield, one reads a header",
        {"deps": Call("GET", "/deps")},
        (LOST, Call("GET", "/deps", without=("x-token",), status=422)),
    ),
    Work("list", "100 models through a response model", {"list": Call("GET", "/items")}, (LOST,)),
    Work(
        "route500",
        f"the first and the last of {ROUTES} routes",
        {
            "route 1": Call("GET", "/shop/part0/7"),
            "route 500": Call("GET", f"/shop/part{ROUTES - 1}/7"),
        },
        (LOST, Call("GET", "/shop/part0/x", status=422), Call("POST", f"/shop/part{ROUTES - 1}/7", status=405)),
    ),
    Work("mw", "one function middleware that adds a header", {"mw": Call("GET", "/plain")}, (LOST,)),
    Work(
        "answers",
        "text, HTML, a redirect, a cookie, an HTTPException, a path that is no int",
        {
            "text": Call("GET", "/text"),
            "html": Call("GET", "/html"),
            "redirect": Call("GET", "/redirect", status=307),
            "cookie": Call("GET", "/cookie"),
            "HTTPException": Call("GET", "/error", status=409),
            "422": Call("GET", "/numbers/x", status=422),
        },
        (LOST,),
        ("fastapi", "starlette", "raw", "slipstream", "direct", "run", "run, no log"),
    ),
    Work(
        "sync",
        "an endpoint that is no coroutine",
        {"sync": Call("GET", "/sync/42")},
        (Call("GET", "/sync/x", status=422),),
    ),
]
