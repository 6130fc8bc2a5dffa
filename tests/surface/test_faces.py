"""Every public name of FastAPI's small modules is at its address here too."""

import importlib
import types

import pytest

MODULES = [
    "background", "concurrency", "datastructures", "encoders", "exception_handlers", "exceptions", "logger",
    "middleware", "middleware.asyncexitstack", "middleware.cors", "middleware.gzip", "middleware.httpsredirect",
    "middleware.trustedhost", "openapi.constants", "openapi.docs", "openapi.models", "param_functions", "params",
    "requests", "responses", "security", "security.api_key", "security.base", "security.http", "security.oauth2",
    "security.open_id_connect_url", "security.utils", "sse", "staticfiles", "templating", "testclient", "types",
    "utils", "websockets",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_fastapis_names(name: str) -> None:
    """Those that it defines, and those that it exists to pass on."""
    theirs = importlib.import_module(f"fastapi.{name}")
    ours = importlib.import_module(f"slipstream.{name}")

    wanted = {
        key
        for key, value in vars(theirs).items()
        if not key.startswith("_")
        and not isinstance(value, types.ModuleType)
        and getattr(value, "__module__", theirs.__name__).startswith((theirs.__name__, "starlette."))
    }
    passed_by = {
        "ModelField",
        "PydanticSchemaGenerationError",
        "StarletteUploadFile",
        "StarletteBackgroundTasks",
        "TYPE_CHECKING",
    }
    missing = {key for key in wanted - passed_by if not hasattr(ours, key)}

    assert missing == set()


@pytest.mark.filterwarnings("ignore")
def test_status_has_starlettes_names_the_old_ones_too() -> None:
    """`fastapi.status` is `starlette.status`."""
    theirs, ours = importlib.import_module("starlette.status"), importlib.import_module("slipstream.status")

    assert {key: getattr(ours, key) for key in dir(theirs)} == {key: getattr(theirs, key) for key in dir(theirs)}
    assert set(dir(ours)) == set(dir(theirs))


@pytest.mark.anyio
async def test_the_exit_stack_middleware_closes_what_was_put_on_it() -> None:
    """Packages insert it into apps of their own."""
    from slipstream.middleware.asyncexitstack import AsyncExitStackMiddleware

    seen: list[str] = []

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        stack = scope["stack"]
        stack.callback(seen.append, "closed")
        seen.append("served")

    await AsyncExitStackMiddleware(app, "stack")({}, None, None)

    assert seen == ["served", "closed"]
