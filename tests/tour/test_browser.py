"""The pages in a real browser: what people type in one window appears in another."""

import secrets
from collections.abc import Iterator

import pytest

from .browser import Browser, Window, find_chromium
from .support import Server

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium here")

LINES = "[...document.querySelectorAll('#log li')].map((line) => line.textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    assert program
    with Browser(program, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{secrets.token_hex(4)}"


def enter(browser: Browser, server: Server, room: str, name: str) -> Window:
    """Open the chat page and join a room, as a person does."""
    window = browser.window(f"{server.url}/chat?room={room}")
    window.type("[name=name]", name, enter=True)
    window.wait_for_text("#status", f"connected to {room}")
    return window


def test_two_people_chat_in_two_windows(browser: Browser, server: Server, room: str) -> None:
    """The whole way: page, script, WebSocket, server, WebSocket, script, page; and back."""
    ann = enter(browser, server, room, "Ann")
    bob = enter(browser, server, room, "Bob")
    ann.wait_for_text("#members", "Ann, Bob")

    ann.type("[name=text]", "Is anybody there?", enter=True)
    bob.wait_for_text("#log .message", "Ann Is anybody there?")
    bob.type("[name=text]", "Yes, in the other window")
    bob.click("#say button")
    for window in (ann, bob):  # whom it reaches first is chance
        window.wait_for_text("#log .message:last-child", "Bob Yes, in the other window")

    assert ann.evaluate(LINES) == [
        "Ann joined",
        "Bob joined",
        "Ann Is anybody there?",
        "Bob Yes, in the other window",
    ]
    assert bob.evaluate(LINES) == ann.evaluate(LINES)[1:]
    assert ann.evaluate("document.querySelector('[name=text]').value") == ""


def test_html_in_a_message_stays_text(browser: Browser, server: Server, room: str) -> None:
    """What others write can neither add elements to the page nor run a script in it."""
    attack = "<img src=x onerror=\"document.title='taken over'\"><script>alert(1)</script>"
    ann = enter(browser, server, room, "Ann")
    bob = enter(browser, server, room, "Bob")
    title = bob.evaluate("document.title")

    ann.type("[name=text]", attack, enter=True)
    bob.wait_for_text("#log .message", f"Ann {attack}")

    assert bob.evaluate("document.querySelectorAll('#log img, #log script').length") == 0
    assert bob.evaluate("document.title") == title


def test_who_is_turned_away_is_told_why_and_can_try_again(browser: Browser, server: Server, room: str) -> None:
    """The reason of the server's close stands on the page, and the form is open again."""
    enter(browser, server, room, "Ann")
    second = browser.window(f"{server.url}/chat?room={room}")

    second.type("[name=name]", "Ann", enter=True)
    second.wait_for_text("#status", "disconnected (1008: this name is taken)")
    second.type("[name=name]", "a", enter=True)

    second.wait_for_text("#status", f"connected to {room}")
    second.wait_for_text("#members", "Ann, Anna")


def test_the_form_refuses_a_room_that_the_server_would_refuse(browser: Browser, server: Server, room: str) -> None:
    """Page and server share one pattern, and the browser understands it."""
    window = browser.window(f"{server.url}/chat?room={room}")

    window.type("[name=room]", "UPPER")

    assert window.evaluate("document.querySelector('[name=room]').validity.patternMismatch") is True
    assert window.evaluate("document.querySelector('#talk').hidden") is True


def test_the_counter_is_taken_up_where_a_connection_ended(browser: Browser, server: Server) -> None:
    """The browser comes back by itself with the last id, until 204 tells it that it is over."""
    window = browser.window(f"{server.url}/live?stop=30&interval=0.01")

    window.click("#toggle")
    window.wait_for_text("#status", "finished")

    assert window.evaluate("document.querySelector('#number').textContent") == "30"
    assert window.evaluate("document.querySelector('#connections').textContent") == "2"
    assert window.evaluate("document.querySelector('#toggle').textContent") == "Start"


def test_a_counter_can_be_stopped_and_started_again(browser: Browser, server: Server) -> None:
    """Stopping closes the connection: the server no longer counts this viewer."""
    window = browser.window(f"{server.url}/live?stop=10000&interval=0.5")

    window.click("#toggle")
    window.wait("Number(document.querySelector('#number').textContent) >= 1")
    window.click("#toggle")

    window.wait_for_text("#status", "stopped")
    window.click("#toggle")
    window.wait_for_text("#number", "1")
    window.wait_for_text("#status", "connected")


def test_the_index_page_leads_to_the_chat(browser: Browser, server: Server) -> None:
    """A visitor who follows the first card can talk right away."""
    window = browser.window(server.url)

    window.click("a.card[href='/chat']")

    window.wait("location.pathname === '/chat' && document.activeElement.name === 'name'")
