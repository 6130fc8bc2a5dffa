"""The command line: `slipstream run` and its sisters.

Built on click, which uvicorn requires anyway, so that the command line installs nothing of its own.
Without it `import slipstream` works all the same; only the command says what is missing.
"""

import sys
from importlib import import_module
from pathlib import Path


def main(called: str | None = None) -> None:
    """Run the command with the program's arguments, and exit; its name, `called`, is the program's by default.

    Under the alias this is `fastapi.cli.main` too, and `fastapi` is the command of fastapi-cli.
    """
    name = "fastapi" if (called or Path(sys.argv[0]).stem) == "fastapi" else "slipstream"
    package = "fastapi-cli[standard]" if name == "fastapi" else "slipstream[standard]"
    try:
        module = import_module("fastapi_cli.cli" if name == "fastapi" else "slipstream.cli.program")
    except ModuleNotFoundError as error:
        if error.name not in ("click", "fastapi_cli"):
            raise
        sys.stderr.write(f'{name}: the command line needs {error.name}: pip install "{package}"\n')
        sys.exit(2)
    module.main()
