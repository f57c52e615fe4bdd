"""What the tests of the page stand on: a Redis of their own, ``flagstone view``, and a headless Chromium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = Path(os.environ.get("FLAGSTONE_PROGRAM", TARGET / "cli" / "flagstone"))
EXAMPLES = ROOT / "examples" / "cli" / "flags.yaml"
# Nothing takes so long, even on a busy machine.
LONG = 30.0
# A name that leads to this machine, and that the browser trusts as little as that of any other one.
ELSEWHERE = "flags.test"


def missing() -> str | None:
    """Names what is needed and not there."""
    for program, package in [
        ("chromium", "chromium"),
        ("chromedriver", "chromium-driver"),
        ("redis-server", "redis-server"),
    ]:
        if shutil.which(program) is None:
            return f"{program} (Debian package {package})"
    return None if PROGRAM.exists() else f"{PROGRAM} (make build)"


def until(holds: Callable[[], Any], what: str) -> Any:
    """Waits for something, which is given back."""
    end = time.monotonic() + LONG
    while not (result := holds()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return result


def flag(version: int, **more: Any) -> str:
    """The text of a flag that is on and serves true."""
    whole = {
        "version": version,
        "on": True,
        "variations": [True, False],
        "fallthrough": {"variation": 0},
        "offVariation": 1,
    }
    return json.dumps({**whole, **more})


class Store:
    """A Redis of one's own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self.start()

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port)
        until(self._answers, "redis-server does not start")

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait()

    def put(self, flags: dict[str, str], segments: dict[str, str] | None = None, prefix: str = "launchdarkly") -> None:
        batch = self.client.pipeline()
        if flags:
            batch.hset(f"{prefix}:features", mapping={**flags})
        if segments:
            batch.hset(f"{prefix}:segments", mapping={**segments})
        batch.set(f"{prefix}:$inited", "")
        batch.execute()

    def get(self, key: str) -> dict[str, Any]:
        """A flag, read."""
        text: Any = self.client.hget("launchdarkly:features", key)
        item: dict[str, Any] = json.loads(text)
        return item

    def put_examples(self) -> None:
        subprocess.run([PROGRAM, "import", EXAMPLES, "--yes", "--url", self.url], check=True, stdout=subprocess.DEVNULL)


class Viewer:
    """The program ``flagstone view``."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        # Whoever runs the tests may have Ctrl-C ignored, as a shell in the background does.
        command = ["env", "--default-signal=INT", str(PROGRAM), "view", "--json", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        assert self.process.stdout
        self.url: str = json.loads(self.process.stdout.readline())["url"]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """Ends it, if it has not ended, also where it was stopped."""
        self.process.kill()
        self.process.wait(LONG)
        assert self.process.stdout
        self.process.stdout.close()

    def end(self) -> int:
        """Ends it as Ctrl-C does; its status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(LONG)
        assert self.process.stdout
        self.process.stdout.close()
        return status


class Browser:
    """A headless Chromium, and what a user does with it."""

    def __init__(self, profile: Path) -> None:
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
        ]
        for argument in [*arguments, "--window-size=1200,800", "--no-first-run", "--disable-extensions"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))

    def open(self, url: str, place: str = "") -> None:
        self.driver.get("about:blank")
        self.driver.get(f"{url}{place}")

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        found: WebElement = until(lambda: next(iter(self.all(selector)), None), f"there is no {selector}")
        return found

    def click(self, selector: str) -> None:
        """Found and clicked in one step: what is live may be drawn anew at any moment."""
        script = "const found = document.querySelector(arguments[0]); found?.click(); return found !== null"
        until(lambda: self.script(script, selector), f"there is no {selector}")

    def select(self, selector: str, value: str) -> None:
        Select(self.one(selector)).select_by_value(value)

    def script(self, text: str, *arguments: Any) -> Any:
        return self.driver.execute_script(text, *arguments)

    def text(self, selector: str = "body") -> str:
        """All of it, also what is out of sight."""
        return str(self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def sees(self, words: str, selector: str = "body") -> None:
        until(lambda: words in self.text(selector), f"{words!r} is not in {selector}")

    def sees_not(self, words: str, selector: str = "body") -> None:
        until(lambda: words not in self.text(selector), f"{words!r} is still in {selector}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def type_into(self, selector: str, text: str) -> None:
        element = self.one(selector)
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(text)

    def look(self, *, dark: bool, width: int = 1200, height: int = 800) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def picture(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(path))

    def complaints(self) -> list[str]:
        """What the browser itself found wrong since it was asked last."""
        log: Any = self.driver.execute("getLog", {"type": "browser"})["value"]
        return [entry["message"] for entry in log]

    def close(self) -> None:
        self.driver.quit()
