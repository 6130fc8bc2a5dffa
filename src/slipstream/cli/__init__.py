"""The command line: `slipstream run`, `slipstream explain`, `slipstream openapi`.

Built on click, which uvicorn requires anyway, so that the command line installs nothing of its own.
Without it `import slipstream` works all the same; only the command says what is missing.
"""

import sys


def main() -> None:
    """Run the `slipstream` command with the program's arguments, and exit."""
    try:
        from slipstream.cli.program import program
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.stderr.write('slipstream: the command line needs click: pip install "slipstream[standard]"\n')
        sys.exit(2)
    program(prog_name="slipstream")
