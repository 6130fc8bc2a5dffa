"""Files: uploaded and downloaded by their owner, whatever they are called."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from .support import Account, locations

MIB = 1024 * 1024
CONTENT = bytes(range(256)) * 3000


def upload(account: Account, name: str = "wind.bin", content: bytes = CONTENT, **form: str) -> httpx2.Response:
    return account.client.post("/files", files={"file": (name, content)}, data=form)


def test_what_is_uploaded_can_be_downloaded_unchanged(ann: Account) -> None:
    """Every byte comes back, as an attachment under its own name."""
    created = upload(ann, "wind.bin", note="from the north")
    downloaded = ann.client.get(created.headers["location"])

    assert created.status_code == 201
    assert created.headers["location"] == f"/files/{created.json()['id']}"
    assert set(created.json()) == {"id", "name", "note", "size", "sha256", "created_at"}
    assert created.json()["name"] == "wind.bin"
    assert created.json()["note"] == "from the north"
    assert created.json()["size"] == len(CONTENT)
    assert created.json()["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert downloaded.status_code == 200
    assert downloaded.content == CONTENT
    assert downloaded.headers["content-length"] == str(len(CONTENT))
    assert downloaded.headers["content-type"] == "application/octet-stream"
    assert downloaded.headers["content-disposition"] == 'attachment; filename="wind.bin"'
    assert downloaded.headers["x-content-type-options"] == "nosniff"


def test_a_part_of_a_file_can_be_downloaded(ann: Account) -> None:
    """A download that was cut off can go on."""
    created = upload(ann)

    part = ann.client.get(created.headers["location"], headers={"Range": "bytes=256-511"})

    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 256-511/{len(CONTENT)}"
    assert part.content == bytes(range(256))


def test_an_empty_file_is_a_file(ann: Account) -> None:
    """Nothing to store is not a mistake."""
    created = upload(ann, "empty.txt", b"")

    assert created.status_code == 201
    assert created.json()["size"] == 0
    assert ann.client.get(created.headers["location"]).content == b""


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("C:evil.txt", "evil.txt"),
        ("..", "unnamed"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("Wölkchen ☁.txt", "Wölkchen ☁.txt"),
        ("<script>.html", "<script>.html"),
        ('quote".txt', "quote%22.txt"),  # as browsers, too, write it in a form
        (".bashrc", "bashrc"),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
    ],
)
def test_a_name_is_shown_but_never_used_as_a_path(ann: Account, data_dir: Path, sent: str, shown: str) -> None:
    """Whatever a file is called, it lies under its id in the upload folder and nowhere else."""
    before = {path for path in data_dir.rglob("*") if path.is_file()}

    created = upload(ann, sent, b"harmless")
    downloaded = ann.client.get(created.headers["location"])

    assert created.status_code == 201
    assert created.json()["name"] == shown
    new = {path for path in data_dir.rglob("*") if path.is_file()} - before
    assert {path for path in new if not path.name.startswith("tour.sqlite3")} == {
        data_dir / "uploads" / uuid.UUID(created.json()["id"]).hex
    }
    assert downloaded.content == b"harmless"
    disposition = downloaded.headers["content-disposition"]
    assert disposition in (
        f'attachment; filename="{shown}"',
        f"attachment; filename*=utf-8''{quote(shown, safe='')}",
        f"attachment; filename*=utf-8''{quote(shown)}",
    )


@pytest.mark.parametrize("counted", [True, False], ids=["with a length", "in chunks"])
def test_an_upload_beyond_the_limit_is_refused_and_leaves_nothing(ann: Account, data_dir: Path, counted: bool) -> None:
    """Bytes are counted as they arrive: a client that does not announce them gains nothing."""
    stored, listed = sorted((data_dir / "uploads").iterdir()), ann.client.get("/files").json()
    head = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
    tail = b"\r\n--limit--\r\n"

    def chunks() -> Iterator[bytes]:
        yield head
        for _ in range(11):
            yield bytes(MIB)
        yield tail

    refused = ann.client.post(
        "/files",
        content=b"".join(chunks()) if counted else chunks(),
        headers={"Content-Type": "multipart/form-data; boundary=limit"},
    )

    assert refused.status_code == 413
    assert sorted((data_dir / "uploads").iterdir()) == stored
    assert ann.client.get("/files").json() == listed


def test_an_upload_within_the_limit_may_be_larger_than_other_bodies(ann: Account) -> None:
    """The route's limit replaces that of the application."""
    created = upload(ann, "big.bin", bytes(9 * MIB))

    assert created.status_code == 201
    assert created.json()["size"] == 9 * MIB


def test_a_form_without_a_file_is_refused(ann: Account) -> None:
    """So is text in the file's place, and a note that is too long."""
    missing = ann.client.post("/files", data={"note": "no file"})
    text = ann.client.post("/files", data={"file": "text"}, files={"other": b""})
    long = upload(ann, note="x" * 201)

    assert locations(missing) == [["body", "file"]]
    assert locations(text) == [["body", "file"]]
    assert locations(long) == [["body", "note"]]


def test_files_are_listed_page_by_page(new_account: Callable[[], Account]) -> None:
    """In the order of their upload."""
    owner = new_account()
    for name in ("one.txt", "two.txt", "three.txt"):
        upload(owner, name)

    first = owner.client.get("/files", params={"limit": 2})
    second = owner.client.get("/files", params={"limit": 2, "offset": 2})
    refused = owner.client.get("/files", params={"limit": 101})

    assert first.status_code == 200
    assert [file["name"] for file in first.json()["items"]] == ["one.txt", "two.txt"]
    assert first.json()["total"] == 3
    assert [file["name"] for file in second.json()["items"]] == ["three.txt"]
    assert locations(refused) == [["query", "limit"]]


def test_a_deleted_file_is_gone_from_the_disk(ann: Account, data_dir: Path) -> None:
    """Neither the list nor the folder keeps it."""
    created = upload(ann)
    path = created.headers["location"]

    deleted = ann.client.delete(path)

    assert deleted.status_code == 204
    assert deleted.content == b""
    assert not (data_dir / "uploads" / uuid.UUID(created.json()["id"]).hex).exists()
    assert ann.client.get(path).status_code == 404
    assert created.json() not in ann.client.get("/files?limit=100").json()["items"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_for_others_a_file_does_not_exist(ann: Account, bob: Account, client: httpx2.Client, method: str) -> None:
    """A stranger's file answers as one that was never there; who has no account is asked to log in."""
    path = upload(ann).headers["location"]

    foreign = bob.client.request(method, path)
    never = bob.client.request(method, f"/files/{uuid.uuid4()}")
    unknown = client.request(method, path)

    assert foreign.status_code == never.status_code == 404
    assert foreign.json() == never.json() == {"detail": "No such file"}
    assert unknown.status_code == 401
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert ann.client.get(path).content == CONTENT
    assert bob.client.get("/files").json()["items"] == []


def test_uploading_needs_a_user(client: httpx2.Client) -> None:
    """Nobody stores anything here without a name."""
    refused = client.post("/files", files={"file": ("a.txt", b"a")})

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("file_id", ["1", "tour.sqlite3", "..%5Csecret", "%2e%2e%2fsecret"])
def test_what_is_no_id_reaches_no_file(ann: Account, file_id: str) -> None:
    """There is no way from the address of a download to another file."""
    refused = ann.client.get(f"/files/{file_id}")

    assert refused.status_code in (404, 422)
    assert refused.headers["content-type"] == "application/json"
