"""The driver in a process of its own: how it is named, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

HEAD = """
import nonebot
nonebot.init(log_level="WARNING")
driver = nonebot.get_driver()
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder with a `.env` that names the driver."""
    (folder / ".env").write_text("DRIVER=slipstream.bots.nonebot\nSLIPSTREAM_TYPE=fastapi\n")
    environment = {name: value for name, value in os.environ.items() if name != "DRIVER"}
    return subprocess.run(
        [sys.executable, "-c", HEAD + program], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_the_driver_is_named_in_the_environment_file(tmp_path: Path) -> None:
    """As a user of NoneBot does it; nothing in the program says slipstream."""
    done = run("print(type(driver).__module__, driver.type, type(nonebot.get_asgi()).__module__)", tmp_path)

    assert done.stdout.split()[-3:] == ["slipstream.bots.nonebot.driver", "fastapi", "slipstream.applications"]


def test_a_start_that_fails_ends_the_process(tmp_path: Path) -> None:
    """A service manager must see it; and see why."""
    program = """
@driver.on_startup
async def _():
    raise RuntimeError("no such account")

nonebot.run()
"""
    done = run(program, tmp_path)

    assert done.returncode == 3
    assert "no such account" in done.stdout + done.stderr


def test_slipstream_alone_does_not_import_nonebot() -> None:
    """It is an extra."""
    program = "import sys, slipstream, slipstream.bots; print('nonebot' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "False"
