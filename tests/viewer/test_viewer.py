"""The page of ``flagstone view``, used as somebody would who sits before it."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from stage import ELSEWHERE, PROGRAM, TARGET, Browser, Store, Viewer, flag, until

# One Chromium at a time is enough for a small machine.
pytestmark = pytest.mark.xdist_group("browser")

MANY = 10_000
# What is promised is measured on an idle machine; here others are at work as well.
INTERACTIVE_MS, CHANGE_MS, SERIES_MS, TABLE_MS = 500 * 10, 100 * 30, 500 * 10, 300 * 10

# Seconds between two changes that people make.
APART = 1.0

WIDE = "the page is wider than the window"


def many() -> dict[str, str]:
    return {f"team-{number % 40}.feature-{number:05}": flag(number + 1, on=number % 3 > 0) for number in range(MANY)}


class Changes:
    """Of one flag among many, timed by the browser as its row shows them."""

    def __init__(self, store: Store, browser: Browser) -> None:
        self._store, self._browser, self._version = store, browser, 100_000

    def seen_after(self, pause: float) -> float:
        """Milliseconds from the next change, this long after the one before was seen, until its row shows it."""
        time.sleep(pause)
        self._version += 1
        began = time.time() * 1000
        self._store.put({"team-7.feature-00007": flag(self._version)})
        script = "return window.seen[arguments[0]]"
        return float(until(partial(self._browser.script, script, str(self._version)), "no change")) - began


def test_ten_thousand_flags_are_there_at_once_and_a_change_is_seen_as_it_is_served(
    store: Store, start_viewer: Callable[..., Viewer], browser: Browser
) -> None:
    store.put(many())
    viewer = start_viewer()
    times = []
    for _ in range(3):
        browser.open(viewer.url)
        browser.sees("10,000 flags")
        times.append(browser.script("return performance.getEntriesByName('interactive')[0].startTime"))
    assert 5 < len(browser.all(".space .row")) < 100, "only what is seen is there"
    # Into view, and then each change is timed by the browser as the row shows it.
    browser.type_into("input[type=search]", "feature-00007")
    browser.sees("1 of 10,000 flags")
    browser.script(
        """window.seen = {};
        new MutationObserver(() => {
          const version = document.querySelector(".space .row .version")?.textContent;
          if (version) window.seen[version] ??= Date.now();
        }).observe(document.querySelector(".space"), { childList: true, subtree: true, characterData: true });"""
    )
    changes = Changes(store, browser)
    lone = [changes.seen_after(APART) for _ in range(7)]
    # What comes faster is not read for each of them: they share the turns of a reader who leaves the server some rest.
    series = [changes.seen_after(0) for _ in range(5)]
    print(f"interactive with {MANY} flags: median {statistics.median(times):.0f} ms, least {min(times):.0f} ms")
    for name, delays in [("a change", lone), ("one of a series", series)]:
        print(f"{name} seen: median {statistics.median(delays):.0f} ms, least {min(delays):.0f} ms")
    # What others take from it makes some slow, and a poll or a pause in between would make all of them.
    assert min(times) < INTERACTIVE_MS and min(lone) < CHANGE_MS, (times, lone)
    assert min(series) < SERIES_MS, series
    assert viewer.end() == -2, "by SIGINT, which shells call 130"


def test_a_terminal_has_a_table_of_ten_thousand_flags_at_once(store: Store) -> None:
    store.put(many())
    times = []
    for _ in range(5):
        began = time.monotonic()
        table = subprocess.run([PROGRAM, "flags", "--url", store.url], check=True, capture_output=True, text=True)
        times.append((time.monotonic() - began) * 1000)
        assert table.stdout.endswith("10000 flags\n") and len(table.stdout.splitlines()) == MANY + 2
    print(f"a table of {MANY} flags: median {statistics.median(times):.0f} ms, least {min(times):.0f} ms")
    assert min(times) < TABLE_MS, times


def test_the_keyboard_is_enough(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put({f"flag-{number:03}": flag(1) for number in range(200)})
    browser.open(viewer.url)
    browser.sees("200 flags")
    browser.script("document.activeElement.blur()")
    browser.press("/", "flag-1")
    browser.sees("100 of 200 flags")
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.END, Keys.ARROW_UP)
    chosen = browser.one(".row[aria-selected=true]")
    assert "flag-198" in chosen.text
    assert browser.script("return document.activeElement.getAttribute('aria-activedescendant')") == chosen.get_attribute(
        "id"
    )
    browser.press(Keys.ENTER)
    browser.sees("flag-198", "h1")
    browser.press(Keys.ESCAPE)
    browser.sees("100 of 200 flags")
    browser.press(Keys.ESCAPE)
    browser.sees("200 flags", "output")
    browser.sees_not("100 of", "output")


def test_lists_follow_what_is_added_changed_and_deleted(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put({"b": flag(1)})
    browser.open(viewer.url)
    browser.sees("1 flag")
    store.put({"a": flag(1), "c": flag(1, on=False)})
    browser.sees("3 flags")
    assert [row.text.split()[0] for row in browser.all(".space .row")] == ["a", "b", "c"]
    store.put({"b": json.dumps({"version": 2, "deleted": True}), "c": flag(2, on="perhaps")})
    browser.sees("cannot be read")
    browser.sees("2 flags")
    browser.select("select", "bad")
    browser.sees("1 of 2 flags")
    # Nothing refers to it, and still it is heard of.
    store.put({}, {"fresh": json.dumps({"version": 1, "included": ["ada"]})})
    browser.open(viewer.url, "#/segments")
    browser.sees("fresh")


def test_one_flag_is_a_picture(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put_examples()
    browser.open(viewer.url, "#/flag/new-checkout")
    for words in [
        "user ada bob",
        'if user email ends with "@example.org"',
        "75% false",
        "by user key",
        "payments-v2 to be on",
    ]:
        browser.sees(words)
    last = browser.all(".steps .bar")[-1]
    widths = browser.script(
        "return [...arguments[0].querySelectorAll('rect')].map((rect) => rect.width.baseVal.value)", last
    )
    assert widths == [25, 75]
    names = browser.script(
        "return [...document.querySelectorAll('.graph .node')].map((node) => node.getAttribute('aria-label'))"
    )
    assert names == ["flag new-checkout, on", "flag payments-v2, on", "segment beta, segment"]
    assert len(browser.all(".graph .edge")) == 2
    browser.all(".graph .node")[2].click()
    browser.sees("beta", "h1")
    for words in ["Included", "user eve", 'if user plan is "pro"']:
        browser.sees(words)
    # Live, as everything: also what it depends on.
    browser.open(viewer.url, "#/flag/new-checkout")
    browser.sees("payments-v2")
    text = store.get("payments-v2")
    store.put({"payments-v2": json.dumps({**text, "version": 5, "on": False})})
    until(
        lambda: "flag payments-v2, off" in browser.script("return document.querySelector('.graph').innerHTML"), "not live"
    )
    browser.sees("through what it depends on", ".timeline")


def test_numbers_are_shown_as_they_are_stored(store: Store, viewer: Viewer, browser: Browser) -> None:
    clause = '{"attribute":"n","op":"in","values":[12345678901234567890123,1.50]}'
    rules = f'[{{"variation":0,"clauses":[{clause}]}}]'
    store.put({"exact": f'{{"version":1,"on":true,"variations":[0.1000000000000000055],"rules":{rules}}}'})
    browser.open(viewer.url, "#/flag/exact")
    browser.sees("12345678901234567890123, 1.50")
    browser.sees("0.1000000000000000055", ".legend")


def test_who_gets_what_is_told_with_the_reasons(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put_examples()
    browser.open(viewer.url, "#/who")
    browser.type_into("textarea", '{"kind":"user","key":"zoe","email":"zoe@example.org","country":"DE"}')
    browser.press(Keys.CONTROL + Keys.ENTER)
    browser.sees("3 flags")
    browser.sees("rule 1 matches", ".given")
    browser.click(".given .space .row")
    for words in ['prerequisite "payments-v2" must be on', 'user email ends with "@example.org": it is "zoe@example.org"']:
        browser.sees(words, ".why")
    # Another answer as soon as the flag is another one.
    text = store.get("new-checkout")
    store.put({"new-checkout": json.dumps({**text, "version": 13, "on": False})})
    browser.sees("the flag is off", ".why")
    for context, complaint in [("{", "this is no JSON"), ('{"kind":"user"}', "this is no context")]:
        browser.type_into("textarea", context)
        browser.press(Keys.CONTROL + Keys.ENTER)
        browser.sees(complaint, "[role=alert].bad")


def test_health_names_what_is_wrong_and_the_page_outlives_its_redis(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put(
        {"good": flag(1), "typed": flag(1, on="yes"), "lost": flag(1, prerequisites=[{"key": "gone", "variation": 0}])}
    )
    browser.open(viewer.url, "#/health")
    for words in ["up to date", "problems", 'prerequisite "gone" does not exist', "typed"]:
        browser.sees(words)
    browser.sees("in force", ".ladder")
    store.stop()
    browser.sees("is away", "#trouble")
    browser.sees("interrupted", ".timeline")
    browser.script("location.hash = '#/flags'")
    browser.sees("good", ".table")
    store.start()
    store.put({"good": flag(2), "after": flag(1)})
    browser.sees("after", ".table")
    until(lambda: not browser.one("#trouble").is_displayed(), "it is still said to be away")
    assert viewer.end() == -2
    browser.sees("does not answer", "#trouble")
    browser.sees("good", ".table")


def test_a_redis_that_is_away_at_the_start_is_waited_for(
    store: Store, start_viewer: Callable[..., Viewer], browser: Browser
) -> None:
    store.stop()
    viewer = start_viewer("--timeout", "0.2")
    browser.open(viewer.url)
    browser.sees("Waiting for it", "#trouble")
    store.start()
    store.put({"first": flag(1)})
    browser.sees("first", ".table")
    until(lambda: not browser.one("#trouble").is_displayed(), "it is still said to be away")
    assert viewer.end() == -2


EVIL = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "javascript:window.hit=1",
    "a/../b?c#d%2F&e",
    "\u202ekey\x1b[2J",
]


@pytest.mark.parametrize("place", ["flag", "segment"])
def test_no_text_becomes_markup(store: Store, viewer: Viewer, browser: Browser, place: str) -> None:
    def item(evil: str) -> str:
        clause = {"contextKind": evil, "attribute": evil, "op": evil, "values": [evil]}
        match = {"op": "segmentMatch", "values": EVIL}
        rule = {"id": evil, "description": evil, "variation": 0, "clauses": [clause, match]}
        more = {
            "name": evil,
            "description": evil,
            "key": evil,
            "rules": [rule],
            "targets": [{"values": [evil], "variation": 0}],
        }
        needs = [{"key": key, "variation": 1} for key in EVIL if key != evil]
        return flag(1, variations=[evil, evil], prerequisites=needs[:2], contextTargets=[], included=[evil], **more)

    store.put({evil: item(evil) for evil in EVIL}, {evil: item(evil) for evil in EVIL})
    for evil in EVIL:
        browser.open(viewer.url, f"#/{place}s")
        browser.sees(f"{len(EVIL)} {place}s")
        has_no_markup(browser)
        name = evil.replace("\u202e", "\\u{202e}").replace("\x1b", "\\u{1b}")
        row = next(row for row in browser.all(".space .row") if name in row.text)
        row.click()
        browser.sees(name, "h1")
        browser.sees("As it is stored")
        has_no_markup(browser)
    for other in ["#/who", "#/health"]:
        browser.open(viewer.url, other)
        if other == "#/who":
            browser.type_into("textarea", json.dumps({"kind": "user", "key": EVIL[0]}))
            browser.press(Keys.CONTROL + Keys.ENTER)
            browser.sees(f"{len(EVIL)} flags")
            browser.click(".given .space .row")
            browser.sees("flag", ".why")
        browser.sees(EVIL[0])
        has_no_markup(browser)
    assert browser.complaints() == [], "nothing that the policy forbids was tried"


def has_no_markup(browser: Browser) -> None:
    """Asked on each page: the next one is another document."""
    assert browser.script("return window.hit") is None
    assert browser.script("return document.querySelectorAll('main script, main img').length") == 0


def test_every_page_fits_dark_light_and_narrow_windows(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put_examples()
    store.put({"a-flag-whose-key-is-as-long-as-keys-of-flags-hardly-ever-are-" + "x" * 60: flag(1)})
    pictures = TARGET / "viewer" / "pictures"
    for name, place in [
        ("flags", "#/flags"),
        ("flag", "#/flag/new-checkout"),
        ("who", "#/who/new-checkout"),
        ("health", "#/health"),
    ]:
        for look, dark, width in [("light", False, 1200), ("dark", True, 1200), ("narrow", True, 360)]:
            browser.look(dark=dark, width=width)
            browser.open(viewer.url, place)
            browser.sees(
                {
                    "flags": "4 flags",
                    "flag": "As it is stored",
                    "who": "the context is a target",
                    "health": "What happened",
                }[name]
            )
            until(lambda: browser.one("#pulse").get_attribute("class") == "good", "no pulse")
            ground = browser.script("return getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(20, 23, 27)") == dark, ground
            assert browser.script("return document.documentElement.scrollWidth <= window.innerWidth"), (
                f"{WIDE}: {name}, {look}"
            )
            titles = "[...document.querySelectorAll('.row.head > *')].map((title) => getComputedStyle(title).font)"
            assert browser.script(f"return new Set({titles}).size") <= 1, "titles look alike, whatever is below them"
            if name == "who":
                until(
                    lambda: "new-checkout" in browser.text(".given .row[aria-selected=true]"), "what is explained is marked"
                )
            browser.picture(pictures / f"{name}-{look}.png")
    assert browser.complaints() == []


def test_everything_that_can_be_used_has_a_name(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put_examples()
    for place in ["#/flags", "#/flag/new-checkout", "#/who", "#/health"]:
        browser.open(viewer.url, place)
        browser.sees("Flagstone")
        nameless = browser.script(
            """return [...document.querySelectorAll("a, button, input, select, textarea, [role=grid]")]
              .filter((it) => !(it.textContent.trim() || it.getAttribute("aria-label") || it.labels?.length))
              .map((element) => element.outerHTML)"""
        )
        assert nameless == []


def test_whoever_comes_from_elsewhere_needs_the_token(
    store: Store, start_viewer: Callable[..., Viewer], browser: Browser
) -> None:
    store.put({"secret-flag": flag(1)})
    token = "a-token-of-the-tests"
    viewer = start_viewer("--listen", "0.0.0.0:0", "--name", ELSEWHERE, FLAGSTONE_VIEW_TOKEN=token)
    # Not by an address of this machine, which browsers trust more than others.
    browser.open(f"http://{ELSEWHERE}:{urlsplit(viewer.url).port}/")
    browser.type_into("#token", "another-token-of-the-tests")
    browser.press(Keys.ENTER)
    browser.sees("That is another token")
    browser.type_into("#token", token)
    browser.press(Keys.ENTER)
    browser.sees("secret-flag")
    assert browser.script("return document.cookie") == "", "scripts do not see the token"
    # Whoever is admitted no more is asked again.
    browser.driver.delete_all_cookies()
    store.put({"secret-flag": flag(2), **{f"more-{number}": flag(1) for number in range(600)}})
    browser.sees("Token, as FLAGSTONE_VIEW_TOKEN has it")
    assert viewer.end() == -2


def test_a_viewer_that_has_stopped_answering_is_told_of_and_taken_up_again(
    store: Store, viewer: Viewer, browser: Browser
) -> None:
    store.put({"good": flag(1)})
    browser.open(viewer.url)
    browser.sees("1 flag")
    until(lambda: browser.one("#pulse").get_attribute("class") == "good", "no pulse")
    viewer.send(signal.SIGSTOP)
    browser.sees("does not answer", "#trouble")
    viewer.send(signal.SIGCONT)
    until(lambda: not browser.one("#trouble").is_displayed(), "it is still said not to answer")
    store.put({"good": flag(2), "after": flag(1)})
    browser.sees("after", ".table")


def test_a_page_that_was_refused_comes_back(store: Store, start_viewer: Callable[..., Viewer], browser: Browser) -> None:
    store.put({"good": flag(1)})
    viewer = start_viewer()
    browser.open(viewer.url)
    browser.sees("1 flag")
    port = urlsplit(viewer.url).port
    assert viewer.end() == -2
    refused: set[str] = set()

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)
            refused.add(self.path)

        def log_message(self, *_: object) -> None:
            pass

    # As a proxy before it does, and after that no browser tries again by itself.
    with ThreadingHTTPServer(("127.0.0.1", port or 0), Refusal) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            until(lambda: "/api/events" in refused, "nobody asks")
        finally:
            server.shutdown()
            thread.join()
    start_viewer("--listen", f"127.0.0.1:{port}")
    until(lambda: not browser.one("#trouble").is_displayed(), "it is still said not to answer")
    store.put({"after": flag(1)})
    browser.sees("after", ".table")


def test_lists_that_could_not_be_read_are_read_again(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put({"good": flag(1)})
    browser.open(viewer.url)
    browser.sees("1 flag")
    browser.script(
        """window.failures = 0;
        const fetched = window.fetch;
        window.fetch = (...given) => {
          if (given[0] !== "/api/lists" || window.failures >= 2) return fetched(...given);
          window.failures += 1;
          return Promise.reject(new TypeError("not now"));
        };"""
    )
    # More than is told one by one: all of it is read anew.
    store.put({f"more-{number}": flag(1) for number in range(600)})
    browser.sees("601 flags")
    assert browser.script("return window.failures") == 2


def test_a_flag_hears_of_whoever_begins_to_depend_on_it(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put({"base": flag(1)})
    browser.open(viewer.url, "#/flag/base")
    browser.sees("version 1")
    store.put({"user-of-it": flag(1, prerequisites=[{"key": "base", "variation": 0}])})
    browser.sees("user-of-it", ".graph")


def test_an_unfinished_context_is_not_sent_and_a_wrong_one_leaves_no_answer(
    store: Store, viewer: Viewer, browser: Browser
) -> None:
    store.put_examples()
    browser.open(viewer.url, "#/who")
    browser.type_into("textarea", '{"kind":"user","key":"zoe"}')
    browser.press(Keys.CONTROL + Keys.ENTER)
    browser.sees("3 flags", "form")
    browser.type_into("textarea", '{"kind":"us')
    store.put({"one-more": flag(1)})
    browser.sees("4 flags", "form")
    assert browser.text("[role=alert].bad") == ""
    browser.type_into("textarea", '{"kind":"user"}')
    browser.press(Keys.CONTROL + Keys.ENTER)
    browser.sees("this is no context", "[role=alert].bad")
    assert browser.all(".given .space .row") == []


def test_keys_and_addresses_lead_where_they_say(store: Store, viewer: Viewer, browser: Browser) -> None:
    store.put({"a": flag(1), "b": flag(1)})
    browser.open(viewer.url, "#/health")
    browser.sees("What happened")
    browser.script("document.querySelector('.skip').focus()")
    browser.press(Keys.ENTER)
    assert browser.script("return [location.hash, document.activeElement.id]") == ["#/health", "main"]
    browser.open(viewer.url, "#/flag/%")
    browser.sees("%", "h1")
    browser.open(viewer.url, "#/flags")
    browser.sees("2 flags")
    browser.script("document.activeElement.blur()")
    browser.press("/", Keys.ARROW_DOWN)
    assert browser.one(".row[aria-selected=true]").text.startswith("a")
    assert browser.script("return [...document.querySelectorAll('.space a')].every((link) => link.tabIndex === -1)")
    # A link of another row than the chosen one leads to its own flag.
    browser.script("document.querySelectorAll('.space a')[1].focus()")
    browser.press(Keys.ENTER)
    browser.sees("b", "h1")
    browser.open(viewer.url, "#/flags")
    browser.sees("2 flags")
    click = "new MouseEvent('click', { bubbles: true, ctrlKey: true })"
    browser.script(f"document.querySelector('.space .row').dispatchEvent({click})")
    assert browser.script("return location.hash") == "#/flags"
    browser.type_into("input[type=search]", "*a" * 30 + "*")
    browser.sees("0 of 2 flags")


def test_a_page_without_flags_says_where_it_looks_and_what_to_do(
    store: Store, start_viewer: Callable[..., Viewer], browser: Browser
) -> None:
    browser.open(start_viewer("--prefix", "nothing").url)
    browser.sees(f'There are no flags: 127.0.0.1:{store.port}, prefix "nothing"; --prefix names another one')
    store.put({"first": flag(1)}, prefix="nothing")
    browser.sees_not("There are no flags")
