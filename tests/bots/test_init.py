"""`init()`, `run()` and what a program asks for in between; per-driver registries."""

import gc
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from slipstream import bots
from slipstream.applications import FastAPI
from slipstream.bots.drivers import Driver, ForwardDriver
from slipstream.bots.drivers.fastapi import Driver as FastAPIDriver
from slipstream.bots.exception import AdapterExists, NotInitialized, NotThatKind, OpenToAll, WrongSetting

from .support import Script, bot_class, make_driver


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No driver before, none after, and an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bots, "_driver", None)
    level = logging.getLogger("slipstream").level
    yield
    logging.getLogger("slipstream").setLevel(level)


@pytest.mark.parametrize("ask", [bots.get_driver, bots.get_app, bots.get_asgi, bots.get_bot, bots.get_bots, bots.run])
def test_before_init_everything_is_a_value_error(ask: Any) -> None:
    """That says what to do."""
    with pytest.raises(ValueError, match=r"call slipstream.bots.init\(\) first"):
        ask()


def test_init_makes_the_driver_that_the_settings_name() -> None:
    """And everything else is found through it."""
    bots.init(port=1, mine="x")
    driver = bots.get_driver()

    assert type(driver) is FastAPIDriver
    assert (driver.config.port, driver.config.model_dump()["mine"], driver.env) == (1, "x", "prod")
    assert isinstance(bots.get_app(), FastAPI)
    assert bots.get_asgi() is bots.get_app()
    assert bots.get_bots() == {}


def test_a_bot_that_is_not_there_is_a_key_error_and_no_bot_at_all_a_value_error() -> None:
    """As programs expect."""
    bots.init()

    with pytest.raises(KeyError):
        bots.get_bot("1")
    with pytest.raises(ValueError, match="no bot is connected"):
        bots.get_bot()


def test_a_bot_is_found_by_its_id_or_as_the_only_one() -> None:
    """Among those connected."""
    bots.init()
    bot: Any = object()
    bots.get_driver()._clients["1"] = bot

    assert bots.get_bot("1") is bots.get_bot() is bot
    assert bots.get_bots() == {"1": bot}


def test_a_second_init_changes_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """As in the original."""
    bots.init(port=1)
    bots.init(port=2)

    assert bots.get_driver().config.port == 1
    assert "init() was called again" in caplog.text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("slipstream.bots.drivers.fastapi", "Driver"),
        ("slipstream.bots.drivers.fastapi:Driver", "Driver"),
        ("~fastapi", "Driver"),
        ("nonebot.drivers.fastapi", "Driver"),
    ],
)
def test_a_driver_is_named_by_its_module_and_perhaps_its_class(name: str, kind: str) -> None:
    """Old names of the same thing included."""
    assert bots.find_driver(name) is FastAPIDriver


@pytest.mark.parametrize(
    "name", ["~nothing", "no.such.module", "slipstream.bots.drivers.fastapi:Config", "json", "", "~", "../bot"]
)
def test_a_name_that_is_no_driver_is_an_error(name: str) -> None:
    """That names it."""
    with pytest.raises(WrongSetting, match="driver"):
        bots.find_driver(name)


def test_a_module_that_fails_to_import_something_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not reported as missing itself."""
    (tmp_path / "half_driver.py").write_text("import a_module_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        bots.find_driver("half_driver")


@pytest.mark.parametrize(
    ("settings", "level"),
    [({}, 20), ({"debug": True}, 10), ({"log_level": "warning"}, 30), ({"log_level": 5}, 5), ({"log_level": "25"}, 25)],
)
def test_the_log_level_is_a_setting(settings: dict[str, Any], level: int) -> None:
    """More with debug."""
    bots.init(**settings)

    assert logging.getLogger("slipstream").level == level


@pytest.mark.parametrize(
    ("key", "value"), [("log_level", "loud"), ("slipstream_queue", 0), ("slipstream_duplicate_ids", "perhaps")]
)
def test_a_setting_that_is_not_possible_is_an_error_that_names_it(key: str, value: Any) -> None:
    """By the name that it has in the settings; there is no driver then."""
    with pytest.raises(WrongSetting, match=key):
        bots.init(**{key: value})
    with pytest.raises(NotInitialized):
        bots.get_driver()


class Dialler(ForwardDriver):
    """A driver without a server."""

    type = "dialler"
    logger = logging.getLogger("dialler")
    on_startup = on_shutdown = run = setup_websocket = setup_http_polling = lambda self, *args: None  # type: ignore[assignment]


def test_a_driver_without_a_server_has_no_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    monkeypatch.setattr(bots, "_driver", Dialler(bots.Env(), bots.Config()))

    with pytest.raises(NotThatKind, match="driver 'dialler' is no server"):
        bots.get_app()


# Registries


def test_two_drivers_of_one_process_share_nothing(script: Script) -> None:
    """Adapters and hooks are each driver's own."""
    one, other = make_driver(script), make_driver()

    async def hook(bot: Any) -> None: ...

    one.on_bot_connect(hook)

    assert (list(one._adapters), list(other._adapters)) == (["scripted"], [])
    assert (one._bot_connection_hook, other._bot_connection_hook) == ({hook}, set())


def test_the_class_answers_for_the_driver_made_last(script: Script) -> None:
    """Where programs ask the class, as the original's registries allowed."""
    driver = make_driver(script)

    assert Driver._adapters is driver._adapters
    assert FastAPIDriver._bot_connection_hook is driver._bot_connection_hook


def test_what_the_class_is_told_before_there_is_a_driver_holds_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """And changes to one of them stay its own."""
    monkeypatch.setattr(Driver, "_last", None)
    registry: Any = Driver._adapters
    kind = bot_class(Script())
    registry["early"] = kind
    try:
        driver = make_driver()
        driver.register_adapter("late", kind)

        assert list(driver._adapters) == ["early", "late"]
        assert list(registry) == ["early"]
    finally:
        registry.clear()


def test_a_driver_that_is_gone_answers_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class holds no driver alive."""
    make_driver(Script())
    gc.collect()

    assert Driver.last() is None


def test_an_adapter_learns_its_driver_and_what_it_is_registered_with(script: Script) -> None:
    """By `register`, which gets the options."""
    told: list[Any] = []
    driver = make_driver()

    class Told(bot_class(script)):  # type: ignore[misc]
        @classmethod
        def register(cls, driver: Any, config: Any, **kwargs: Any) -> None:
            super().register(driver, config, **kwargs)
            told.append(kwargs)

    driver.register_adapter("told", Told, option=1)
    driver.register_adapter("told", Told, option=2)

    assert told == [{"option": 1}]
    assert Told.driver is driver
    assert Told.config is driver.config
    with pytest.raises(AdapterExists):
        driver.register_adapter("told", bot_class(script))


# run()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[uvicorn.Config]:
    """What would be served."""
    configs: list[uvicorn.Config] = []

    def run(server: uvicorn.Server) -> None:
        configs.append(server.config)
        server.started = server.config.port != 1
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: configs.append(uvicorn.Config(app, **options)))
    return configs


def test_run_serves_at_the_configured_address_with_limits_and_pings(
    started: list[uvicorn.Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 MiB, every 20 s."""
    bots.init(port=9)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    bots.run(log_config=None)

    [config] = started
    assert (config.host, config.port, config.app) == ("127.0.0.1", 9, bots.get_app())
    assert (config.ws_max_size, config.ws_ping_interval, config.ws_ping_timeout) == (16 * 1024 * 1024, 20.0, 20.0)


def test_run_takes_address_and_options_of_the_server(started: list[uvicorn.Config]) -> None:
    """They come before the settings."""
    make_driver().run("localhost", 0, ws_max_size=5, log_config=None)

    [config] = started
    assert (config.host, config.port, config.ws_max_size) == ("localhost", 0, 5)


def test_run_reloads_in_debug_mode_when_it_is_given_an_import_string(started: list[uvicorn.Config]) -> None:
    """Or when the settings say so."""
    make_driver(debug=True, fastapi_reload_delay=2).run(app="bot:app", log_config=None)
    make_driver(debug=True).run(log_config=None)
    make_driver(debug=True, fastapi_reload=False).run(app="bot:app", log_config=None)

    assert [(config.app == "bot:app", config.reload) for config in started] == [
        (True, True),
        (False, False),
        (True, False),
    ]
    assert started[0].reload_delay == 2


def test_run_ends_the_process_when_the_server_could_not_start(started: list[uvicorn.Config]) -> None:
    """With uvicorn's own status."""
    with pytest.raises(SystemExit) as ended:
        make_driver().run(port=1, log_config=None)

    assert ended.value.code == 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_without_a_token_a_bot_is_not_served_to_the_world(host: str, script: Script) -> None:
    """Unless somebody says that this is meant."""
    driver, careless = make_driver(script), make_driver(script, slipstream_allow_empty_token=True)
    for each in (driver, careless):
        each.config.access_token = None

    careless.check_host(host)
    with pytest.raises(OpenToAll, match="without a token"):
        driver.run(host)


def test_a_token_of_an_adapter_is_a_token_and_this_machine_needs_none(script: Script) -> None:
    """Nor does a program without adapters."""
    driver, other, empty = make_driver(script), make_driver(script, my_access_token="x"), make_driver()
    for each in (driver, other, empty):
        each.config.access_token = None

    for host in ("127.0.0.1", "::1", "[::1]", "localhost"):
        driver.check_host(host)
    other.check_host("0.0.0.0")
    empty.check_host("0.0.0.0")


def test_the_program_on_the_page_about_bots_runs(started: list[uvicorn.Config]) -> None:
    """Up to where it serves."""
    page = (Path(__file__).parents[2] / "docs" / "bots.md").read_text("utf-8")
    program = page.split("```python\n", 1)[1].split("```", 1)[0]

    exec(compile(program, "docs/bots.md", "exec"), {})

    assert list(bots.get_driver()._adapters) == ["echo"]
    assert started[0].app is bots.get_app()


def test_importing_bots_loads_no_server_and_no_client() -> None:
    """They are loaded when they are needed."""
    code = (
        "import sys, slipstream.bots, slipstream.bots.drivers.fastapi\n"
        "print([each for each in ('uvicorn', 'httpx2', 'websockets') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
