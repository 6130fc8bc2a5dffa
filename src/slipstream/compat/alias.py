"""The finder that gives slipstream's modules under FastAPI's names, and who puts it in place, here or elsewhere."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from slipstream._app import names
from slipstream._engine.errors import SlipstreamError

FASTAPI_VERSION = "0.165.0"
"""The release of FastAPI whose public API slipstream follows."""

STANDIN = str(Path(__file__).parent / "standin")
"""Folder for `sys.path` that holds the package `fastapi` of those who have no finder yet, and its metadata."""

METADATA = Path(STANDIN, "fastapi.dist-info")

_ALIAS = "fastapi"
_OWN = "slipstream"


@dataclass(eq=False)
class AlreadyImported(SlipstreamError, RuntimeError):
    """The real fastapi was imported before the alias; its classes would live on beside ours."""

    modules: tuple[str, ...]
    file: str | None

    def __str__(self) -> str:
        return (
            f"fastapi is already imported, from {self.file or 'an unknown place'} ({len(self.modules)} modules)\n"
            f"  call slipstream.compat.install() before the first import of fastapi,\n"
            f"  or install(force=True): what has imported names from it keeps the real ones"
        )


def install(*, force: bool = False) -> None:
    """Make `import fastapi`, and every submodule, give slipstream's modules. Calling it again changes nothing.

    Args:
        force: Replace a real fastapi that is already imported; `uninstall` puts it back.

    Raises:
        AlreadyImported: The real fastapi is imported and `force` is false.
    """
    if is_installed():
        return
    real = {name: module for name, module in sys.modules.items() if _is_alias(name) and module is not None}
    if real and not force:
        raise AlreadyImported(tuple(sorted(real)), getattr(real.get(_ALIAS), "__file__", None))
    for name in real:
        _displaced[name] = sys.modules.pop(name)
    # Behind the finders of tools that wait for modules and leave the finding to others.
    first = next((at for at, one in enumerate(sys.meta_path) if one is importlib.machinery.BuiltinImporter), 0)
    sys.meta_path.insert(first, _finder)
    importlib.invalidate_caches()


def uninstall() -> None:
    """Let `import fastapi` mean again what it did before `install`. Does nothing when it is not installed."""
    if not is_installed():
        return
    sys.meta_path.remove(_finder)
    names.give_back()
    while _named:
        name = _named.pop()
        sys.modules[name].__name__ = name
    for name in [name for name in sys.modules if _is_alias(name)]:
        del sys.modules[name]
    sys.modules.update(_displaced)
    _displaced.clear()


def is_installed() -> bool:
    """Whether the alias holds in this process."""
    return _finder in sys.meta_path


@contextlib.contextmanager
def aliased(*, force: bool = False) -> Iterator[None]:
    """Hold the alias within a `with` block; inside another one, or after `install`, it changes nothing."""
    if is_installed():
        yield
        return
    install(force=force)
    try:
        yield
    finally:
        uninstall()


def tell_children() -> None:
    """Let every process that this one starts have the alias, if it inherits the environment and has slipstream.

    A folder with a package `fastapi` that calls `install` goes on $PYTHONPATH, and on `sys.path`, which
    `multiprocessing` and pytest-xdist copy to their processes.
    """
    inherited = os.environ.get("PYTHONPATH")
    if STANDIN not in (inherited or "").split(os.pathsep):
        os.environ["PYTHONPATH"] = STANDIN + os.pathsep + inherited if inherited else STANDIN
    if STANDIN not in sys.path:
        sys.path.insert(0 if sys.flags.safe_path else 1, STANDIN)  # the first is the program's own folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a program under the alias, as `python -m slipstream.compat` does; so do the processes that it starts.

    On POSIX the program takes this process over, and the call does not return.

    Args:
        arguments: `["script.py", …]`, `["-m", "module", …]` or `["-c", "code", …]`; None takes the command line's.

    Returns:
        Exit code: 2 for a wrong call, else the program's.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and (words[0] not in ("-m", "-c") or len(words) == 1)):
        asked = words[:1] in (["-h"], ["--help"])
        stream = sys.stdout if asked else sys.stderr
        stream.write("usage: python -m slipstream.compat (SCRIPT | -m MODULE | -c CODE) [ARGUMENT ...]\n")
        return 0 if asked else 2
    if sys.flags.ignore_environment:
        sys.stderr.write("slipstream.compat: python -E and -I ignore the variable that tells of the alias\n")
        sys.stderr.write("  leave them out, or turn the alias on for this environment: slipstream alias on\n")
        return 2
    tell_children()
    command = [sys.executable, *_interpreter_options(), *words]
    if os.name == "posix":
        os.execv(sys.executable, command)
    return subprocess.call(command)


def _interpreter_options() -> list[str]:
    """List the interpreter's options: what stands before `-m slipstream.compat`."""
    ends = [place for place, word in enumerate(sys.orig_argv) if word in ("-m", "-mslipstream.compat")]
    return sys.orig_argv[1 : ends[0]] if ends else []


def _is_alias(name: str) -> bool:
    return name == _ALIAS or name.startswith(_ALIAS + ".")


def _of_own(method: str) -> Callable[..., Any]:
    """Make the method of `_Loader` that calls that of the own module's loader."""

    def ask(self: "_Loader", fullname: str) -> Any:
        spec = importlib.util.find_spec(self.own_name)
        if spec is None:
            raise ImportError(f"there is no {self.own_name}", name=self.own_name)
        return getattr(spec.loader, method)(self.own_name)

    return ask


class _Loader(importlib.abc.Loader):
    """Hands out a module that exists under another name."""

    def __init__(self, own_name: str) -> None:
        self.own_name = own_name
        self.own_spec: importlib.machinery.ModuleSpec | None = None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return slipstream's module; the import system then replaces the module's spec by the alias's."""
        module = importlib.import_module(self.own_name)
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the module's own spec, for it has run already, and name what is imported by now by the alias."""
        module.__spec__ = self.own_spec
        names.take(_ALIAS)
        new = [name for name in (_OWN, *names.named_modules()) if name not in _named]
        _named.update(new)
        for name in new:
            sys.modules[name].__name__ = _ALIAS + name.removeprefix(_OWN)
        for name in new:  # by the import system, where tools wait for the modules that they change
            importlib.import_module(_ALIAS + name.removeprefix(_OWN))

    # `runpy` and `inspect` call these, for `python -m slipstream.compat -m fastapi`.
    is_package, get_code, get_source, get_filename = map(
        _of_own, ("is_package", "get_code", "get_source", "get_filename")
    )


class _Finder(importlib.metadata.DistributionFinder):
    """Finds every module of fastapi, so that an installed one is hidden."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of an alias; None for other names. A module that slipstream lacks raises an error."""
        if not _is_alias(fullname):
            return None
        own_name = _OWN + fullname.removeprefix(_ALIAS)
        try:
            own = importlib.util.find_spec(own_name)
        except ValueError:  # a module that someone put into sys.modules by hand, without a spec
            return importlib.machinery.ModuleSpec(fullname, _Loader(own_name))
        if own is None:
            raise ModuleNotFoundError(f"No module named {fullname!r} (there is no {own_name})", name=fullname)
        spec = importlib.machinery.ModuleSpec(fullname, _Loader(own_name), origin=own.origin)
        spec.submodule_search_locations = own.submodule_search_locations
        return spec

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context = importlib.metadata.DistributionFinder.Context()
    ) -> Iterable[importlib.metadata.Distribution]:
        """Return ours when fastapi is asked for by name; a list of all distributions stays as it is."""
        return [importlib.metadata.PathDistribution(METADATA)] if context.name == _ALIAS else []


_finder = _Finder()

_named: set[str] = set()
"""Own names of the modules that bear the alias's name."""

_displaced: dict[str, ModuleType] = {}
"""The modules of the real fastapi that `install` took out, for `uninstall` to put back."""
