"""The worker class for gunicorn."""

import signal
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.serving import served_by

PROGRAM = """
from slipstream import FastAPI

app = FastAPI()

@app.get("/")
async def home() -> str:
    return "home"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn forks")
def test_it_serves_by_our_protocol(tmp_path: Path) -> None:
    """Only ours refuses a head of 9 KiB."""
    (tmp_path / "main.py").write_text(PROGRAM)
    command = ["-m", "gunicorn", "main:app", "-k", "slipstream.server.gunicorn.Worker", "-b", "127.0.0.1:PORT"]

    with served_by(tmp_path, sys.executable, *command, stop=signal.SIGTERM) as served:
        assert served.get() == '"home"'
        with pytest.raises(HTTPError) as error:
            urlopen(Request(f"http://127.0.0.1:{served.port}/", headers={"X-Long": "x" * 9000}), timeout=30)
        error.value.close()

    assert error.value.code == 431
