"""A message opened, found, cancelled and exported on the outbox page."""

import json
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.sandbox_page import ORIGIN, PERSIAN, Page

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "invoice \u202egnp.exe",
    '"><svg onload="window.hacked = 1">',
    "line\u2028separator\x7f",
)


def open_first(page):
    """Open the newest message of the list."""
    page.find("#list a.open").click()
    page.wait(lambda: page.find("#detail h2").is_displayed())


def test_a_persian_message_as_on_a_phone(page: Page):
    """It runs from right to left; the parts say what made it Unicode."""
    page.send("Sale! é", PERSIAN + " " + PERSIAN)
    page.open()
    open_first(page)

    bubble = page.find("#detail .bubble")
    assert (bubble.get_attribute("dir"), bubble.text) == ("rtl", f"{PERSIAN} {PERSIAN}")
    assert bubble.value_of_css_property("direction") == "rtl"
    assert "2 parts · UCS-2 · 73 UTF-16 units, 67 to a part" in page.shown("#detail")
    assert "Unicode because of “ی” U+06CC ARABIC LETTER FARSI YEH" in page.shown("#detail")
    assert page.find("#detail [aria-label='Parts'] svg").get_attribute("aria-label") == (
        "part 1: 67 of 67 part 2: 6 of 67 "
    )
    page.find("body").send_keys("j")
    page.wait(lambda: "1 part · GSM-7" in page.shown("#detail"))


def test_one_line_for_many_recipients(page: Page):
    """A text to many is one row; its badges put the bad first, and none is green over what did not arrive."""
    to = [f"+9891200010{number:02}" for number in range(48)] + ["+989120000003", "+989120000004"]
    [outbox_id] = page.send("to all", to=to)
    page.open()
    page.wait(lambda: "blacklisted" in page.shown(f"#m{outbox_id}"))

    badges = page.all(f"#m{outbox_id} .badge")
    assert [(each.text, each.get_attribute("class")) for each in badges] == [
        ("1 not delivered", "badge bad"),
        ("1 blacklisted", "badge bad"),
        ("48 delivered", "badge good"),
    ]
    assert "6 finish" in page.shown(f"#m{outbox_id} .words")
    assert "and 49 more" in page.shown(f"#m{outbox_id} .to")
    assert len(page.all("#list tbody tr")) == 1
    open_first(page)
    assert len(page.all("#detail .recipients tbody tr")) == 50


def test_long_texts_are_folded(page: Page):
    """The list shows the beginning of a long text, the opened message all of it."""
    text = "word " * 250
    page.send(text)
    page.open()

    assert page.texts() == [text[:300] + "…"]
    open_first(page)
    assert page.texts("#detail .bubble") == [text]


def test_hostile_texts_are_only_text(page: Page):
    """No text becomes HTML or runs, in the list or opened; characters that are not seen are named."""
    page.send(*HOSTILE)
    page.open()

    assert page.texts() == list(reversed(HOSTILE))
    for link in [each.get_attribute("href") or "" for each in page.all("#list a.open")]:
        page.open(link.removeprefix(page.sandbox.outbox_url))
        assert page.texts("#detail .bubble")[0] in HOSTILE
    page.open("?q=gnp.exe&open=" + (page.find("#list tr:nth-child(3)").get_attribute("id") or "")[1:])
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in page.shown("#detail .problem")
    assert page.find("#list td.text").value_of_css_property("unicode-bidi") == "isolate"
    assert page.run("return window.hacked") is None
    assert [entry for entry in page.browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize(
    "query",
    [
        "0912 345 6789",
        "0912-345-6789",
        "۰۹۱۲۳۴۵۶۷۸۹",
        "+98 912 345 6789",
        "00989123456789",
        "سفارش علي",
        "كاربر",
    ],
)
def test_search(query, page: Page):
    """Numbers are found in any spelling, texts with either ya and kaf; the URL can be shared."""
    page.send("سفارش علی برای کاربر", to="+989123456789")
    page.send("another", to="+989350000000")
    page.open()
    page.find("body").send_keys("/")
    page.browser.switch_to.active_element.send_keys(query, Keys.ENTER)

    page.wait(lambda: page.texts() == ["سفارش علی برای کاربر"])
    shared = page.browser.current_url.removeprefix(page.sandbox.outbox_url)
    page.open(shared)
    assert page.texts() == ["سفارش علی برای کاربر"]
    assert page.find("[name=q]").get_attribute("value") == query


def test_filters(page: Page):
    """A badge of the chart, and a DAG's name, lead to what they name."""
    page.send("fine", origin=ORIGIN)
    page.send("not fine", to="+989120000003")
    page.send("by a file's DAG", origin=ORIGIN | {"dag_id": "گزارش <b>"})
    page.open()
    page.wait(lambda: "1 not delivered" in page.shown("#stats"))

    page.find("#stats .legend .bad").click()
    page.wait(lambda: page.texts() == ["not fine"])
    page.open("?dag=orders")
    assert page.texts() == ["fine"]
    open_first(page)
    assert "orders · manual__2026-01-01T00:00:00+00:00 · send" in page.shown("#detail .origin")
    page.find("#detail .origin a:nth-of-type(2)").click()
    page.wait(lambda: page.texts() == ["by a file's DAG", "fine"])


def test_a_scheduled_message_is_cancelled(page: Page):
    """It is shown with the time in UTC and in Tehran; its button cancels it as the gateway does."""
    at = int(time.time()) + 86_400
    [outbox_id] = page.send("later", send_time=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)))
    page.open(f"?open={outbox_id}")

    times = page.texts("#detail .scheduled dd")
    assert times == [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at + add)) for add in (0, 12_600)]
    assert "scheduled" in page.shown(f"#m{outbox_id}")
    page.find("#detail button").click()

    page.wait(lambda: "cancelled" in page.shown(f"#m{outbox_id}"))
    assert "7 cancel" in page.shown("#detail")
    assert page.all("#detail button") == []


def test_a_request_with_its_answer_and_as_curl(page: Page):
    """A message leads to its request; the command for it has no token."""
    page.send("it's <here>", origin=ORIGIN)
    page.open()
    open_first(page)
    page.find("#detail a[href^='/requests']").click()
    page.wait(lambda: page.find("#request"))

    shown = page.texts("#request pre")
    assert json.loads(shown[1])["params"][0]["message"] == "it's <here>"
    assert shown[2].startswith("HTTP 200\n")
    assert "YOUR_TOKEN" in shown[0]
    assert page.sandbox.token not in page.browser.page_source


def test_keys(page: Page):
    """J and k go through the list, Enter opens, Escape closes and comes back."""
    first, second = page.send("one", "two")
    page.open()
    body = page.find("body")

    body.send_keys("j", "j")
    assert page.run("return document.activeElement.closest('tr').id") == f"m{first}"
    page.browser.switch_to.active_element.send_keys("k")
    page.browser.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait(lambda: page.shown("#detail h2") == str(second))
    assert page.browser.current_url.endswith(f"?open={second}")
    page.find("body").send_keys(Keys.ESCAPE)
    page.wait(lambda: not page.find("#detail").is_displayed())
    assert page.run("return document.activeElement.closest('tr').id") == f"m{second}"
    page.browser.back()
    page.wait(lambda: page.shown("#detail h2") == str(second))
    assert page.is_same_load()


def test_the_skip_link_comes_first(page: Page):
    """The first Tab shows a link past the head of the page."""
    page.open()
    page.find("body").send_keys(Keys.TAB)
    link = page.browser.switch_to.active_element

    place = (link.get_attribute("href") or "").partition("#")[2]
    assert (link.text, place) == (
        "Skip to the content",
        "main",
    )
    assert link.rect["x"] >= 0
    assert page.browser.find_element(By.ID, "main")
