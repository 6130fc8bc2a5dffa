"""`python -m slipstream.compat`: an interpreter of its own runs a program, which sees what it would see without."""

import os
import subprocess
import sys
from collections.abc import Sequence

from slipstream.compat.alias import tell_children


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
    command = [sys.executable, *_options(), *words]
    if os.name == "posix":
        os.execv(sys.executable, command)
    return subprocess.call(command)


def _options() -> list[str]:
    """List the interpreter's options: what stands before `-m slipstream.compat`."""
    ends = [place for place, word in enumerate(sys.orig_argv) if word in ("-m", "-mslipstream.compat")]
    return sys.orig_argv[1 : ends[0]] if ends else []
