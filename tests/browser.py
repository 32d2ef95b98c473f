"""A headless Chromium that opens a page and answers questions about it, driven by its debugging protocol over pipes."""

import base64
import json
import os
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 90.0
"""The most seconds to wait for an answer."""


class Browser:
    """A page in a browser.

    Attributes:
        complaints: errors and warnings of its console, and exceptions of its scripts.
        requests: the URLs that it has asked for.
    """

    def __init__(self, to_browser: int, from_browser: int):
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._to, self._from, self._rest, self._count = to_browser, from_browser, b"", 0
        self._loaded = False
        self._session: dict[str, str] = {}
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(
        self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, paper: bool = False
    ) -> None:
        """Open a file in a window of that size, as on a screen or on paper, and wait until everything is loaded."""
        self.complaints.clear()
        self.requests.clear()
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", media="print" if paper else "", features=[scheme])
        self._loaded = False
        self._ask("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._hear()

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, as plain data."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, such as "Tab" or "Enter", on what has the focus."""
        codes = {"Tab": 9, "Enter": 13}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text)

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return self.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Save a picture of the page, of all of it or of the window."""
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        how: dict[str, Any] = {"clip": clip, "captureBeyondViewport": True} if whole else {}
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", **how)["data"]))

    def print_to(self, path: Path) -> None:
        """Print the page to a PDF file."""
        path.write_bytes(base64.b64decode(self._ask("Page.printToPDF", printBackground=False)["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._hear()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _hear(self) -> dict[str, Any]:
        """The next message; what an event tells is noted."""
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            data = os.read(self._from, 2**20) if ready else b""
            assert data, "the browser does not answer"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(text)
        match message.get("method"), message.get("params"):
            case "Page.loadEventFired", _:
                self._loaded = True
            case "Network.requestWillBeSent", {"request": {"url": str(url)}}:
                self.requests.append(url)
            case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                self.complaints.append(str(details))
            case "Log.entryAdded", {"entry": {"level": "error" | "warning", "text": str(words)}}:
                self.complaints.append(words)
            case "Runtime.consoleAPICalled", {"type": "error" | "warning" | "assert", "args": arguments}:
                self.complaints.append(str(arguments))
        return message


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, or a skipped test where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    (reads, writes), (answers, says) = os.pipe(), os.pipe()
    with TemporaryDirectory(prefix="adamlab-browser-") as profile:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        command = f"exec {shlex.join([program, *options])} 3<&{reads} 4>&{says}"
        process = subprocess.Popen(
            ["bash", "-c", command], pass_fds=(reads, says), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(reads)
        os.close(says)
        try:
            yield Browser(writes, answers)
        finally:
            os.close(writes)  # it ends when nobody speaks to it any more
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(answers)
