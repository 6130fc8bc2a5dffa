"""The face: where links run, how they are named, what they tell."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from slipstream import FastAPI
from slipstream.links import Failure, Link, Links, LinkState, MissingLibrary, WrongSetup, setup
from slipstream.testclient import TestClient

from .support import QUICK, until

pytestmark = pytest.mark.anyio
NOWHERE = "ws://127.0.0.1:1/"


def test_links_run_inside_the_lifespan_of_the_application() -> None:
    """They start after what their handlers need, and stop before it."""
    order: list[str] = []

    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        order.append("open")
        yield
        order.append("close")

    app = FastAPI(lifespan=lifespan)
    links = Links(app)
    link = links.accept("/ws", name="desk")

    @links.on_change
    def note(link: Link, old: Any, new: Any) -> None:
        order.append(f"{link.name} {new.state}")

    for _ in range(2):  # an application may be started again, as tests do
        with TestClient(app):
            assert links.is_running
            assert link.state is LinkState.UP

    assert app.links is links
    assert order == ["open", "desk up", "desk closed", "close"] * 2


def test_links_declared_before_the_application_is_known_are_mounted_with_it() -> None:
    """A module of handlers need not import the application."""
    links = Links()
    links.webhook("/hook")(lambda event: {"got": event})
    links.serve_health("/health", metrics="/metrics")
    app = FastAPI()
    links.attach(app)

    with TestClient(app) as client:
        assert client.post("/hook", json=[1]).json() == {"got": [1]}
        assert client.get("/health").json()["links"][0]["counters"]["handled"] == 1
        assert (
            'slipstream_link_events_total{link="webhook-1",kind="webhook",outcome="handled"} 1'
            in client.get("/metrics").text
        )


def test_one_application_has_one_collection() -> None:
    """Two would each start what the other stops."""
    app = FastAPI()
    links = Links(app)

    with pytest.raises(WrongSetup):
        Links(app)
    with pytest.raises(WrongSetup):
        links.attach(FastAPI())


def test_names_are_made_and_kept_apart() -> None:
    """Logs, metrics and `links[name]` need one each."""
    links = Links()
    links.websocket(NOWHERE)
    links.websocket(NOWHERE)
    links.poll("http://h/", name="prices")

    assert [link.name for link in links] == ["websocket-1", "websocket-2", "prices"]
    assert "prices" in links
    assert len(links) == 3
    assert links["prices"].kind == "polling"
    assert repr(links["prices"]) == "<Link prices polling closed: not started>"
    with pytest.raises(WrongSetup, match="no other link"):
        links.websocket(NOWHERE, name="prices")
    with pytest.raises(WrongSetup):
        links.websocket(NOWHERE, quue=3)  # type: ignore[call-arg]  # that is the claim


async def test_a_made_name_is_free_whatever_was_removed_or_named_before() -> None:
    """And no name is made twice: metrics and logs of two links would be taken for those of one."""
    links = Links()
    names = [links.webhook("/a").name, links.webhook("/b").name, links.webhook("/c", name="webhook-4").name]
    await links.remove("webhook-1")

    names += [links.webhook("/d").name, links.webhook("/e").name]

    assert names == ["webhook-1", "webhook-2", "webhook-4", "webhook-3", "webhook-5"]


async def test_links_come_and_go_while_the_application_runs() -> None:
    """A bot that is added by a setting is dialled at once; one that is removed is closed."""
    links = Links(drain=0)

    async with links.running():
        link = links.websocket(NOWHERE, name="late", backoff=QUICK)
        await link.wait_for(LinkState.BACKING_OFF)
        await links.remove("late")
        assert link.state is LinkState.CLOSED
        with pytest.raises(KeyError):
            links["late"]
        again = links.websocket(NOWHERE, name="late", backoff=QUICK)
        await again.wait_for(LinkState.BACKING_OFF)


async def test_health_is_data() -> None:
    """State, reason and times, without secrets."""
    links = Links()
    links.websocket("ws://127.0.0.1:1/?token=s3cr3t", name='od"d', backoff=QUICK)

    async with links.running():
        await until(lambda: links['od"d'].status.failures > 2)
        (health,) = links.health()
        metrics = links.metrics()

    facts = health.as_dict()
    assert facts["kind"] == "websocket"
    assert facts["failures"] > 2
    assert facts["last_up"] is None
    assert "s3cr3t" not in str(facts) + metrics
    assert 'slipstream_link_up{link="od\\"d",kind="websocket"} 0' in metrics
    assert metrics.count("\n# TYPE") == 8 - 1 + 0 or metrics.count("# TYPE") == 8


def test_a_failed_link_makes_health_a_503() -> None:
    """So that whoever watches learns of it."""
    app = FastAPI()
    links = Links(app)
    links.serve_health()
    link = links.accept("/ws")

    with TestClient(app) as client:
        assert client.get("/health/links").status_code == 200

        link.move(LinkState.FAILED, "for the test", Failure("error", "for the test", side="us"))
        answer = client.get("/health/links")

    assert answer.status_code == 503
    assert answer.json()["links"][0]["reason"] == "for the test"


async def test_hooks_that_fail_are_logged_and_hurt_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Async or not; the last change is told as well."""
    links, told = Links(), list[LinkState]()
    link = links.websocket(NOWHERE, backoff=QUICK)

    @link.on_change
    def fail(link: Link, old: Any, new: Any) -> None:
        raise ValueError("sync")

    @links.on_change
    async def fail_later(link: Link, old: Any, new: Any) -> None:
        await asyncio.sleep(0)
        told.append(new.state)
        raise ValueError("async")

    async with links.running():
        await link.wait_for(LinkState.BACKING_OFF)

    assert "ValueError: sync" in caplog.text
    assert "ValueError: async" in caplog.text
    assert told[-1] is LinkState.CLOSED


def test_the_libraries_are_imported_when_a_link_needs_them() -> None:
    """`import slipstream` and webhooks cost neither websockets nor httpx2."""
    program = (
        "import sys, slipstream, slipstream.links\n"
        "app = slipstream.FastAPI()\n"
        "slipstream.links.Links(app).webhook('/hook')(lambda event: None)\n"
        "print({'websockets', 'httpx2'} & set(sys.modules))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the decorator, with the command to run."""

    def missing(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'websockets'", name="websockets.asyncio")

    monkeypatch.setattr(setup.importlib, "import_module", missing)

    with pytest.raises(MissingLibrary, match=r"pip install 'slipstream\[links\]'"):
        Links().websocket(NOWHERE)


def test_a_negative_deadline_is_refused() -> None:
    """Time runs one way."""
    with pytest.raises(WrongSetup, match="drain"):
        Links(drain=-1)


async def test_a_stop_tells_of_what_was_refused_by_it_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A queue that was full in spring is no event of this shutdown."""
    links = Links()
    link = links.websocket(NOWHERE, backoff=QUICK)

    async with links.running():
        link.counters.refused = 5

    assert link.state is LinkState.CLOSED
    assert "read and refused" not in caplog.text
