"""A headless Chromium, told what to do through a pipe, as its developers' tools do.

Browser(profile) starts one; open(), evaluate(), key(), click(), wheel(), type()
do what a person does, picture() gives what is seen of an element.
"""
import atexit
import base64
import json
import os
import select
import subprocess
import time


class Browser:
    def __init__(self, profile, width=1200, height=900):
        to_read, self.to = os.pipe()
        self.of, to_write = os.pipe()

        def take_pipes():  # Chromium reads from 3 and writes to 4
            read, write = os.dup(to_read), os.dup(to_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-pipe", f"--user-data-dir={profile}",
             f"--window-size={width},{height}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, close_fds=False,
            preexec_fn=take_pipes)
        os.close(to_read)
        os.close(to_write)
        atexit.register(self.close)
        self.buffer, self.number, self.session = b"", 0, None
        self.failures = []
        target = self.call("Target.createTarget",
                           url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Network.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=False)

    def read(self, seconds=60):
        """The next message; notes what goes wrong in the page."""
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            ready = select.select([self.of], [], [],
                                  max(0, end - time.monotonic()))[0]
            data = os.read(self.of, 1 << 20) if ready else b""
            if not data:
                raise TimeoutError("the browser does not answer")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        method, about = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.failures.append(json.dumps(about["exceptionDetails"])[:400])
        if method == "Network.requestWillBeSent" and not about["request"][
                "url"].startswith("file:"):
            self.failures.append("it fetches " + about["request"]["url"])
        return message

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer.get("result", {})

    def open(self, url):
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        while self.evaluate("location.href === 'about:blank' || "
                            "document.readyState !== 'complete'"):
            time.sleep(0.02)
        self.settle()

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression,
                           returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:600])
        return answer["result"].get("value")

    def settle(self):
        """Wait until what was asked for is drawn."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => "
                      "requestAnimationFrame(() => done(1))))")

    def data(self, name):
        """What the page says of itself."""
        return self.evaluate(f"document.documentElement.dataset.{name}")

    def box(self, element):
        """Where an element is, after it was brought into view."""
        self.evaluate(f"document.getElementById('{element}')"
                      ".scrollIntoView({block: 'center'})")
        self.settle()
        return self.evaluate(
            f"(({{x, y, width, height}}) => ({{x, y, width, height}}))("
            f"document.getElementById('{element}').getBoundingClientRect())")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, element, x, y, count=1):
        """At x, y of the element."""
        at = self.box(element)
        for i in range(count):
            for kind in ("mousePressed", "mouseReleased"):
                self.mouse(kind, at["x"] + x, at["y"] + y, button="left",
                           clickCount=i + 1)
        self.settle()

    def hover(self, element, x, y):
        at = self.box(element)
        self.mouse("mouseMoved", at["x"] + x, at["y"] + y)
        self.settle()

    def drag(self, element, x, y, by):
        at = self.box(element)
        x, y = at["x"] + x, at["y"] + y
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseMoved", x + by / 2, y, button="left", buttons=1)
        self.mouse("mouseMoved", x + by, y, button="left", buttons=1)
        self.mouse("mouseReleased", x + by, y, button="left", clickCount=1)
        self.settle()

    def wheel(self, element, x, y, by):
        at = self.box(element)
        self.mouse("mouseWheel", at["x"] + x, at["y"] + y, deltaX=0, deltaY=by)
        for _ in range(20):
            self.settle()

    def key(self, key):
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                 "ArrowDown": 40, "Enter": 13, "Escape": 27}
        more = {"windowsVirtualKeyCode": codes[key]} if key in codes else {
            "text": key}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.settle()

    def type(self, text):
        for letter in text:
            self.key(letter)

    def picture(self, element=None):
        """A PNG of the element, or of the whole page; None: it has no size."""
        more = {}
        if element:
            at = self.box(element)
            if not at["width"] * at["height"]:
                return None
            scroll = self.evaluate("({x: scrollX, y: scrollY})")
            more["clip"] = {"x": at["x"] + scroll["x"],
                            "y": at["y"] + scroll["y"], "width": at["width"],
                            "height": at["height"], "scale": 1}
        answer = self.call("Page.captureScreenshot", format="png",
                           captureBeyondViewport=True, **more)
        return base64.b64decode(answer["data"])

    def close(self):
        if self.process.poll() is not None:
            return
        try:
            self.call("Browser.close")
        except (TimeoutError, RuntimeError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
