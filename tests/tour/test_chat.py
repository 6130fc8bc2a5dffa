"""The chat: rooms over WebSockets, with clients that behave and clients that do not."""

import json
import secrets
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from .support import PATIENCE, Server


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{secrets.token_hex(4)}"


def receive(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(socket.recv(PATIENCE)))


def say(socket: ClientConnection, text: str) -> None:
    socket.send(json.dumps({"text": text}))


def presence(what: str, name: str, *members: str) -> dict[str, Any]:
    return {"type": what, "name": name, "members": list(members)}


def test_what_one_says_all_in_the_room_get(server: Server, room: str) -> None:
    """Each is told who is there, what is said and by whom, and who leaves."""
    with server.join(room, "Ann") as ann:
        assert receive(ann) == presence("joined", "Ann", "Ann")
        with server.join(room, "Björn 2.") as bjorn:
            assert receive(ann) == receive(bjorn) == presence("joined", "Björn 2.", "Ann", "Björn 2.")

            say(bjorn, "  <b>Hej</b> & welcome  ")

            heard = receive(ann)
            assert heard == receive(bjorn)
            assert datetime.fromisoformat(heard.pop("at")).tzinfo
            assert heard == {"type": "message", "name": "Björn 2.", "text": "<b>Hej</b> & welcome"}
        assert receive(ann) == presence("left", "Björn 2.", "Ann")


def test_rooms_do_not_hear_each_other(server: Server, room: str) -> None:
    """The first thing that Bob hears after his own arrival was said in his room."""
    with server.join(f"{room}-1", "Ann") as ann, server.join(f"{room}-2", "Bob") as bob:
        receive(ann), receive(bob)

        say(ann, "to the first")
        assert receive(ann)["text"] == "to the first"
        say(bob, "to the second")

        assert receive(bob)["text"] == "to the second"


def test_messages_keep_their_order(server: Server, room: str) -> None:
    """Also when they come faster than they are read."""
    with server.join(room, "Ann") as ann:
        receive(ann)

        for number in range(50):
            say(ann, str(number))

        assert [receive(ann)["text"] for _ in range(50)] == [str(number) for number in range(50)]


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        ("no json", "Invalid JSON"),
        ("", "Invalid JSON"),
        ("[1]", "object"),
        ("null", "object"),
        ("{}", "Field required"),
        ('{"text": 1}', "valid string"),
        ('{"text": "   "}', "at least 1 character"),
        (json.dumps({"text": "x" * 501}), "at most 500 characters"),
        ('{"text": "a", "name": "Bob"}', "not permitted"),
        ('{"text": "\\ud800"}', "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_wrong_frame_is_answered_with_an_error_and_the_talk_goes_on(
    server: Server, room: str, frame: str | bytes, complaint: str
) -> None:
    """Only its sender learns of it."""
    with server.join(room, "Ann") as ann, server.join(room, "Bob") as bob:
        receive(ann), receive(ann), receive(bob)

        ann.send(frame)
        refusal = receive(ann)
        say(ann, "sorry")

        assert refusal["type"] == "error"
        assert complaint in refusal["detail"]
        assert receive(ann)["text"] == receive(bob)["text"] == "sorry"


def test_a_name_is_free_again_when_its_owner_has_left(server: Server, room: str) -> None:
    """Two of one name could pass for each other, so the second is turned away with a reason."""
    with server.join(room, "Ann") as ann:
        receive(ann)
        with server.join(room, "Ann") as second, pytest.raises(ConnectionClosed) as closed:
            second.recv(PATIENCE)
        say(ann, "still here")
        assert receive(ann)["text"] == "still here"
        with server.join(room, "Bob") as bob:
            receive(bob)
            ann.close()
            assert receive(bob) == presence("left", "Ann", "Bob")
            with server.join(room, "Ann") as again:
                assert receive(again) == presence("joined", "Ann", "Ann", "Bob")

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008
    assert closed.value.rcvd.reason == "this name is taken"


def test_a_member_whose_connection_breaks_is_said_to_have_left(server: Server, room: str) -> None:
    """A broken line, without any goodbye, is a way to leave, too."""
    with server.join(room, "Ann") as ann:
        receive(ann)
        with server.join(room, "Bob") as bob:
            receive(ann), receive(bob)
            bob.socket.shutdown(2)
        assert receive(ann) == presence("left", "Bob", "Ann")


def test_a_room_takes_fifty(server: Server, room: str) -> None:
    """Who comes later is told so, and comes in when somebody has left."""
    with ExitStack() as stack:
        members = [stack.enter_context(server.join(room, f"member {number}")) for number in range(50)]
        for member in members:
            receive(member)  # so that each has been let in
        with server.join(room, "one more") as refused, pytest.raises(ConnectionClosed) as closed:
            refused.recv(PATIENCE)
        members.pop().close()
        while receive(members[0])["type"] != "left":
            pass
        with server.join(room, "one more") as late:
            assert "one more" in receive(late)["members"]

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008
    assert closed.value.rcvd.reason == "this room is full"


@pytest.mark.parametrize(
    ("room", "name"),
    [
        ("UPPER", "Ann"),
        ("with space", "Ann"),
        ("-dash", "Ann"),
        ("x" * 33, "Ann"),
        ("<b>", "Ann"),
        ("room\n", "Ann"),
        ("lobby", ""),
        ("lobby", "x" * 25),
        ("lobby", "<script>"),
        ("lobby", " Ann"),
        ("lobby", "Ann\n"),
    ],
)
def test_a_room_or_name_with_other_characters_is_refused_at_the_door(server: Server, room: str, name: str) -> None:
    """The handshake fails; no WebSocket is opened."""
    with pytest.raises(InvalidStatus) as refused, server.join(room.replace(" ", "%20").replace("\n", "%0A"), name):
        pass

    assert refused.value.response.status_code == 403


def test_a_room_without_a_name_cannot_be_joined(server: Server) -> None:
    """The name is a required query parameter."""
    with server.client() as client:
        plain = client.get("/chat/lobby/ws")

    with pytest.raises(InvalidStatus) as refused, server.join("lobby", ""):
        pass

    assert refused.value.response.status_code == 403
    assert plain.status_code == 404
