"""Make the project's virtual environment: bootstrap.py VENV LOCK READY.

Uses only the standard library and pip, and pip's own configuration for where packages come from.
Writes READY last, so that an interrupted set-up is taken up again. Parses on any Python from 3.6 on, to
say which one is needed.
"""

import os
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)
MADE_IN = "made-in"


def stop(sentence):
    """End with one sentence for the user."""
    sys.exit("set-up stopped: " + sentence)


def call(doing, *command):
    """Run a command; when it fails, say what it was for."""
    if subprocess.call(command) != 0:
        stop(f"{doing} failed; the command was\n  " + " ".join(command))


def is_usable(python, venv):
    """Whether VENV holds a Python that runs, is new enough, and was made where it lies: it cannot be moved."""
    try:
        with open(os.path.join(venv, MADE_IN)) as file:
            made_in = file.read()
        probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST!r})"
        answer = subprocess.call([python, "-c", probe], stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return answer == 0 and made_in == os.path.realpath(venv)


def main(venv, lock, ready):
    """Make or repair the environment, install the lock, then the project itself."""
    if sys.version_info < OLDEST:
        needed, found = ".".join(map(str, OLDEST)), sys.version.split()[0]
        stop(f"Python {needed} or newer is needed and {sys.executable} is {found}; try: make PYTHON=python3.13")
    began = time.time()
    python = os.path.join(venv, "bin", "python")
    if not is_usable(python, venv):
        try:
            import ensurepip  # noqa: F401, PLC0415  (Debian ships it apart from python3)
        except ImportError:
            stop("this Python has no venv module; on Debian and Ubuntu: apt-get install python3-venv")
        print(f"making a virtual environment in {venv} with Python {sys.version.split()[0]}", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        call("making the environment", sys.executable, "-m", "venv", venv)
        with open(os.path.join(venv, MADE_IN), "w") as file:
            file.write(os.path.realpath(venv))

    # -qq: pip's notices about its configuration are not about this project; errors are still shown.
    install = [python, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--no-deps", "--no-compile"]
    print(f"installing the locked dependencies from {lock} (once; about half a minute)", flush=True)
    call("installing the locked dependencies", *install, "--require-hashes", "-r", lock)
    call("installing slipstream itself", *install, "--no-build-isolation", "--editable", ".")

    for name in os.listdir(venv):
        if name.startswith("ready-"):
            os.remove(os.path.join(venv, name))
    with open(ready, "w"):
        pass
    print(f"ready after {time.time() - began:.0f} seconds", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
