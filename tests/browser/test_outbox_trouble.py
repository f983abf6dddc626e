"""Trouble ordered and cleared on the page, and a DAG that copes with it."""

import urllib.error
import urllib.request
from contextlib import suppress

import pendulum
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from tests.browser.sandbox_page import Page

pytestmark = pytest.mark.browser


def order(page, section, **fields):
    """Fill in the form of a section, and send it off."""
    form = page.find(f"section[aria-labelledby={section}-title] form")
    for name, value in fields.items():
        field = form.find_element(By.NAME, name)
        if field.tag_name == "select":
            Select(field).select_by_value(value)
        else:
            field.clear()
            field.send_keys(value)
    form.find_element(By.TAG_NAME, "button").click()


def test_a_fault_for_one_line(page: Page):
    """It is ordered by the form, stands in the banner of every page, hits that line alone, and is cleared."""
    page.open("trouble")
    assert page.all(".banner") == []
    order(page, "fault", fault="refuse_429", times="null", from_number="+981234567890", after="0")
    words = "fault refuse_429, always, on /api/send, from +981234567890"
    page.wait(lambda: words in page.shown(".banner"))

    page.send("from another line")
    with pytest.raises(urllib.error.HTTPError, match="429"):
        page.send("hello", from_number="1234567890")
    page.open("requests")
    assert words in page.shown(".banner")
    assert "refuse_429" in page.shown("#requests")
    page.browser.find_element(By.XPATH, "//button[.='Clear all trouble']").click()
    page.wait(lambda: page.all(".banner") == [])
    assert page.send("hello", from_number="1234567890")


def test_a_banner_appears_by_itself(page: Page):
    """Trouble that a test or a script orders is seen on a page that is open."""
    page.open()
    page.sandbox.order_fault("silence", times=2)
    page.wait(lambda: "fault silence, 2 times" in page.shown(".banner"))

    page.sandbox.clear_faults()
    page.wait(lambda: page.all(".banner") == [])
    assert page.is_same_load()


def test_a_share_is_not_delivered(page: Page):
    """A fifth of the messages end as not delivered."""
    page.open("trouble")
    order(page, "fault", fault="undelivered", times="null", share="0.2")
    page.wait(lambda: "20% of the messages" in page.shown(".banner"))

    page.send(*(f"text {number}" for number in range(10)))
    page.open()
    page.wait(lambda: "2 not delivered" in page.shown("#stats") and "8 delivered" in page.shown("#stats"))


def test_latency_habits_and_the_account(page: Page):
    """The other two forms set what they say; a bad value is a sentence."""
    page.open("trouble")
    order(page, "account", latency_s="0.25", send_block="true")
    page.wait(lambda: "every answer is 250 ms late" in page.shown(".banner"))
    assert "the account is blocked" in page.shown(".banner")
    order(page, "habits", report_lag_s="90", outbox_suffix="لغو11", reports="false")
    page.wait(lambda: "habit outbox_suffix: لغو11" in page.shown(".banner"))
    assert page.sandbox.habits_turned() == {
        "reports": False,
        "report_lag_s": 90.0,
        "outbox_suffix": "لغو11",
    }
    order(page, "habits", page_empty="-1")
    page.wait(lambda: page.shown("#said") == "page_empty is 0 or more, not -1")

    page.browser.find_element(By.XPATH, "//button[.='Clear all trouble']").click()
    page.wait(lambda: page.all(".banner") == [])
    assert (page.sandbox.habits_turned(), page.sandbox.latency_s, page.sandbox.send_block) == ({}, 0, False)


def test_trouble_of_one_line(page: Page):
    """The line is chosen above the forms; what is like that of all lines is none of its own."""
    page.sandbox.turn({"report_lag_s": 5.0})
    page.open("trouble")
    page.find("nav.lines a[href$='%2B981234567890']").click()
    page.wait(lambda: "+981234567890" in page.shown("#habits-title"))
    assert page.find("form.habits [name=report_lag_s]").get_attribute("value") == "5.0"
    assert Select(page.find("select[name=from_number]")).first_selected_option.text == "+981234567890"

    order(page, "account", latency_s="0.25")
    page.wait(lambda: "every answer to a send is 250 ms late, from +981234567890" in page.shown(".banner"))
    order(page, "habits", outbox_suffix="لغو11", time_local="true")
    page.wait(lambda: "habit outbox_suffix: لغو11, from +981234567890" in page.shown(".banner"))
    own = {"latency_s": 0.25, "outbox_suffix": "لغو11", "time_local": True}
    assert page.sandbox.turned_by_line() == {"+981234567890": own}
    assert page.sandbox.habits_turned() == {"report_lag_s": 5}

    order(page, "account", latency_s="0")
    page.wait(lambda: "250 ms" not in page.shown(".banner"))
    order(page, "habits", outbox_suffix="", time_local="false")
    page.wait(lambda: page.sandbox.turned_by_line() == {})


@pytest.mark.airflow
@pytest.mark.parametrize("fault", ["cut_before_answer", "502_html", "busy"])
def test_a_dag_copes(fault, page: Page, run_dag, monkeypatch, short_times):
    """A DAG's messages appear while a fault is ordered on the page, each of them once."""
    from airflow_provider_p2psms.airflow_compat import DAG
    from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", page.sandbox.connection_uri)
    rows = [(f"0912000000{number}", f"text {number}") for number in range(6)]
    with DAG(f"copes_{fault}", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        PeerToPeerSMSOperator(task_id="send", messages=rows, batch_size=2)
    page.open("trouble")
    order(page, "fault", fault=fault, times="1", after="1")
    page.wait(lambda: f"fault {fault}" in page.shown(".banner"))
    page.open()

    run = run_dag(dag)

    page.wait(lambda: len(page.texts()) == 6)
    assert str(run.state) == "success"
    page.sandbox.assert_each_once(rows)
    page.wait(lambda: page.all(".banner") == [])
    assert page.texts("#list .when .note")[0] == dag.dag_id
    assert page.is_same_load()


def test_a_sandbox_that_is_gone_and_back(page: Page):
    """The page says that it is not live, and is again when the sandbox answers."""
    page.open()
    port = page.sandbox.bound_port
    page.sandbox.stop()
    page.wait(lambda: "does not answer" in page.shown("#live"))
    page.sandbox.port = port
    page.sandbox.start()
    page.wait(lambda: page.shown("#live") == "live")
    with suppress(urllib.error.URLError):
        page.send("back")
    page.wait(lambda: page.texts() == ["back"])
