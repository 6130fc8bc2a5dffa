"""Make the project's virtual environment: bootstrap.py VENV LOCK READY.

Uses only the standard library and pip, and pip's own configuration for where packages come from.
Writes READY last, so that an interrupted set-up is taken up again. Parses on any Python 3, to say
which one is needed.
"""

import os
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)


def stop(sentence):
    """End with one sentence for the user."""
    sys.exit("set-up stopped: " + sentence)


def call(doing, *command):
    """Run a command; when it fails, say what it was for."""
    if subprocess.call(command) != 0:
        stop("{} failed; the command was\n  {}".format(doing, " ".join(command)))


def is_usable(python, venv):
    """Whether VENV holds a Python that runs, is new enough, and was made for this very folder."""
    probe = "import sys, pip; print(sys.prefix); sys.exit(sys.version_info < {!r})".format(OLDEST)
    try:
        answer = subprocess.run([python, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    prefix = answer.stdout.decode().strip()
    return answer.returncode == 0 and os.path.realpath(prefix) == os.path.realpath(venv)


def main(venv, lock, ready):
    """Make or repair the environment, install the lock, then the project itself."""
    if sys.version_info < OLDEST:
        stop(
            "Python {}.{} or newer is needed and {} is {}.{}; name another one: make PYTHON=python3.13".format(
                OLDEST[0], OLDEST[1], sys.executable, sys.version_info[0], sys.version_info[1]
            )
        )
    began = time.time()
    python = os.path.join(venv, "bin", "python")
    if not is_usable(python, venv):
        try:
            import ensurepip  # noqa: F401, PLC0415  (Debian ships it apart from python3)
        except ImportError:
            stop("this Python has no venv module; on Debian and Ubuntu: apt-get install python3-venv")
        print("making a virtual environment in {} with Python {}".format(venv, sys.version.split()[0]), flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        call("making the environment", sys.executable, "-m", "venv", venv)

    # -qq: pip's notices about its configuration are not about this project; errors are still shown.
    install = [python, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--no-deps"]
    print("installing the locked dependencies from {} (once, some 20 seconds)".format(lock), flush=True)
    call("installing the locked dependencies", *install, "--require-hashes", "-r", lock)
    call("installing slipstream itself", *install, "--no-build-isolation", "--editable", ".")

    for name in os.listdir(venv):
        if name.startswith("ready-"):
            os.remove(os.path.join(venv, name))
    with open(ready, "w"):
        pass
    print("ready after {:.0f} seconds".format(time.time() - began), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
