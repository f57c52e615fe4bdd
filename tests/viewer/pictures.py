"""Takes the pictures of the documentation: ``python pictures.py``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from stage import ROOT, Browser, Store, Viewer, flag, missing

PICTURES = ROOT / "docs" / "pictures"
TEAMS = ["billing", "checkout", "search", "mobile", "account", "growth"]
THINGS = ["dark-mode", "retry-policy", "rate-limit", "new-header", "beta-api", "price-rounding", "cache-warmup"]


def fill(store: Store) -> None:
    store.put_examples()
    names = [f"{team}.{thing}" for team in TEAMS for thing in THINGS]
    shares = [{"variation": 0, "weight": 30_000}, {"variation": 1, "weight": 70_000}]
    flags = {
        name: flag(
            number % 17 + 1,
            on=number % 4 != 1,
            fallthrough={"rollout": {"variations": shares}} if number % 5 == 2 else {"variation": number % 2},
        )
        for number, name in enumerate(names)
    }
    store.put({**flags, "new-receipts": flag(3, prerequisites=[{"key": "new-checkout", "variation": 0}])})


def main() -> None:
    if (name := missing()) is not None:
        raise SystemExit(f"missing: {name}")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        browser = Browser(Path(folder) / "chromium")
        fill(store)
        viewer = Viewer("--url", store.url)
        try:
            take(store, viewer, browser)
        finally:
            viewer.end()
            browser.close()
            store.stop()


def take(store: Store, viewer: Viewer, browser: Browser) -> None:
    browser.look(dark=False, width=1080, height=620)
    browser.open(viewer.url)
    browser.sees("billing.dark-mode", ".table")
    browser.press(Keys.ARROW_DOWN)
    browser.picture(PICTURES / "flags.png")
    browser.look(dark=False, width=1080, height=1080)
    browser.open(viewer.url, "#/flag/new-checkout")
    browser.sees("new-receipts", ".graph")
    browser.picture(PICTURES / "flag.png")
    browser.look(dark=True, width=1080, height=760)
    browser.open(viewer.url, "#/who/new-checkout")
    browser.type_into("textarea", json.dumps({"kind": "user", "key": "zoe", "email": "zoe@example.org", "country": "DE"}))
    browser.press(Keys.CONTROL + Keys.ENTER)
    browser.sees("rule 1 matches", ".why")
    browser.driver.find_element(By.TAG_NAME, "h1").click()
    browser.picture(PICTURES / "who.png")
    browser.look(dark=True, width=1080, height=760)
    browser.open(viewer.url, "#/health")
    browser.sees("What happened")
    store.put({"search.rate-limit": flag(40), "billing.dark-mode": flag(41, on=False)})
    browser.sees("search.rate-limit", ".timeline")
    browser.picture(PICTURES / "health.png")


if __name__ == "__main__":
    main()
