"""The tour, served once for all tests of a worker, and people who use it."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from .support import Account, Server


@pytest.fixture(scope="session")
def secret() -> str:
    """The key that signs the tokens of `server`."""
    return secrets.token_urlsafe(32)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tour")


@pytest.fixture(scope="session")
def server(data_dir: Path, secret: str) -> Iterator[Server]:
    with Server(data_dir, TOUR_SECRET=secret) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    """Somebody without an account."""
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def new_account(server: Server) -> Iterator[Callable[[], Account]]:
    """Make somebody who has nothing yet. Signing up takes a while, on purpose: use Ann and Bob where they will do."""
    accounts: list[Account] = []

    def create() -> Account:
        accounts.append(Account.create(server))
        return accounts[-1]

    yield create
    for account in accounts:
        account.client.close()


@pytest.fixture(scope="session")
def ann(new_account: Callable[[], Account]) -> Account:
    """Somebody who owns what a test, or an earlier one, gave her."""
    return new_account()


@pytest.fixture(scope="session")
def bob(new_account: Callable[[], Account]) -> Account:
    """Somebody else, who never owns anything."""
    return new_account()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line, whatever the verbosity, that the part for a browser was not run."""
    if any("no Chromium here" in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())):
        terminalreporter.write_line("tests/tour/test_browser.py was not run: no Chromium here (apt install chromium)")
