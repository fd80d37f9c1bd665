"""A headless Chromium, driven over the W3C WebDriver protocol without a library."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


class Browser:
    """One window of a headless Chromium. To be used in a ``with`` block.

    Args:
        width: of the window, in points.
        height: of the window, in points.
    """

    def __init__(self, width: int = 1200, height: int = 800) -> None:
        self._size = (width, height)

    def __enter__(self) -> Self:
        if CHROMIUM is None or DRIVER is None:
            raise FileNotFoundError("chromium or chromedriver")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(  # noqa: S603 - the path of chromedriver
            [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._server = f"http://127.0.0.1:{port}"
        self._session = ""
        try:
            self._wait_for_driver()
            self._session = "/session/" + self._open()["sessionId"]
        except BaseException:
            self._driver.terminate()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(10)

    def open(self, page: str) -> None:
        """Go to an address and wait until the page has loaded."""
        self._call("POST", "/url", {"url": page})

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page; ``return`` gives a value, ``arguments`` are at hand."""
        body = {"script": script, "args": list(arguments)}
        return self._call("POST", "/execute/sync", body)

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            TimeoutError: if it does not become true.
        """
        end = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """Errors in the console since the last call: of scripts, pictures and the page's policy."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [e["message"] for e in entries if e["level"] == "SEVERE"]

    def screenshot(self, path: Path) -> None:
        """Save a PNG of the window."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def version(self) -> str:
        """Version of the browser."""
        return self._version

    def _open(self) -> Any:
        width, height = self._size
        options = {
            "binary": CHROMIUM,
            # The sandbox needs rights that containers seldom give; the pages are our own.
            "args": ["--headless=new", "--no-sandbox", f"--window-size={width},{height}"],
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        opened = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._version = opened["capabilities"]["browserVersion"]
        return opened

    def _wait_for_driver(self) -> None:
        for _ in range(200):
            try:
                self._call("GET", "/status")
            except urllib.error.URLError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("chromedriver does not answer")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        address = self._server + (path if path in {"/session", "/status"} else self._session + path)
        request = urllib.request.Request(  # noqa: S310 - our own http address
            address,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return json.load(answer)["value"]
