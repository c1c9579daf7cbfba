# SPDX-License-Identifier: BSD-3-Clause
"""A headless Chromium that is driven by way of two pipes (the DevTools protocol), without any network."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Browser:
    """Opens pages, notes what they complain of and ask for, and lets scripts and a mouse act on them."""

    def __init__(self, patience_s=60):
        program = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
        assert program, "there is no chromium: the Debian package 'chromium' is needed for this test"
        self.end = time.monotonic() + patience_s
        self.profile = tempfile.mkdtemp(prefix="seamark-browser-")
        command_read, self.commands = os.pipe()
        self.answers, answers_write = os.pipe()
        self.log = open(os.path.join(self.profile, "log"), "w+b")

        def places():
            # Whatever numbers the pipes have: the browser wants 3 and 4.
            reading, writing = os.dup(command_read), os.dup(answers_write)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-default-apps", "--hide-scrollbars", "--force-device-scale-factor=1",
             "--proxy-server=127.0.0.1:9", "--user-data-dir=" + self.profile, "--remote-debugging-pipe", "about:blank"],
            close_fds=False, preexec_fn=places, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(command_read)
        os.close(answers_write)
        self.left, self.next, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self):
        """The next answer or event."""
        while b"\0" not in self.left:
            ready, _, _ = select.select([self.answers], [], [], max(0, self.end - time.monotonic()))
            data = os.read(self.answers, 1 << 20) if ready else b""
            if not data:
                self.log.seek(0)
                raise AssertionError("chromium says nothing more; it said:\n" + self.log.read().decode(errors="replace")[-3000:])
            self.left += data
        message, _, self.left = self.left.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        self.next += 1
        message = {"id": self.next, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        while True:
            answer = self.read()
            if answer.get("id") == self.next:
                assert "error" not in answer, "%s: %s" % (method, answer["error"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def evaluate(self, script):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, "%s: %s" % (script, result["exceptionDetails"].get("exception", result["exceptionDetails"]))
        return result["result"].get("value")

    def until(self, script, what):
        while not self.evaluate(script):
            assert time.monotonic() < self.end, "never came: " + what
            time.sleep(0.05)

    def open(self, path, width=1280, height=900, dark=False, phone=False):
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            message = self.read()
            if "method" in message:
                self.events.append(message)

    def complaints(self):
        """What went wrong in the page, and what it asked for beside itself."""
        self.evaluate("new Promise(done => setTimeout(done, 50))")
        found = []
        for event in self.events:
            what = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append("thrown: " + json.dumps(what["exceptionDetails"])[:600])
            elif event["method"] == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
                found.append("console: " + json.dumps(what["args"])[:600])
            elif event["method"] == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                found.append("log: " + what["entry"]["text"])
            elif event["method"] == "Network.requestWillBeSent" and not (what.get("type") == "Document" and what["request"]["url"].startswith("file:")) and \
                    not what["request"]["url"].startswith("data:"):
                found.append("asked for: " + what["request"]["url"])
        return found

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def key(self, key, **more):
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def nameless(self):
        """What somebody who does not see the page meets there and is not told what it is."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        met = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
        wanted = ("button", "combobox", "image", "img", "link", "navigation", "region", "columnheader", "heading", "DisclosureTriangle")
        assert {"button", "link", "region", "columnheader", "heading"} <= {role for role, _ in met}, met[:50]
        return sorted({role for role, name in met if role in wanted and not name.strip()})

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def screenshot(self, path, whole=True, height=None):
        clip = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}, "captureBeyondViewport": True}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png", **clip)["data"]))
