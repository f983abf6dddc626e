"""A sandbox and its page in Chromium, for the tests of this folder."""

import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlencode

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from airflow_provider_p2psms.sandbox import Sandbox

ORIGIN = {"dag_id": "orders", "run_id": "manual__2026-01-01T00:00:00+00:00", "task_id": "send"}
PERSIAN = "یادآوری: نوبت شما فردا ساعت ۹:۳۰ است"


class Page:
    """The page, and who sends to its sandbox."""

    def __init__(self, browser: Chrome, sandbox: Sandbox) -> None:
        self.browser = browser
        self.sandbox = sandbox

    def open(self, path: str = "") -> Self:
        """Open a path below the page's address, and wait until it is live."""
        self.browser.get(self.sandbox.outbox_url + path)
        self.wait(lambda: self.find("#live").text == "live")
        # Lost by a reload: what a test says is live must not be one.
        self.run("window.loadedOnce = true")
        return self

    def send(
        self,
        *texts: str,
        to: str | Sequence[str] = "+989120000001",
        origin: Mapping[str, str] | None = None,
        **fields: object,
    ) -> list[int]:
        """Send each text as a group; return the outbox ids."""
        recipients = [to] if isinstance(to, str) else to
        params = [{"recipients": recipients, "message": text} for text in texts]
        body = {"sending_type": "peer_to_peer", "from_number": "+983000505", "params": params} | fields
        headers = {"Authorization": self.sandbox.token, "Content-Type": "application/json"}
        headers |= {"X-P2PSMS-Origin": urlencode(origin)} if origin else {}
        request = urllib.request.Request(
            f"{self.sandbox.base_url}/api/send", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            ids: list[int] = json.load(answer)["data"]["message_outbox_ids"]
            return ids

    def wait(self, condition: Callable[[], Any], seconds: float = 10) -> Any:
        """Wait until the page is so far; what it lacks meanwhile is no error."""
        return WebDriverWait(self.browser, seconds, 0.05, [Exception]).until(lambda _: condition())

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page."""
        return self.browser.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        """Return the first element."""
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Return all elements."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str = "#list td.text") -> list[str]:
        """Return the exact texts of elements, read at once."""
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        texts: list[str] = self.run(script, selector)
        return texts

    def shown(self, selector: str) -> str:
        """Return what a person sees in the first element."""
        return self.find(selector).text

    def is_same_load(self) -> bool:
        """Whether the page was not loaded anew since it was opened."""
        return bool(self.run("return window.loadedOnce === true"))

    def resize(self, width: int, height: int = 844, *, dark: bool = False) -> None:
        """Be a screen of this size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
