"""`python -m slipstream.compat`: a program runs under the alias, and sees what it would see without."""

import builtins
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import module_from_spec
from types import ModuleType

from slipstream.compat.alias import install, tell_children


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a script or module under the alias, as `python -m slipstream.compat` does; so do the processes it starts.

    Args:
        arguments: `["script.py", …]` or `["-m", "module", …]`; None takes the command line's.

    Returns:
        Exit code: 2 for a wrong call, else 0; what the program raises passes through.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["-m"] and len(words) > 1:
        _begin(words[1:])
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return 0
    if not words or words[0].startswith("-"):
        asked = words[:1] in (["-h"], ["--help"])
        stream = sys.stdout if asked else sys.stderr
        stream.write("usage: python -m slipstream.compat (SCRIPT | -m MODULE) [ARGUMENT ...]\n")
        return 0 if asked else 2
    if not os.path.exists(words[0]):
        sys.stderr.write(f"slipstream.compat: there is no file {words[0]} in {os.getcwd()}\n")
        return 2
    _begin(words)
    _run_main(os.path.join(os.getcwd(), words[0]))
    return 0


def _begin(words: list[str]) -> None:
    install()
    tell_children()
    sys.argv = words


def _run_main(path: str) -> None:
    """Run a file, folder or archive as `python path` does; `runpy.run_path` would change `sys.argv`."""
    spec = PathFinder.find_spec("__main__", [path])  # a file holds no modules
    if not sys.flags.safe_path:
        sys.path[0] = path if spec else os.path.dirname(os.path.realpath(path))
    if spec is not None and spec.loader is not None:
        sys.modules["__main__"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return
    module = ModuleType("__main__")
    vars(module).update(
        __file__=path, __cached__=None, __builtins__=builtins, __loader__=SourceFileLoader("__main__", path)
    )
    sys.modules["__main__"] = module
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, vars(module))
