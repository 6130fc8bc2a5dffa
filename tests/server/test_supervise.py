"""Workers under a supervisor: processes that are started, watched, replaced and ended, as clients see it."""

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from slipstream.server.supervise import Place, ask_to_reload
from tests.programs import write as write
from tests.server.reloads import Load
from tests.serving import Served, make_certificate, served_by

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")

Write = Callable[[str, str], Path]

PROGRAM = """
import asyncio, os, time
from contextlib import asynccontextmanager
from pathlib import Path
from slipstream import BackgroundTasks, FastAPI, WebSocket

async def until(is_so):
    while not is_so():
        await asyncio.sleep(0.02)

@asynccontextmanager
async def lifespan(app):
    await until(lambda: not Path("hold").exists())
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/")
async def home() -> int:
    return os.getpid()

@app.get("/wait")
async def wait(tasks: BackgroundTasks) -> str:
    print("a request waits", flush=True)
    await until(Path("go").exists)
    tasks.add_task(after)
    return "done"

async def after():
    await asyncio.sleep(0.2)
    print("the background task is done", flush=True)

@app.get("/hang")
async def hang() -> None:
    time.sleep(600)

@app.websocket("/ws")
async def listen(socket: WebSocket):
    await socket.accept()
    await socket.receive_text()
"""


@pytest.fixture
def serving(write: Write, tmp_path: Path) -> Callable[..., AbstractContextManager[Served]]:
    """Serve the program with a number of workers, all of which are ready."""

    @contextmanager
    def serve(*arguments: str, workers: int = 1, program: str = PROGRAM) -> Iterator[Served]:
        write("main.py", program)
        command = ("-m", "slipstream", "run", "main.py", "--port", "PORT", "--workers", str(workers), *arguments)
        with served_by(tmp_path, sys.executable, *command) as served:
            served.wait_for(r"Worker \[\d+\] is ready", times=workers)
            yield served

    return serve


Serving = Callable[..., AbstractContextManager[Served]]


class Client:
    """One connection, whose requests and responses are bytes."""

    def __init__(self, served: Served) -> None:
        self.socket = socket.create_connection(("127.0.0.1", served.port), timeout=30)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, path: str, headers: str = "") -> None:
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())

    def read(self) -> tuple[str, str]:
        """Read a response: its head in small letters, and its content."""
        head = b"".join(iter(self.file.readline, b"\r\n")).decode().lower()
        size = re.search(r"content-length: (\d+)", head)
        return head, self.file.read(int(size[1]) if size else 0).decode()

    def ask(self, path: str = "/") -> tuple[str, str]:
        self.send(path)
        return self.read()


def pid_of(served: Served) -> int:
    """Ask a worker for its process id, by a connection of its own."""
    with Client(served) as client:
        return int(client.ask()[1])


def pids_in_log(served: Served) -> list[int]:
    """Return the process ids of the workers that were ready."""
    return [int(pid) for pid in re.findall(r"Worker \[(\d+)\] is ready", "".join(served.seen))]


# --- reloading -------------------------------------------------------------------------------------------------------


def test_no_request_is_lost_while_workers_are_replaced(serving: Serving) -> None:
    """On fresh connections, on kept ones, and on kept ones that pause."""
    with serving("--no-access-log", "--lame-duck", "8", workers=2) as served:
        load = Load(served.port, fresh=2, kept=3, pausing=8)

        async def reload_twice() -> None:
            load.is_held = True
            asking = asyncio.create_task(load.run(600))
            for _ in range(2):
                served.process.send_signal(signal.SIGHUP)
                await asyncio.to_thread(served.wait_for, "Reloaded")
            load.is_held = False
            await asking

        asyncio.run(reload_twice())

    assert load.sent >= 600
    assert len(load.pids) >= 4
    assert not load.lost


def test_a_slow_start_is_waited_for(serving: Serving, tmp_path: Path) -> None:
    """On a busy machine a start may take 20 s; the old worker serves meanwhile."""
    with serving() as served:
        old = pid_of(served)
        hold = tmp_path / "hold"
        hold.touch()
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("Waiting for application startup")
        assert {pid_of(served) for _ in range(20)} == {old}
        hold.unlink()
        served.wait_for("Reloaded")

        assert pid_of(served) != old


def test_a_new_version_that_does_not_start_leaves_the_old_one_serving(serving: Serving, write: Write) -> None:
    """Said by the exit status of `slipstream reload`, and in the log; the next version may be better."""
    with serving() as served:
        old = pid_of(served)
        write("main.py", "1 / 0")
        command = [sys.executable, "-m", "slipstream", "reload", str(served.process.pid)]
        failed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert pid_of(served) == old
        served.wait_for("Not reloaded: the new version did not start")
        write("main.py", PROGRAM + "# changed")
        done = ask_to_reload(served.process.pid)

        assert pid_of(served) != old

    assert failed.returncode == 1
    assert "the new version did not start" in failed.stderr
    assert done == ""


def test_a_new_certificate_is_served_after_a_reload(serving: Serving, certificate: Path, tmp_path: Path) -> None:
    """They change every few weeks."""
    own = tmp_path / "own.pem"
    own.write_text(certificate.read_text())
    with serving("--ssl-certfile", str(own), "--lame-duck", "0.1") as served:
        before = ssl.get_server_certificate(("127.0.0.1", served.port))
        make_certificate(own)
        assert ask_to_reload(served.process.pid) == ""
        after = ssl.get_server_certificate(("127.0.0.1", served.port))

    assert before.strip() in certificate.read_text()
    assert after.strip() in own.read_text()
    assert after != before


def test_a_new_version_that_never_starts_is_given_up(serving: Serving, tmp_path: Path) -> None:
    """After the time for it."""
    with serving("--reload-timeout", "2") as served:
        old = pid_of(served)
        (tmp_path / "hold").touch()

        assert "did not start" in ask_to_reload(served.process.pid)
        assert pid_of(served) == old
        served.wait_for("has not started within 2 s")


def test_sighup_is_refused_by_a_process_that_serves_alone(write: Write, tmp_path: Path) -> None:
    """Its default would be to end the service."""
    write("main.py", PROGRAM)
    with served_by(tmp_path, sys.executable, "-m", "slipstream", "run", "main.py", "--port", "PORT") as served:
        served.wait_for("running on")
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("SIGHUP is refused")

        assert pid_of(served) == served.process.pid


# --- sockets ---------------------------------------------------------------------------------------------------------


def test_a_unix_socket_that_was_left_behind_is_taken_over(serving: Serving, tmp_path: Path) -> None:
    """A server that was killed cannot remove it."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with serving("--uds", str(path)), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")

    assert not path.exists()


def test_sockets_of_a_service_manager_are_listened_on(write: Write, tmp_path: Path) -> None:
    """It holds them while the service is not there."""
    write("main.py", PROGRAM)
    write("manage.py", """
        import os, sys
        given = int(sys.argv[1])
        os.dup2(given, 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execl(sys.executable, sys.executable, "-m", "slipstream", "run", "main.py")
    """)  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "manage.py", str(listener.fileno())]
        with subprocess.Popen(
            command, cwd=tmp_path, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL
        ) as process:
            with socket.create_connection(listener.getsockname(), timeout=30) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = client.recv(1000)
            process.terminate()

    assert answer.startswith(b"HTTP/1.1 200 OK")


# --- workers that end ------------------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_is_replaced(serving: Serving) -> None:
    """What it had in flight is lost, and nothing else; by SIGTERM, not even that."""
    with serving(workers=2) as served, Client(served) as kept:
        mine = int(kept.ask()[1])
        (other,) = set(pids_in_log(served)) - {mine}
        os.kill(other, signal.SIGKILL)
        assert int(kept.ask()[1]) == mine
        served.wait_for(rf"Worker \[{other}\] has died, by SIGKILL")
        served.wait_for("is ready")
        os.kill(mine, signal.SIGTERM)
        served.wait_for("is ready")

        assert int(kept.ask()[1]) == mine  # which has drained
        assert {pid_of(served) for _ in range(10)} <= set(pids_in_log(served)) - {mine, other}


def test_a_worker_that_hangs_shows_where_and_is_replaced(serving: Serving) -> None:
    """Its loop answers nobody; the stacks of its threads say why."""
    with serving("--worker-timeout", "1") as served, Client(served) as client:
        old = pid_of(served)
        client.send("/hang")
        served.wait_for(rf"Worker \[{old}\] has not answered for 1 s")
        served.wait_for(r'File ".*main\.py", line \d+ in hang')
        served.wait_for("is ready")

        assert pid_of(served) != old


def test_workers_end_when_their_supervisor_is_killed(serving: Serving) -> None:
    """Or they would hold the port, and nobody could start the service again."""
    with serving("--lame-duck", "0", workers=2) as served:
        served.process.kill()
        served.process.wait(30)
        served.wait_for("Finished server process", times=2)


@pytest.mark.parametrize(
    "limit", [("--limit-max-requests", "3"), ("--limit-max-age", "0.5", "--limit-max-age-jitter", "0.1")], ids=str
)
def test_a_worker_is_replaced_after_its_number_of_requests_or_at_its_age(serving: Serving, limit: list[str]) -> None:
    """A remedy for leaks of memory; nobody notices."""
    with serving(*limit, "--lame-duck", "0.1") as served, Client(served) as client:
        for _ in range(3):
            client.ask()
        served.wait_for("is ready")
        served.wait_for("Drained")

        old, new, *_ = pids_in_log(served)
        assert pid_of(served) != old
        assert new != old


def test_a_program_that_cannot_be_imported_ends_the_supervisor(write: Write, tmp_path: Path) -> None:
    """A service manager should see it."""
    write("main.py", "1 / 0")
    command = ("-m", "slipstream", "run", "main.py", "--port", "PORT", "--workers", "2")
    with served_by(tmp_path, sys.executable, *command) as served:
        assert served.process.wait(30) == 3


def test_a_crash_loop_is_slowed_down() -> None:
    """Three deaths may be bad luck."""
    place, pauses = Place(), []

    for _ in range(10):
        place.note_death(life=2)
        pauses.append(place.pause)
    place.note_death(life=60)

    assert pauses == [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]
    assert place.pause == 0


# --- the end of all --------------------------------------------------------------------------------------------------


def test_sigterm_lets_everything_end(serving: Serving, tmp_path: Path) -> None:
    """Requests under way are answered, idle connections may ask once more, sockets are told, tasks are done."""
    with serving() as served, Client(served) as busy, Client(served) as idle, Client(served) as talking:
        assert "101" in open_socket(talking)
        idle.ask()
        busy.send("/wait")
        served.wait_for("a request waits")
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("workers drain")
        while "connection: close" not in idle.ask()[0]:
            pass
        (tmp_path / "go").touch()
        head, content = busy.read()
        assert "connection: close" in head
        assert content == '"done"'
        assert talking.file.read(4) == b"\x88\x02\x03\xf4"  # 1012
        served.wait_for("the background task is done")

        assert served.process.wait(30) == 0


def open_socket(client: Client) -> str:
    """Ask for a WebSocket; return the head of the answer."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    client.send("/ws", f"Connection: Upgrade\r\nUpgrade: websocket\r\n{key}")
    return client.read()[0]


def test_a_second_signal_ends_at_once(serving: Serving) -> None:
    """Somebody is in a hurry."""
    with serving() as served, Client(served) as busy:
        busy.send("/wait")
        served.wait_for("a request waits")
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("workers drain")
        served.process.send_signal(signal.SIGTERM)

        assert served.process.wait(30) == 128 + signal.SIGTERM


# --- who asks how it is ----------------------------------------------------------------------------------------------


def test_readiness_ends_with_the_drain(serving: Serving) -> None:
    """An orchestrator sends nothing more, and new connections are served until it has seen that."""
    with serving("--health", "/livez,/readyz", "--lame-duck", "3") as served:
        before = [status(served, path) for path in ("/livez", "/readyz")]
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("workers drain")
        while status(served, "/readyz") == 200:
            pass

        assert before == [200, 200]
        assert status(served, "/readyz") == 503
        assert status(served, "/livez") == 200
        assert served.process.wait(30) == 0


def status(served: Served, path: str) -> int:
    with Client(served) as client:
        return int(client.ask(path)[0].split()[1])


def test_a_service_manager_is_told(serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd wants it of services of the type notify-reload."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        with serving() as served:
            served.process.send_signal(signal.SIGHUP)
            served.wait_for("Reloaded")
        told = []
        while "STOPPING=1" not in told:
            told.append(manager.recv(100).decode())

    assert "WATCHDOG=1" in told
    others = [each.partition("\n")[0] for each in told if each != "WATCHDOG=1"]
    assert others == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
