"""A headless Chromium for each test, and waiting for what it shows."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from airflow_provider_p2psms.sandbox import Sandbox
from tests.browser.sandbox_page import Page

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
    "--window-size=1280,2400",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """Open a Chromium that knows nothing yet."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (chromium and driver):
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for option in (*OPTIONS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(option)
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox whose messages are delivered within a fifth of a second."""
    with Sandbox(queue_s=0.1, delivery_s=0.1, duplicate_window_s=0) as sandbox:
        yield sandbox


@pytest.fixture
def page(browser: Chrome, sandbox: Sandbox) -> Page:
    """Drive the page of the sandbox."""
    return Page(browser, sandbox)
