"""From what a user types to the application: `cli/find.py`."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from slipstream.cli.find import ImportFailed, TargetError, load, read_target

Write = Callable[[str, str], Path]

APP = "from starlette.applications import Starlette\n{name} = Starlette()\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in the test's folder, and forget the modules that a test imports from it."""
    monkeypatch.chdir(tmp_path)
    path, modules = sys.path.copy(), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize(
    "target", ["found_main.py", "found_main.py:app", "found_main", "found_main:app", "./found_main.py", None]
)
def test_a_target_is_written_in_any_usual_way(write: Write, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """Users of `uvicorn` write modules, those of `fastapi run` write files."""
    write("found_main.py", APP.format(name="app"))
    monkeypatch.setattr("slipstream.cli.find.DEFAULT_FILES", ("found_main.py",))

    app, where = load(read_target(target))

    assert isinstance(app, Starlette)
    assert where == "found_main:app"


def test_a_file_in_a_package_is_imported_by_its_full_name(write: Write, tmp_path: Path) -> None:
    """Its relative imports must work, whichever folder the user stands in."""
    write("outer/shop/__init__.py", "")
    write("outer/shop/web/__init__.py", "")
    write("outer/shop/names.py", "APP = 'app'")
    write("outer/shop/web/serve.py", "from ..names import APP\n" + APP.format(name="app"))

    target = read_target("outer/shop/web/serve.py")

    assert (target.module, target.root) == ("shop.web.serve", tmp_path / "outer")
    assert load(target)[1] == "shop.web.serve:app"


def test_a_folder_stands_for_the_main_file_in_it(write: Write) -> None:
    """`slipstream run ./service` is enough where there is one obvious file."""
    write("service/main.py", APP.format(name="app"))

    assert read_target("./service").module == "main"


@pytest.mark.parametrize("name", ["app", "api", "application", "anything_else"])
def test_the_only_application_is_found_by_any_name(write: Write, name: str) -> None:
    """A module with one application needs no `:name`."""
    write(f"named_{name}.py", APP.format(name=name))

    assert load(read_target(f"named_{name}"))[1] == f"named_{name}:{name}"


def test_the_name_app_comes_before_others(write: Write) -> None:
    """A main application often holds mounted ones."""
    write("with_mounted.py", APP.format(name="admin") + "app = Starlette()")

    assert load(read_target("with_mounted"))[1] == "with_mounted:app"


def test_a_router_named_api_is_not_taken_for_the_application(write: Write) -> None:
    """A router can be called as an application, too, but then most of the program is not served."""
    write("with_router.py", "from starlette.routing import Router\napi = Router()\n" + APP.format(name="main"))

    assert load(read_target("with_router"))[1] == "with_router:main"


def test_several_applications_are_listed(write: Write) -> None:
    """Guessing would serve the wrong one now and then."""
    write("two_apps.py", APP.format(name="first") + "second = Starlette()")

    with pytest.raises(TargetError, match=r"several applications: first, second\n  write two_apps:first"):
        load(read_target("two_apps.py"))


@pytest.mark.parametrize("target", ["made.py:build", "made.py:build()", "made.py"])
def test_a_factory_is_called(write: Write, target: str) -> None:
    """Applications made by a function need no option."""
    write("made.py", "from starlette.applications import Starlette\ndef build(debug=True): return Starlette(debug)\n"
          "create_app = build")  # fmt: skip

    app, _ = load(read_target(target))

    assert isinstance(app, Starlette)
    assert app.debug


def test_a_plain_asgi_function_is_not_called(write: Write) -> None:
    """`async def app(scope, receive, send)` is an application itself."""
    write("plain.py", "async def app(scope, receive, send): ...")

    app, _ = load(read_target("plain"))

    assert app.__name__ == "app"


def test_a_dotted_name_is_followed(write: Write) -> None:
    """An application may be an attribute of something."""
    write("dotted.py", APP.format(name="inner") + "class Holder:\n    held = inner\ndel inner")

    assert load(read_target("dotted:Holder.held"))[1] == "dotted:Holder.held"


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("nowhere.py", "there is no file nowhere.py in"),
        ("some/where", "there is no file some/where in"),
        ("no_such_module", "there is no module no_such_module"),
        ("no_such_package.module:app", "there is no module no_such_package"),
        ("not-a-module", "'not-a-module' is neither a file here nor a module's name"),
        ("bad-name.py", "'bad-name' is no Python name"),
        ("empty.py", "empty holds no application"),
        ("empty.py:app", "empty has no app"),
        ("empty.py:NUMBER", "empty:NUMBER is no application: it is of type int"),
        ("empty.py:Kind", "empty:Kind is no application: it is a class"),
        ("empty.py:later", "empty:later is a coroutine function"),
        ("empty.py:returns_number", "empty:returns_number() returned int"),
        (":app", "cannot read ':app'"),
        ("empty.py:3", "cannot read 'empty.py:3'"),
        ("./folder", "none of main.py, app.py, api.py, __init__.py is in folder"),
        (None, "none of main.py, app.py, api.py"),
    ],
)
def test_what_leads_nowhere_is_told_with_what_to_write(write: Write, target: str, seen: str) -> None:
    """Each message has what was seen and, on a second line, what to do."""
    write("empty.py", "NUMBER = 3\nclass Kind: ...\nasync def later(): ...\ndef returns_number(): return 3\n")
    write("bad-name.py", "")
    write("folder/other.py", "")

    with pytest.raises(TargetError) as caught:
        load(read_target(target))

    assert seen in str(caught.value)
    assert "\n  " in str(caught.value)


def test_two_names_that_disagree_are_refused() -> None:
    """`main.py:app --app api` leaves open which one is meant."""
    with pytest.raises(TargetError, match="two names for one application: app and api"):
        read_target("main.py:app", "api")


def test_a_file_whose_name_is_taken_is_not_confused_with_the_other_module(write: Write) -> None:
    """A file `json.py` cannot be imported once the standard library's is."""
    write("json.py", APP.format(name="app"))

    with pytest.raises(TargetError, match="that name belongs to"):
        load(read_target("json.py"))


@pytest.mark.parametrize("text", ["import a_package_that_is_missing", "1 / 0", "def ("])
def test_an_error_in_the_program_is_shown_from_its_own_first_line(write: Write, text: str) -> None:
    """The frames of the import system and of the command say nothing to the user."""
    write("broken.py", text)

    with pytest.raises(ImportFailed) as caught:
        load(read_target("broken.py"))

    excerpt = caught.value.excerpt()
    assert "broken.py" in excerpt
    assert "importlib" not in excerpt
    assert "find.py" not in excerpt


def test_an_error_in_a_factory_is_shown_too(write: Write) -> None:
    """A factory is the user's program as much as the module is."""
    write("broken_factory.py", "def create_app(): return 1 / 0")

    with pytest.raises(ImportFailed) as caught:
        load(read_target("broken_factory.py"))

    assert "ZeroDivisionError" in caught.value.excerpt()
