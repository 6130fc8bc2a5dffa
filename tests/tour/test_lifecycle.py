"""Start, stop, and what stays between."""

import json
import stat
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from .support import PATIENCE, SLIPSTREAM_RUN, Account, Server


def test_the_tour_is_served_by_slipstream_run(tmp_path: Path) -> None:
    """As `make run` does it: the file is named, and its package is found."""
    with Server(tmp_path, SLIPSTREAM_RUN) as server, server.client() as client:
        page = client.get("/")

    assert page.status_code == 200
    assert "One small application" in page.text


def test_data_and_tokens_outlive_the_server(tmp_path: Path) -> None:
    """Without any setting the tour makes a secret of its own and keeps it: nobody is logged out by a restart."""
    with Server(tmp_path) as first:
        ann = Account.create(first)
        item = ann.create_item()
        file = ann.client.post("/files", files={"file": ("a.txt", b"kept")}).headers["location"]
        ann.client.close()
    with Server(tmp_path) as second, second.client(headers={"Authorization": f"Bearer {ann.token}"}) as client:
        assert client.get("/users/me").json()["username"] == ann.username
        assert client.get(f"/items/{item['id']}").json() == item
        assert client.get(file).content == b"kept"


def test_the_secret_is_for_its_owner_only_and_another_in_each_place(tmp_path: Path) -> None:
    """A token from one installation is worth nothing in another."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    with Server(here) as one, Server(there) as other:
        ann, ben = Account.create(one), Account.create(other)
        ann.client.close(), ben.client.close()
        with other.client(headers={"Authorization": f"Bearer {ann.token}"}) as client:
            refused = client.get("/users/me")

    assert refused.status_code == 401
    assert (here / "secret").read_text() != (there / "secret").read_text()
    assert len((here / "secret").read_text()) >= 32
    assert stat.S_IMODE((here / "secret").stat().st_mode) == 0o600
    assert sorted(path.name for path in here.iterdir()) == ["secret", "tour.sqlite3", "uploads"]


def test_a_short_secret_is_not_accepted(tmp_path: Path) -> None:
    """A key that can be guessed is a mistake to be told at the start, without telling the key."""
    with pytest.raises(RuntimeError, match="at least 32") as refused:
        Server(tmp_path, TOUR_SECRET="hunter2")

    assert "hunter2" not in str(refused.value)


def test_members_of_a_chat_are_told_when_the_server_stops(tmp_path: Path) -> None:
    """The close code says that the server goes away or restarts, so that a client can come back."""
    with Server(tmp_path) as server, server.join("lobby", "Ann") as ann:
        assert json.loads(ann.recv(PATIENCE))["type"] == "joined"

        server.ask_to_stop()
        with pytest.raises(ConnectionClosed) as closed:
            ann.recv(PATIENCE)

    assert closed.value.rcvd
    assert closed.value.rcvd.code in (1001, 1012)


def test_a_request_in_flight_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    """Stopping is polite: what has begun is finished."""
    with Server(tmp_path) as server, server.client() as client:
        query = {"stop": 5, "interval": 0.1}
        with client.stream("GET", "/live/counter", params=query) as stream:
            lines = stream.iter_lines()
            while next(lines) != "id: 1":
                pass
            server.ask_to_stop()
            rest = list(lines)
        with pytest.raises(httpx2.TransportError):
            client.get("/health")

    assert [line for line in rest if line.startswith("id")] == ["id: 2", "id: 3", "id: 4", "id: 5"]
    assert server.log[-1].strip()
