"""The outbox page shows what arrives while it is open, and keeps the reader's place."""

import time

import pytest
from selenium.webdriver.common.by import By

from tests.browser.sandbox_page import Page

pytestmark = pytest.mark.browser

MANY = [f"text {number:02}" for number in range(60)]


def test_a_message_appears_without_a_reload(page: Page):
    """The first ones fill the empty list; a later one comes on top, marked as new."""
    page.open()
    assert "None." in page.shown("#list")

    page.send("one")
    page.wait(lambda: page.texts() == ["one"])
    page.send("two")
    page.wait(lambda: page.texts() == ["two", "one"])

    assert "two" in page.shown("tr.fresh")
    assert page.shown("#newer") == "2 new"
    assert page.is_same_load()
    assert page.browser.title.startswith("2 messages")


def test_the_place_in_the_list_is_kept(page: Page):
    """A reader further down sees how many are new; the list stays until they ask for them."""
    page.send(*MANY)
    page.open()
    page.run("scrollTo(0, 900)")
    before = page.texts()

    page.send("new one", "new two")
    page.wait(lambda: page.shown("#newer") == "2 new")

    assert page.texts() == before
    assert page.run("return scrollY") == 900
    page.find("#newer").click()
    page.wait(lambda: page.texts()[:2] == ["new two", "new one"])
    assert page.run("return scrollY") == 0
    assert page.is_same_load()


def test_a_selection_is_kept(page: Page):
    """Selected text stays selected, and its row where it is, while messages come and statuses move."""
    [outbox_id] = page.send("a long text")
    page.open()
    page.run("getSelection().selectAllChildren(document.querySelector('#list td.text'))")

    page.send("another")
    page.wait(lambda: page.shown("#newer") == "1 new")
    page.wait(lambda: "delivered" in page.shown(f"#m{outbox_id}"))

    assert page.run("return String(getSelection())") == "a long text"
    assert page.texts() == ["a long text"]


def test_typing_is_not_disturbed(page: Page):
    """What is in the search field stays there when messages come."""
    page.send("one")
    page.open()
    page.find("[name=q]").send_keys("half a que")

    page.send("two")
    page.wait(lambda: page.texts() == ["two", "one"])

    assert page.run("return document.activeElement.name") == "q"
    assert page.find("[name=q]").get_attribute("value") == "half a que"


def test_a_pause(page: Page):
    """While it is paused the sandbox tells it nothing; all that came meanwhile is there afterwards."""
    page.open()
    page.wait(lambda: page.sandbox._feed._watchers)
    page.find("#pause").click()
    page.wait(lambda: not page.sandbox._feed._watchers)

    page.send("during the pause")

    assert (page.shown("#live"), page.texts()) == ("paused", [])
    page.find("#pause").click()
    page.wait(lambda: page.texts() == ["during the pause"])


def test_statuses_move_on(page: Page):
    """A badge goes from queued to delivered by itself, in the list and in the opened message."""
    now = time.time()
    page.sandbox.clock = lambda: now
    [outbox_id] = page.send("hello", to=["+989120000001", "+989120000003"])
    page.open(f"?open={outbox_id}")

    assert "queued" in page.shown(f"#m{outbox_id}")
    now += 0.16
    page.wait(lambda: "no report yet" in page.shown("#detail .recipients"))
    now += 1
    page.wait(lambda: "not delivered" in page.shown("#detail .recipients"))

    assert page.shown(f"#m{outbox_id} .status").split("\n")[0] == "1 not delivered 1 delivered"
    assert page.texts("#detail .recipients .badge") == ["delivered", "not delivered"]
    assert page.is_same_load()


def test_deleted_messages_leave_other_pages(page: Page, browser):
    """After "Delete all" is confirmed the list is empty, and no id is given twice."""
    [first] = page.send("hello")
    page.open()
    browser.find_element(By.XPATH, "//button[.='Delete all']").click()
    browser.switch_to.alert.accept()

    page.wait(lambda: "None." in page.shown("#list"))
    assert page.sandbox.arrived == []
    assert page.send("again")[0] > first
