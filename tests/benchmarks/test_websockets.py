"""The benchmark of WebSockets: real processes, real sockets, few messages."""

import sys

import pytest

from benchmarks import websockets


def test_each_candidate_echoes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come back is waited for, and what closes is an error."""
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))

    websockets.main(["--rounds", "1", "--messages", "3"])

    websockets.main(["--idle", "10"])

    shown = capsys.readouterr().out
    assert all(name in shown for name in websockets.CANDIDATES)
    assert "times cheaper than fastapi" in shown
    assert "compressed: KiB a connection: fastapi" in shown
