"""The benchmark of whole servers: real processes, real sockets, few requests."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.work import WORK

ITEM = next(work for work in WORK if work.name == "post").timed["post"]


def test_a_request_is_written_as_a_client_writes_it() -> None:
    """Head, empty line, body; with a length that is true."""
    head, _, body = servers.written(ITEM).partition(b"\r\n\r\n")

    assert head.startswith(b"POST /items HTTP/1.1\r\nhost: shop.example.com\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert body == ITEM.body


@pytest.mark.parametrize(
    ("answer", "size"),
    [(b"HTTP/1.1 200 OK\r\nContent-", None), (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na", 41)],
)
def test_the_size_of_an_answer_is_known_from_its_head(answer: bytes, size: int | None) -> None:
    """It may come in several pieces."""
    assert servers.size_of(answer) == size


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\ncontent-length: 1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_other_answers_are_not_counted(answer: bytes) -> None:
    """A server that fails fast must not look fast."""
    with pytest.raises(RuntimeError, match="not an answer to count"):
        servers.size_of(answer)


def test_a_run_leaves_a_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By either door, beside hand-written ASGI."""
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    record = tmp_path / "record.json"
    options = ["--only", "plain", "--candidates", "raw", "slipstream", "direct", "--rounds", "1", "--seconds", "0.01"]

    code = servers.main([*options, "--json", str(record)])

    costs = json.loads(record.read_text(encoding="utf-8"))["requests_us"]["plain"]
    assert code == 0
    assert all(costs[name] > 0 for name in ("raw", "slipstream", "direct"))
    assert "plain" in capsys.readouterr().out
