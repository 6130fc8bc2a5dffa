"""The benchmark of bots: a real bot process and a platform of few accounts, half of them dialled by the bot."""

import sys

import pytest

from benchmarks import bots


@pytest.mark.parametrize(("mode", "deflate"), [("driver", False), ("onebot", True)])
def test_every_driver_answers_each_event(
    mode: str, deflate: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line a driver and rate; all that was sent has been answered, or this would not end."""
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    options = ["--links", "3", "--only", mode, "--rate", "100", "100000", "--seconds", "0.05", "--rounds", "1"]

    bots.main([*options, *(["--deflate"] if deflate else [])])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [line[:2] for line in lines] == [[mode, name] for _ in range(2) for name in bots.CANDIDATES[mode]]
    assert all(float(rate) > 0 and float(cost) > 0 for _, _, rate, cost, *_ in lines)
