"""The connection form as people see it, in the newest Airflow and a headless Chromium."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from airflow_provider_p2psms.gateway.settings import parse_settings
from airflow_provider_p2psms.provider_info import CONN_FIELDS

pytestmark = pytest.mark.browser

# What the last run saw; kept, so that a failure can be looked at.
PICTURES = Path(__file__).parents[2] / ".cache"

STARTUP_S = 60


@pytest.fixture(scope="module")
def airflow_url(airflow_database):
    """Run Airflow's pages, open to everyone who asks on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    with (airflow_database.parent / "api-server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server"],
            env=os.environ | settings,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield f"http://127.0.0.1:{port}"
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(timeout=20)


@pytest.fixture(scope="module")
def api(airflow_url):
    """Ask Airflow's REST API, once it answers."""

    def ask(path, token=None):
        request = urllib.request.Request(f"{airflow_url}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def sign_in(_):
        try:
            return ask("/auth/token")["access_token"]
        except urllib.error.URLError:
            return None

    token = WebDriverWait(airflow_url, STARTUP_S).until(sign_in, "Airflow's pages do not answer")
    return lambda path: ask(f"/api/v2{path}", token)


@pytest.fixture
def form(browser, airflow_url, api):
    """Open the form for a new connection and choose the type."""
    browser.get(f"{airflow_url}/connections")
    click(browser, "Add Connection")
    dialog = wait(browser, lambda _: browser.find_element(By.CSS_SELECTOR, "[role=dialog]"))
    write(dialog, "input[role=combobox]", "P2P SMS", Keys.ENTER)
    wait(browser, lambda _: dialog.find_element(By.NAME, "host").is_displayed())
    return dialog


def wait(browser, condition):
    """Wait until the page is so far."""
    return WebDriverWait(browser, 20, ignored_exceptions=[Exception]).until(condition)


def click(within, text) -> None:
    """Click the button with this text once it is there."""
    path = f".//button[normalize-space()='{text}']"
    wait(within, lambda _: [within.find_element(By.XPATH, path).click()])


def write(within: WebElement, selector: str, *keys: str) -> None:
    """Write into a field once it takes keys: it is there before the dialog has come to rest."""

    def is_written(_) -> bool:
        within.find_element(By.CSS_SELECTOR, selector).send_keys(*keys)
        return True

    wait(within, is_written)


def unfold(form: WebElement, section: str, field: str) -> None:
    """Unfold a section of the form, which folds the others, and wait until one of its fields shows."""
    click(form, section)
    shown, folded = form.find_element(By.NAME, field), form.find_element(By.NAME, "host")
    wait(form, lambda _: shown.is_displayed() and not folded.is_displayed())


def take_picture(form: WebElement, name: str) -> None:
    """Keep what the form looks like now."""
    PICTURES.mkdir(exist_ok=True)
    form.screenshot(str(PICTURES / f"{name}.png"))


def test_host_and_password_are_called_what_they_are(form):
    """The form asks for a base URL and an API token, with an example, and for nothing that is not used."""
    take_picture(form, "connection-form")
    fields = form.find_elements(By.CSS_SELECTOR, "input[name], textarea[name]")
    shown = {field.get_attribute("name"): field for field in fields if field.is_displayed()}

    assert set(shown) == {"connection_id", "description", "host", "password"}
    assert {"Base URL", "API token"} <= set(form.text.splitlines())
    assert shown["host"].get_attribute("placeholder") == "https://edge.ippanel.com/v1"
    assert shown["password"].get_attribute("type") == "password"


def test_every_extra_has_its_label_and_its_help(form):
    """The section of the extras has one field each, in order, with a label and a sentence of help."""
    unfold(form, "Extra Fields", "element_from_number")
    take_picture(form, "connection-form-extras")
    fields = form.find_elements(By.CSS_SELECTOR, "input[name^=element_]")

    assert [field.get_attribute("name") for field in fields] == [f"element_{name}" for name in CONN_FIELDS]
    lines = form.text.splitlines()
    for field in CONN_FIELDS.values():
        at = lines.index(field["label"])
        assert lines[at + 1] == field["description"]


def test_what_the_form_saves_is_what_the_hook_reads(form, api):
    """A connection saved from the form, most extras left alone, is understood."""
    write(form, "[name=connection_id]", "from_the_form")
    write(form, "[name=host]", "https://gateway.example.com/v1")
    write(form, "[name=password]", "token")
    unfold(form, "Extra Fields", "element_from_number")
    write(form, "[name=element_from_number]", "+983000505")
    write(form, "[name=element_read_timeout]", "30")
    click(form, "Save")
    saved = wait(form, lambda _: api("/connections/from_the_form"))

    settings = parse_settings(host=saved["host"], password="token", extra=json.loads(saved["extra"]))

    assert settings.base_url == "https://gateway.example.com/v1"
    assert (settings.from_number, settings.read_timeout_s) == ("+983000505", 30)
    assert settings.connect_timeout_s == 10
