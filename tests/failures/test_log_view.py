"""The errors as people see them: in the log view of a real Airflow, in a Chromium 1,300 pixels wide."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.failures.dags.failures import dag
from tests.failures.gateways import failing_gateways
from tests.stack import AirflowStack, airflow_version

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(900)]

DAGS = Path(__file__).parent / "dags"
# What the last run saw; kept, so that a failure can be looked at.
PICTURES = Path(__file__).parents[2] / ".cache"
WIDTH = 1_300
FAILING = sorted(set(dag.task_ids) - {"send", "alert"})
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--window-size={WIDTH},1300")
# Where each line of an error ends on the screen, and where the view does; null for a line that is not there.
MEASURE = """
const view = document.querySelector("code").getBoundingClientRect();
const ends = arguments[0].map(line => {
  const texts = document.createTreeWalker(document.querySelector("code"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const at = texts.currentNode.data.indexOf(line);
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(texts.currentNode, at);
    range.setEnd(texts.currentNode, at + line.length);
    return range.getBoundingClientRect().right;
  }
  return null;
});
return [ends, view.right];
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run all tasks in a real Airflow; give it, and the run's id."""
    if airflow_version(sys.executable) < (3, 3):
        pytest.skip("the pages of older Airflows are others")
    # A busy machine is not a dead one.
    patience = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300"}
    with (
        failing_gateways(tmp_path_factory.mktemp("data")) as env,
        AirflowStack(DAGS, env=env | patience, database="sqlite") as airflow,
    ):
        run_id = airflow.trigger(dag.dag_id)
        airflow.wait(run_id, timeout_s=600)
        yield airflow, run_id


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Open a Chromium that knows nothing yet."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (chromium and driver):
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = chromium
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.mark.parametrize("task_id", FAILING)
def test_the_whole_error_is_seen(task_id, run, browser):
    """There is one error, and no line of its text ends outside of the view."""
    airflow, run_id = run
    [error] = _errors(airflow, run_id, task_id)
    lines = [line.strip() for line in error["exc_value"].splitlines()]

    browser.get(f"{airflow.url}/dags/{dag.dag_id}/runs/{run_id}/tasks/{task_id}")
    WebDriverWait(browser, 30).until(lambda _: lines[-1] in browser.page_source.replace("&quot;", '"'))
    PICTURES.mkdir(exist_ok=True)
    browser.save_screenshot(str(PICTURES / f"failure-{task_id}.png"))
    ends, view = browser.execute_script(MEASURE, lines)

    assert [] == [line for line, end in zip(lines, ends, strict=True) if end is None or end > view]


def test_a_sentence_says_how_a_send_stands(run, browser):
    """The task's tab *Storage* has a line in words beside the packed records."""
    airflow, run_id = run

    browser.get(f"{airflow.url}/dags/{dag.dag_id}/runs/{run_id}/tasks/for_a_person/task-state-store")
    WebDriverWait(browser, 30).until(lambda _: "Recipients:" in browser.page_source)
    PICTURES.mkdir(exist_ok=True)
    browser.save_screenshot(str(PICTURES / "task-state-store.png"))

    [row] = [row.text for row in browser.find_elements(By.TAG_NAME, "tr") if "Recipients:" in row.text]
    assert row.split()[0] == "p2psms"
    assert "Recipients: 0 accepted, 3 in doubt, 0 refused or not sent." in " ".join(row.split())


def _errors(airflow, run_id, task_id):
    """Return the tracebacks of a task's log, in the form in which Airflow's pages get them."""
    [log] = (airflow.home / "logs").glob(f"*/run_id={run_id}/task_id={task_id}/*.log")
    lines = map(json.loads, log.read_text("utf-8").splitlines())
    return [error for line in lines for error in line.get("error_detail", ())]
