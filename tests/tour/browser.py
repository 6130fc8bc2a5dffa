"""A headless Chromium and its pages, driven over the DevTools protocol.

Only what the tests need: open a page, type, click, and wait for something to become true. Waiting is done by the page
itself, which tells when its document has changed; nothing is asked again and again.
"""

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import connect

from .support import PATIENCE

FLAGS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
WAIT = """
new Promise((resolve, reject) => {
  const look = () => {
    const value = (() => { try { return CONDITION } catch { return null } })();
    if (value) { observer.disconnect(); resolve(value); }
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  for (const event of ["readystatechange", "focusin"]) document.addEventListener(event, look);
  setTimeout(() => reject(new Error(document.documentElement.outerHTML)), TIMEOUT);
  look();
})
"""


def find_chromium() -> str | None:
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Browser:
    """One Chromium process with an empty profile; `window` opens pages that share nothing with each other."""

    def __init__(self, program: str, profile: Path) -> None:
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [program, *FLAGS, *as_root, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(profile)},
        )
        assert self._process.stderr
        found = next((m for line in self._process.stderr if (m := re.search(r"listening on (ws://\S+)", line))), None)
        if found is None:
            raise RuntimeError(f"{program} did not start")
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(connect(found[1], proxy=None, max_size=None, max_queue=None))
        self._numbers = itertools.count(1)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send a command, pass over events, return the answer to the command."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params}
        self._socket.send(json.dumps({**command, "sessionId": session} if session else command))
        while (answer := json.loads(self._socket.recv(2 * PATIENCE))).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def window(self, url: str) -> "Window":
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        window = Window(self, session)
        window.go(url)
        return window

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self.call("Browser.close")
            self._process.wait(PATIENCE)
        finally:
            self._stack.close()
            self._process.kill()
            self._process.wait()
            assert self._process.stderr
            self._process.stderr.close()


class Window:
    """One page in a profile of its own."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def go(self, url: str) -> None:
        """Open an address, and wait until the page and its scripts are there."""
        failure = self.call("Page.navigate", url=url).get("errorText")
        assert not failure, f"{url}: {failure}"
        self.wait(f"location.href !== 'about:blank' && document.readyState === 'complete' && {json.dumps(url)}")

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression, or its promise, comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait(self, condition: str) -> Any:
        """Wait until a JavaScript expression is true, on this page or the next, and return its value."""
        script = WAIT.replace("CONDITION", condition).replace("TIMEOUT", str(PATIENCE * 1000))
        while True:
            try:
                return self.evaluate(script)
            except AssertionError as error:
                raise AssertionError(f"never true: {condition}\n{error}") from None
            except RuntimeError as error:
                if "navigated" not in str(error) and "context was destroyed" not in str(error):
                    raise

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until the text of the first such element is this one."""
        self.wait(f"document.querySelector({json.dumps(selector)}).textContent.trim() === {json.dumps(text)}")

    def click(self, selector: str) -> None:
        """Press the mouse button in the middle of an element."""
        place = self.evaluate(
            f"(() => {{ const element = document.querySelector({json.dumps(selector)}); element.scrollIntoView();"
            " const box = element.getBoundingClientRect();"
            " return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def type(self, selector: str, text: str, *, enter: bool = False) -> None:
        """Type into a field, after what is there, and press Enter if asked to."""
        self.click(selector)
        self.call("Input.insertText", text=text)
        if enter:
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            self.call("Input.dispatchKeyEvent", type="keyDown", **key)
            self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
