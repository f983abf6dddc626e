"""The page for all: WCAG 2.1 AA by axe-core, dark and light, wide and narrow, without scripts."""

import importlib.util
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.sandbox_page import ORIGIN, PERSIAN, Page

pytestmark = pytest.mark.browser

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
PICTURES = Path(__file__).parents[2] / ".cache"


@pytest.fixture
def axe(page: Page):
    """Look for violations of WCAG 2.1 AA on the page that is open."""
    spec = importlib.util.find_spec("axe_core_python")
    assert spec
    assert spec.submodule_search_locations
    script = Path(spec.submodule_search_locations[0], "axe.min.js").read_text("utf-8")

    def look():
        page.run(script)
        found = page.browser.execute_async_script(
            "const done = arguments[1];"
            "axe.run(document, {runOnly: arguments[0]}).then(done, (error) => done({error: `${error}`}))",
            LEVELS,
        )
        assert "error" not in found, found
        assert len(found["passes"]) > 10
        return [
            f"{each['id']}: {node['html'][:200]} {node['any'][0]['message'] if node['any'] else ''}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    return look


@pytest.fixture
def filled(page: Page):
    """Let the page have one of everything; return the id of a scheduled message."""
    page.sandbox.order_fault("silence", after=100)
    to = [f"+9891200010{number:02}" for number in range(9)] + ["+989120000003", "+989120000004"]
    page.send("Maintenance tonight", to=to, origin=ORIGIN)
    page.send("[[reject]] x", "[[no-credit]] y", "https://example.com/" + "a" * 200, PERSIAN)
    tomorrow = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 86_400))
    return page.send(PERSIAN, send_time=tomorrow, origin=ORIGIN)[0]


VIEWS = [
    "",
    "?open={}",
    "?outbox_id=1123594208",
    "?kind=peer_to_peer&since=x",
    "requests?request=1",
    "trouble",
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_accessible_and_never_too_wide(width, dark, page: Page, filled, axe):
    """No violation in any view; nothing sticks out of the screen."""
    page.resize(width, dark=dark)
    PICTURES.mkdir(exist_ok=True)
    violations, widths = {}, {}
    for number, view in enumerate(VIEWS):
        page.open(view.format(filled))
        name = f"sandbox-{number}-{width}-{'dark' if dark else 'light'}.png"
        page.browser.save_screenshot(str(PICTURES / name))
        violations[view] = axe()
        widths[view] = page.run("return document.documentElement.scrollWidth")

    assert violations == {view: [] for view in VIEWS}
    assert max(widths.values()) <= width, widths


def test_cards_on_a_narrow_screen(page: Page, filled):
    """Each message is a card of its own, with all of its facts; the opened one covers the screen."""
    page.resize(390)
    page.open()
    row = page.find("#list tbody tr")

    assert row.value_of_css_property("display") == "grid"
    assert not page.find("#list thead").is_displayed() or page.find("#list thead").rect["x"] < 0
    assert {"scheduled", "+989120000001", str(filled)} <= set(row.text.split())
    row.find_element("css selector", "a.open").click()
    page.wait(lambda: page.find("#detail").rect["width"] == 390)


def test_dark_is_dark(page: Page, filled):
    """The page follows what the reader's system prefers."""
    brightness = {}
    for dark in (False, True):
        page.resize(1280, dark=dark)
        page.open()
        color = page.find("body").value_of_css_property("background-color")
        brightness[dark] = int(color.partition("(")[2].split(",")[0])

    assert brightness[True] < 50
    assert brightness[False] > 200


def test_nothing_is_asked_of_anywhere_else(page: Page, filled):
    """All requests of all views go to the sandbox, and no view breaks its content security policy."""
    page.browser.get_log("performance")
    for view in VIEWS:
        page.open(view.format(filled))

    entries = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]
    asked = [
        entry["params"]["request"]["url"]
        for entry in entries
        if entry["method"] == "Network.requestWillBeSent"
    ]
    ours = urlsplit(page.sandbox.outbox_url).netloc
    assert len(asked) > 3 * len(VIEWS)
    assert {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "chrome:"))} == {ours}
    assert [entry for entry in page.browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_without_its_script(page: Page, browser, filled):
    """Search, opening and paging are links and a form: they work where no script runs."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(page.sandbox.outbox_url)
    page.find("#list a.open").click()

    page.wait(lambda: page.shown("#detail h2") == str(filled))
