"""Chromium without a window, driven by chromedriver over the W3C WebDriver protocol."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Down": "\ue015", "End": "\ue010"}


class Browser:
    """A session of a browser, with the messages of its console and the addresses that it asked for.

    profile (Path): An empty folder for the profile.
    """

    def __init__(self, profile: Path) -> None:
        self.driver = subprocess.Popen([str(DRIVER), "--port=0"], stdout=subprocess.PIPE, text=True)
        assert self.driver.stdout is not None
        port = next(
            found[1]
            for line in self.driver.stdout
            if (found := re.search(r"started successfully on port (\d+)", line))
        )
        self.address = f"http://127.0.0.1:{port}/session"
        options = {
            "binary": CHROMIUM,
            "args": [*FLAGS, f"--user-data-dir={profile}"],
            "perfLoggingPrefs": {"enableNetwork": True},
        }
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "unhandledPromptBehavior": "ignore",
        }
        try:
            session = self._send("POST", "", {"capabilities": {"alwaysMatch": capabilities}})
        except BaseException:
            self.driver.kill()
            raise
        self.address += f"/{session['sessionId']}"

    def close(self) -> None:
        # On a busy machine either may take too long; the tests are over by then.
        with suppress(OSError):
            self._send("DELETE", "")
        self.driver.kill()
        self.driver.wait()

    def open(self, page: Path, *, fragment: str = "") -> None:
        """Open a page in a fresh tab state."""
        self.log("browser")
        self.log("performance")
        self._send("POST", "/url", {"url": "about:blank"})
        self._send("POST", "/url", {"url": page.as_uri() + fragment})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, expected: Any, *, seconds: float = 10) -> None:
        """Wait until a script returns a value."""
        deadline = time.monotonic() + seconds
        while (found := self.run(script)) != expected:
            assert time.monotonic() < deadline, f"{found} is not {expected}"
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        # WebDriver by itself is content with a place under the bar at the bottom.
        element = {ELEMENT: self._find(selector)}
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        self._send("POST", f"/element/{element[ELEMENT]}/click", {})

    def press(self, *keys: str) -> None:
        """Press keys, by name or as letters, where the focus is."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._send("POST", "/actions", {"actions": [_device("key", "keyboard", actions)]})

    def hover(self, selector: str) -> None:
        target = {ELEMENT: self._find(selector)}
        move = {"type": "pointerMove", "duration": 0, "origin": target, "x": 0, "y": 0}
        pointer = _device("pointer", "mouse", [move]) | {"parameters": {"pointerType": "mouse"}}
        self._send("POST", "/actions", {"actions": [pointer]})

    def look(self, width: int, height: int, *, scheme: str = "light", touch: bool = False) -> None:
        """Set the size of the screen and the preferred colours."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        found = self.devtools("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(b64decode(found["data"]))

    def devtools(self, command: str, **parameters: Any) -> Any:
        body = {"cmd": command, "params": parameters}
        return self._send("POST", "/goog/cdp/execute", body)

    def log(self, kind: str) -> list[dict[str, Any]]:
        """The entries of a log since it was last read."""
        return self._send("POST", "/se/log", {"type": kind})

    def requested(self) -> list[str]:
        """The addresses that pages asked for since the last one was opened; what the browser takes
        from itself for its own windows is left out."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
            and not message["params"]["documentURL"].startswith("chrome://")
        ]

    def alert(self) -> str | None:
        """The text of an open alert, if there is one."""
        try:
            return self._send("GET", "/alert/text")
        except AssertionError as error:
            if "no such alert" in str(error):
                return None
            raise

    def _find(self, selector: str) -> str:
        body = {"using": "css selector", "value": selector}
        return self._send("POST", "/element", body)[ELEMENT]

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:500]}") from None


def _device(kind: str, name: str, actions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": kind, "id": name, "actions": actions}
