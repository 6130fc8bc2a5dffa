"""The `slipstream` command as a whole."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from slipstream.cli.program import program

Write = Callable[[str, str], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]


def test_help_lists_every_command(slipstream: Command) -> None:
    """The first thing to type when one knows nothing."""
    answer = slipstream("--help")

    assert answer.returncode == 0
    for name, command in program.commands.items():
        assert f"{name} " in answer.stdout
        assert command.get_short_help_str(limit=80) in answer.stdout


def test_the_version_is_the_packages(slipstream: Command) -> None:
    """Bug reports begin with it."""
    assert slipstream("--version").stdout == f"slipstream {version('slipstream')}\n"


@pytest.mark.parametrize("name", ["run", "explain", "openapi", "alias", "migrate"])
def test_each_command_has_help(name: str) -> None:
    """The second thing to type."""
    answer = CliRunner().invoke(program, [name, "--help"])

    assert answer.exit_code == 0
    assert answer.output.startswith(f"Usage: program {name} ")
    assert program.commands[name].help


def test_an_unknown_command_is_refused() -> None:
    """click's own words do."""
    answer = CliRunner().invoke(program, ["serve"])

    assert answer.exit_code == 2
    assert "No such command 'serve'" in answer.output


def test_help_imports_neither_a_server_nor_what_one_command_needs() -> None:
    """The command line answers at once; what only one command needs waits for it."""
    code = (
        "import sys; from slipstream.cli.program import program\n"
        "program(['--help'], standalone_mode=False)\n"
        "heavy = {'uvicorn', 'yaml', 'websockets', 'slipstream.explain'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert answer.returncode == 0, answer.stderr


def test_without_click_the_command_says_what_to_install() -> None:
    """click comes with an extra; a traceback would not say which."""
    code = "import sys; sys.modules['click'] = None; from slipstream.cli import main; main()"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert answer.returncode == 2
    assert answer.stderr == 'slipstream: the command line needs click: pip install "slipstream[standard]"\n'


MAIN = """
class App:
    def openapi(self):
        return {"openapi": "3.1.0", "info": {"title": "Größe"}}
    def __call__(self, scope, receive, send): ...

app = App()
"""


def test_openapi_prints_the_document(write: Write, slipstream: Command) -> None:
    """To feed a generator of clients without starting a server."""
    write("main.py", MAIN)

    answer = slipstream("openapi", "main.py")

    assert json.loads(answer.stdout) == {"openapi": "3.1.0", "info": {"title": "Größe"}}


def test_openapi_writes_yaml_to_a_file(write: Write, slipstream: Command, tmp_path: Path) -> None:
    """Some reviewers read YAML more easily."""
    write("main.py", MAIN)

    answer = slipstream("openapi", "main.py", "--yaml", "-o", "openapi.yaml")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert (tmp_path / "openapi.yaml").read_text("utf-8") == "openapi: 3.1.0\ninfo:\n  title: Größe\n"


def test_openapi_of_an_application_without_a_document_is_refused(write: Write, slipstream: Command) -> None:
    """Any ASGI application can be served, but only slipstream's describe themselves."""
    write("main.py", "async def app(scope, receive, send): ...")

    answer = slipstream("openapi", "main.py")

    assert answer.returncode == 2
    assert "main:app makes no OpenAPI document" in answer.stderr
