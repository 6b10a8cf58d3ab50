"""Chromium without a screen, driven by its DevTools protocol over two pipes: nothing but the browser is needed."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time

import pytest

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-dev-shm-usage",
    "--disable-sync", "--mute-audio", "--force-color-profile=srgb",
)  # fmt: skip


class Page:
    """A tab."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        return self.browser.call(method, params, self.session)

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def run(self, script):
        """Value of a script, a promise's result."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"].get("exception", found["exceptionDetails"]))
        return found["result"].get("value")

    def until(self, script, seconds=240.0):
        """Wait until a script gives something true, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):
                if value := self.run(script):
                    return value
            time.sleep(0.03)
        raise AssertionError(f"{script} stays false; the page says: {self.problems()}")

    def size(self, width, height=900, *, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def shot(self, path):
        """Picture of the whole page, as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def press(self, key, *, shift=False, ctrl=False):
        codes = {
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "Tab": 9,
            "Enter": 13,
            "Escape": 27,
            " ": 32,
        }
        event = {"key": key, "modifiers": 8 * shift + 2 * ctrl, "windowsVirtualKeyCode": codes.get(key, 0)}
        if key in ("Enter", " ") or len(key) == 1:
            event["text"] = "\r" if key == "Enter" else key
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=event["modifiers"])

    def write(self, text):
        self.call("Input.insertText", text=text)

    def drag(self, start, end):
        for kind, (x, y), buttons in (("Pressed", start, 1), ("Moved", end, 1), ("Released", end, 0)):
            self.call(
                "Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, button="left", buttons=buttons, clickCount=1
            )

    def drop(self, selector, path):
        """Give a file to a file input."""
        node = self.call("DOM.querySelector", nodeId=self.call("DOM.getDocument")["root"]["nodeId"], selector=selector)
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node["nodeId"])

    def events(self, method):
        return [
            event["params"]
            for event in self.browser.events
            if event["method"] == method and event.get("sessionId") == self.session
        ]

    def problems(self):
        """What the page's console complains of."""
        thrown = [event["exceptionDetails"] for event in self.events("Runtime.exceptionThrown")]
        logged = [
            event["entry"]["text"] for event in self.events("Log.entryAdded") if event["entry"]["level"] == "error"
        ]
        return [one.get("exception", {}).get("description", one["text"]) for one in thrown] + logged


class Browser:
    """Chromium with a profile of its own, killed at the end."""

    def __init__(self, executable):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        # The browser reads commands from descriptor 3 and answers on 4.
        line = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        command = ["/bin/bash", "-c", line, executable, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"]
        self.process = subprocess.Popen(
            command, pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self._numbers, self._rest, self.events = itertools.count(1), b"", []

    def call(self, method, params=None, session=None):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") != number:
                self.events.append(answer)
            elif "error" in answer:
                raise AssertionError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def _next(self):
        while b"\0" not in self._rest:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise AssertionError("the browser has ended")
            self._rest += more
        first, self._rest = self._rest.split(b"\0", 1)
        return json.loads(first)

    def page(self):
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        return Page(self, self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"])

    def close(self):
        with contextlib.suppress(AssertionError, OSError):
            self.call("Browser.close")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._read)
        os.close(self._write)
        self.profile.cleanup()


@contextlib.contextmanager
def chromium():
    """A browser; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here: 'chromium' is needed to test the pages")
    browser = Browser(found)
    try:
        yield browser
    finally:
        browser.close()
