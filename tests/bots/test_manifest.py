"""Every name, field, default and address of the two documents that the drivers are built after."""

import dataclasses
import inspect
from typing import Any

import pytest

from slipstream.applications import FastAPI
from slipstream.bots import drivers, typing
from slipstream.bots.drivers import fastapi

from .support import make_driver

EMPTY = inspect.Parameter.empty
FACTORY = dataclasses.MISSING

CONNECTION = [("http_version", EMPTY), ("scheme", EMPTY), ("path", EMPTY), ("query_string", b""), ("headers", dict)]

DATACLASSES: dict[str, tuple[Any, list[tuple[str, Any]]]] = {
    "HTTPConnection": (drivers.HTTPConnection, CONNECTION),
    "HTTPRequest": (drivers.HTTPRequest, [*CONNECTION, ("method", "GET"), ("body", b"")]),
    "HTTPResponse": (drivers.HTTPResponse, [("status", EMPTY), ("body", None), ("headers", dict)]),
    "WebSocket": (drivers.WebSocket, CONNECTION),
    "fastapi.WebSocket": (fastapi.WebSocket, [*CONNECTION, ("websocket", None)]),
    "HTTPPollingSetup": (
        drivers.HTTPPollingSetup,
        [
            (name, EMPTY)
            for name in ("adapter", "self_id", "url", "method", "body", "headers", "http_version", "poll_interval")
        ],
    ),
    "WebSocketSetup": (
        drivers.WebSocketSetup,
        [("adapter", EMPTY), ("self_id", EMPTY), ("url", EMPTY), ("headers", dict), ("reconnect_interval", 3.0)],
    ),
}

MEMBERS: dict[Any, dict[str, str]] = {
    drivers.Driver: {
        "bots": "property",
        "logger": "abstract property",
        "type": "abstract property",
        "_adapters": "registry",
        "_bot_connection_hook": "registry",
        "_bot_disconnection_hook": "registry",
        "on_bot_connect": "(self, func)",
        "on_bot_disconnect": "(self, func)",
        "on_shutdown": "(self, func)",
        "on_startup": "(self, func)",
        "register_adapter": "(self, name, adapter, **kwargs)",
        "run": "(self, *args, **kwargs)",
        "__init__": "(self, env, config)",
    },
    drivers.ForwardDriver: {"setup_http_polling": "(self, setup)", "setup_websocket": "(self, setup)"},
    drivers.ReverseDriver: {"asgi": "abstract property", "server_app": "abstract property"},
    drivers.HTTPConnection: {"type": "abstract property"},
    drivers.HTTPRequest: {"type": "property"},
    drivers.HTTPResponse: {"type": "property"},
    drivers.WebSocket: {
        "type": "property",
        "closed": "abstract property",
        "accept": "async (self)",
        "close": "async (self, code)",
        "receive": "async (self)",
        "receive_bytes": "async (self)",
        "send": "async (self, data)",
        "send_bytes": "async (self, data)",
    },
    fastapi.WebSocket: {
        "closed": "property",
        "accept": "async (self)",
        "close": "async (self, code=1000, reason='')",
        "receive": "async (self)",
        "receive_bytes": "async (self)",
        "send": "async (self, data)",
        "send_bytes": "async (self, data)",
    },
    fastapi.Driver: {
        "asgi": "property",
        "logger": "property",
        "server_app": "property",
        "type": "property",
        "on_shutdown": "(self, func)",
        "on_startup": "(self, func)",
        "run": "(self, host=None, port=None, *, app=None, **kwargs)",
        "setup_http_polling": "(self, setup, **options)",
        "setup_websocket": "(self, setup, **options)",
        "__init__": "(self, env, config)",
    },
    fastapi.Config: {
        "__init__": "(__pydantic_self__, _env_file=<object object>, _env_file_encoding=None, _secrets_dir=None, "
        "**values)"
    },
}

FASTAPI_FIELDS = [
    "fastapi_openapi_url",
    "fastapi_docs_url",
    "fastapi_redoc_url",
    "fastapi_reload",
    "fastapi_reload_dirs",
    "fastapi_reload_delay",
    "fastapi_reload_includes",
    "fastapi_reload_excludes",
]


@pytest.mark.parametrize("name", DATACLASSES)
def test_a_dataclass_has_the_fields_of_the_document_in_their_order_with_their_defaults(name: str) -> None:
    """Programs give them by position."""
    kind, expected = DATACLASSES[name]

    found = [
        (
            field.name,
            field.default_factory
            if field.default_factory is not FACTORY
            else (EMPTY if field.default is FACTORY else field.default),
        )
        for field in dataclasses.fields(kind)
    ]

    assert found == expected
    assert list(inspect.signature(kind).parameters) == [field for field, _ in expected]


def described(owner: Any, name: str) -> str:
    member = inspect.getattr_static(owner, name)
    if isinstance(member, property):
        return "abstract property" if getattr(member, "__isabstractmethod__", False) else "property"
    if not callable(member):
        return "registry"
    plain = inspect.signature(member)
    bare = plain.replace(
        parameters=[each.replace(annotation=EMPTY) for each in plain.parameters.values()],
        return_annotation=inspect.Signature.empty,
    )
    return ("async " if inspect.iscoroutinefunction(member) else "") + str(bare)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(owner, name) for owner, members in MEMBERS.items() for name in members],
    ids=lambda value: value if isinstance(value, str) else f"{value.__module__}.{value.__qualname__}",
)
def test_a_class_has_the_members_of_the_document_with_their_signatures(owner: Any, name: str) -> None:
    """Where ours takes more, it is at the end and by name or with a default."""
    assert described(owner, name) == MEMBERS[owner][name]


def test_the_abstract_classes_are_abstract_and_the_driver_is_both_ways() -> None:
    """As adapters test by isinstance."""
    abstract = (
        drivers.Driver,
        drivers.ForwardDriver,
        drivers.ReverseDriver,
        drivers.HTTPConnection,
        drivers.WebSocket,
    )

    assert all(inspect.isabstract(each) for each in abstract)
    assert fastapi.Driver.__bases__ == (drivers.ReverseDriver, drivers.ForwardDriver)
    assert issubclass(fastapi.WebSocket, drivers.WebSocket)


def test_the_drivers_settings_are_eight_and_none_by_default() -> None:
    """`WEBSOCKET_SETUP` stands on the class and in the module."""
    build: Any = fastapi.Config

    assert build(None).model_dump() == dict.fromkeys(FASTAPI_FIELDS)
    assert list(fastapi.Config.model_fields) == FASTAPI_FIELDS
    assert fastapi.Config.WEBSOCKET_SETUP == fastapi.WEBSOCKET_SETUP


def test_the_types_say_what_the_document_says() -> None:
    """ "http" and "websocket"."""
    assert drivers.HTTPRequest("1.1", "http", "/").type == "http"
    assert drivers.HTTPResponse(200).type == "http"
    assert fastapi.WebSocket("1.1", "ws", "/").type == "websocket"


def test_the_class_declares_what_an_instance_has() -> None:
    """The document lists them with the class."""
    assert {"env", "config", "_clients"} <= set(inspect.get_annotations(drivers.Driver))


def test_an_instance_has_what_the_document_says() -> None:
    """env, config, the registries, the clients, the application."""
    driver = make_driver()

    assert driver.env == "prod"
    assert driver.config.access_token == "secret"
    assert (driver.type, driver.logger.name) == ("fastapi", "slipstream")
    assert isinstance(driver.asgi, FastAPI)
    assert driver.asgi is driver.server_app
    assert (driver._adapters, driver._bot_connection_hook, driver._bot_disconnection_hook) == ({}, set(), set())
    assert (driver._clients, driver.bots) == ({}, {})


def test_the_documented_addresses_are_served() -> None:
    """For every adapter."""
    served = {(route.path, tuple(getattr(route, "methods", ["WS"]))) for route in make_driver().server_app.routes}

    assert served == {
        ("/{adapter}/", ("POST",)),
        ("/{adapter}/http", ("POST",)),
        ("/{adapter}/http/", ("POST",)),
        ("/{adapter}/ws", ("WS",)),
        ("/{adapter}/ws/", ("WS",)),
    }


def test_the_types_of_hooks_have_the_documents_names() -> None:
    """Programs annotate with them."""
    assert {name for name in vars(typing) if name.startswith("T_")} == {
        "T_BotConnectionHook",
        "T_BotDisconnectionHook",
        "T_CalledAPIHook",
        "T_CallingAPIHook",
        "T_Hook",
    }
    assert typing.WEBSOCKET_SETUP == fastapi.WEBSOCKET_SETUP
