"""From what a user types, `main.py` or `package.module:app`, to the application object; how an error ends a command.

A file is imported under the name that it has below the outermost folder without an `__init__.py`, with that folder
on `sys.path`; a module name is looked up from the working directory.
"""

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypeVar

import click
from starlette.applications import Starlette

from slipstream import compat
from slipstream._engine.errors import SlipstreamError

C = TypeVar("C", bound=Callable[..., Any])

DEFAULT_FILES = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
"""Tried in this order when no target is given."""

FOLDER_FILES = ("main.py", "app.py", "api.py", "__init__.py")
"""Tried in this order when the target is a folder."""

PREFERRED_NAMES = ("app", "api", "application")
"""Names that are taken for the application when the target names none."""

FACTORY_NAMES = ("create_app", "make_app", "get_app")
"""Names that are taken for a function that makes the application, when nothing else is found."""

_MACHINERY = (__file__, importlib.__file__, "<frozen importlib")
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(\(\))?")


@dataclass(eq=False)
class TargetError(SlipstreamError):
    """No application is found by what was typed."""

    seen: str
    advice: str
    text = "{seen}\n  {advice}"


@dataclass(eq=False)
class ImportFailed(SlipstreamError):
    """The module was found and raised while it was imported; `__cause__` is what it raised."""

    module: str
    text = "{module} raised the error above while it was imported"

    def excerpt(self) -> str:
        """Return the traceback, from the first frame that is the user's own."""
        error = self.__cause__
        assert error is not None
        frame = error.__traceback__
        while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_MACHINERY):
            frame = frame.tb_next
        return "".join(traceback.format_exception(type(error), error, frame)).rstrip()


@dataclass(frozen=True)
class Target:
    """Where an application is: a module to import and, if the user gave one, a name in it."""

    module: str
    root: Path
    """Folder to put on `sys.path`."""
    attribute: str | None = None
    file: Path | None = None
    """The file that the user named; the module that is imported must be this one."""


def read_target(text: str | None, attribute: str | None = None) -> Target:
    """Read `FILE`, `FOLDER` or `MODULE`, each perhaps with `:NAME`; None looks for the files of `DEFAULT_FILES`."""
    place, named = _split(text) if text is not None else (str(_first_file(DEFAULT_FILES, Path.cwd())), None)
    if named and attribute and named != attribute:
        raise TargetError(f"two names for one application: {named} and {attribute}", "keep one of them")
    path = Path(place)
    if path.is_dir() and not place.isidentifier():
        path = _first_file(FOLDER_FILES, path)
    elif not (place.endswith(".py") or path.is_file() or "/" in place or "\\" in place):
        if not all(part.isidentifier() for part in place.split(".")):
            seen = f"{place!r} is neither a file here nor a module's name"
            raise TargetError(seen, "write main.py or package.module:app")
        return Target(place, Path.cwd(), named or attribute)
    if not path.is_file():
        raise TargetError(f"there is no file {place} in {Path.cwd()}", "name a file, or a module as package.module:app")
    module, root = _importable(path.resolve())
    return Target(module, root, named or attribute, path.resolve())


def load(target: Target) -> tuple[Any, str]:
    """Import the module and find the application in it; return that, and where it was found: `module:name`."""
    module = _imported(target)
    name = target.attribute or _only_application(module)
    found: Any = module
    for part in name.removesuffix("()").split("."):
        if not hasattr(found, part):
            raise TargetError(f"{target.module} has no {name}", _advice(module))
        found = getattr(found, part)
    return _application(found, f"{target.module}:{name}"), f"{target.module}:{name}"


def _split(text: str) -> tuple[str, str | None]:
    """Split off the name after the last colon; a colon of `C:\\main.py` stays."""
    place, colon, name = text.rpartition(":")
    if not colon or "/" in name or "\\" in name:
        return text, None
    if not place or not _ATTRIBUTE.fullmatch(name):
        raise TargetError(f"cannot read {text!r}", "write main.py, main.py:app or package.module:app")
    return place, name


def _first_file(names: Sequence[str], folder: Path) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise TargetError(f"none of {', '.join(names)} is in {folder}", "name the file or module to serve")


def _importable(file: Path) -> tuple[str, Path]:
    """Return the dotted name of a file, and the folder from which that name can be imported."""
    inner = file.parent if file.stem == "__init__" else file.with_suffix("")
    parts, root = [inner.name], inner.parent
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    for part in parts:
        if not part.isidentifier():
            raise TargetError(f"{file} cannot be imported: {part!r} is no Python name", f"rename {part}")
    return ".".join(parts), root


def _imported(target: Target) -> ModuleType:
    if str(target.root) not in sys.path:
        sys.path.insert(0, str(target.root))
    try:
        module = importlib.import_module(target.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{target.module}.".startswith(f"{error.name}."):
            raise ImportFailed(target.module) from error
        raise TargetError(
            f"there is no module {error.name} (looked from {target.root})",
            "name a file such as main.py, or a module that can be imported from here",
        ) from None
    except Exception as error:
        raise ImportFailed(target.module) from error
    given = getattr(module, "__file__", None)
    if target.file is not None and given is not None and Path(given).resolve() != target.file:
        raise TargetError(
            f"{target.file} cannot be imported as {target.module}: that name belongs to {given}",
            "rename the file, or put it in a package",
        )
    return module


def _only_application(module: ModuleType) -> str:
    """Return the name to use when the user gave none."""
    names = list(_applications(module))
    for name in PREFERRED_NAMES:
        if name in names:
            return name
    if len({id(getattr(module, name)) for name in names}) == 1:
        return names[0]
    if names:
        raise TargetError(f"{module.__name__} holds several applications: {', '.join(names)}", _advice(module))
    for name in (*PREFERRED_NAMES, *FACTORY_NAMES):
        value = getattr(module, name, None)
        if callable(value) and not inspect.isclass(value):
            return name
    raise TargetError(f"{module.__name__} holds no application", _advice(module))


def _applications(module: ModuleType) -> Iterator[str]:
    return (name for name, value in vars(module).items() if isinstance(value, Starlette))


def _advice(module: ModuleType) -> str:
    name = next(_applications(module), "app")
    return f"write {module.__name__}:{name}, or `app = FastAPI()` in {getattr(module, '__file__', module.__name__)}"


def _application(found: Any, where: str) -> Any:
    """Return the application; a factory is called first."""
    if inspect.isclass(found) or not callable(found):
        kind = "a class" if inspect.isclass(found) else f"of type {type(found).__name__}"
        raise TargetError(f"{where} is no application: it is {kind}", "name an instance of FastAPI")
    if not inspect.isroutine(found):
        return found
    parameters = inspect.signature(found).parameters.values()
    if any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return found  # not a factory: it has to be called with something, as ASGI applications are
    try:
        made = found()
    except Exception as error:
        raise ImportFailed(where) from error
    if inspect.iscoroutine(made):
        made.close()
        raise TargetError(f"{where} is a coroutine function", "make it a plain function that returns the application")
    if not callable(made):
        raise TargetError(f"{where}() returned {type(made).__name__}", "let it return the application")
    return made


def takes_application(command: C) -> C:
    """Give a command the argument TARGET and the options `--app` and `--alias`."""
    for decorate in (
        click.option("--alias", is_flag=True, help="Let `import fastapi` give slipstream in the program."),
        click.option("--app", "name", metavar="NAME", help="Name of the application in the module, or of its factory."),
        click.argument("target", required=False, metavar="[FILE | MODULE][:NAME]"),
    ):
        command = decorate(command)
    return command


def find_application(
    target: str | None, name: str | None, alias: bool, *, exit_code: int | None = None
) -> tuple[Any, str]:
    """Import the application that the options of `takes_application` name, or end the command as `fail` does."""
    try:
        if alias:
            compat.install()
            compat.tell_children()
        return load(read_target(target, name))
    except SlipstreamError as error:
        fail(error, exit_code)


def fail(error: Exception | str, exit_code: int | None = None) -> NoReturn:
    """Print an error and end the command, by default with 1 if the user's own program raised, else with 2."""
    if isinstance(error, ImportFailed):
        click.echo(error.excerpt(), err=True)
    click.echo(f"slipstream: {error}", err=True)
    if exit_code is None:
        exit_code = 1 if isinstance(error, ImportFailed) else 2
    sys.exit(exit_code)
