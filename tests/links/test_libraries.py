"""What is not installed is named, with the command that brings it, where the program says that it wants it."""

import sys
from typing import Any

import httpcore2  # noqa: F401 - looks for socksio once, when it is loaded: not while a test hides it
import pytest
from websockets.asyncio import client as websockets_client

from slipstream.links import Links, LinkState, MissingLibrary, PollingSetup, WebSocketSetup
from slipstream.links.polling import Poller
from slipstream.links.setup import check, load
from slipstream.links.websocket import DialFailed, dial

pytestmark = pytest.mark.anyio
SOCKS = "socks5h://127.0.0.1:9"
WANTING = [
    ("python_socks", WebSocketSetup("ws://h/", proxy=SOCKS), r"'python-socks': pip install 'slipstream\[socks\]'"),
    ("socksio", PollingSetup("http://h/", proxy=SOCKS), r"'socksio': pip install 'slipstream\[socks\]'"),
    ("h2", PollingSetup("https://h/", http2=True), r"'h2': pip install 'slipstream\[http2\]'"),
]


def declared(links: Links, setup: Any) -> Any:
    return links.websocket(setup) if isinstance(setup, WebSocketSetup) else links.poll(setup)


@pytest.mark.parametrize(("library", "setup", "words"), WANTING, ids=[each[0] for each in WANTING])
def test_a_library_that_a_setup_wants_is_missed_where_the_link_is_declared(
    library: str, setup: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not at the first attempt, in the words of another package."""
    declared(Links(), setup)
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(MissingLibrary, match=words):
        declared(Links(), setup)
    check(PollingSetup("https://h/", proxy="http://127.0.0.1:9"))


@pytest.mark.parametrize(("library", "setup", "words"), WANTING, ids=[each[0] for each in WANTING])
async def test_a_link_whose_function_wants_a_library_that_is_missing_has_failed_and_says_so(
    library: str, setup: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trying again would install nothing."""
    monkeypatch.setitem(sys.modules, library, None)
    links = Links()
    link = links.websocket(lambda: setup) if isinstance(setup, WebSocketSetup) else links.poll(lambda: setup)

    async with links.running():
        status = await link.wait_for(LinkState.FAILED)

    with pytest.raises(AssertionError, match=words):
        raise AssertionError(status.reason)


async def test_a_socks_proxy_of_the_environment_wants_its_library_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can know it beforehand."""

    async def halted(*args: Any, **kwargs: Any) -> None:
        raise ImportError("connecting through a SOCKS proxy requires python-socks")

    monkeypatch.setenv("all_proxy", SOCKS)
    monkeypatch.setenv("socks_proxy", SOCKS)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setattr(websockets_client, "connect_socks_proxy", halted)

    with pytest.raises(DialFailed, match=r"'socksio': pip install 'slipstream\[socks\]'"):
        await Poller().fetch(PollingSetup("http://h.example/", trust_env=True))
    with pytest.raises(DialFailed, match=r"'python-socks': pip install 'slipstream\[socks\]'"):
        await dial(WebSocketSetup("ws://h.example/", trust_env=True))


def test_only_the_library_that_a_module_is_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is missing is another matter."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load("no_such_module", "websockets", "a WebSocket link")
    with pytest.raises(MissingLibrary, match=r"'no_such_module': pip install 'slipstream\[links\]'"):
        load("no_such_module", "no_such_module", "a WebSocket link")
