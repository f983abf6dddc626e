"""What a page of another origin can do to the sandbox from the same browser: nothing."""

import http.server
import threading

import pytest

from tests.browser.sandbox_page import Page

pytestmark = pytest.mark.browser

ATTACK = """
const to = arguments[0], done = arguments[arguments.length - 1];
const credentials = "include";
const headers = {"Content-Type": "application/json"};
const [method, mode] = ["POST", "no-cors"];
const body = JSON.stringify({fault: "silence", times: null});
const outcomes = [];
const attempt = (name, promise) => promise.then(
  (answer) => outcomes.push(name + ": " + (answer.type === "opaque" ? "opaque" : answer.status)),
  () => outcomes.push(name + ": failed"),
);
const events = new EventSource(to + "sandbox/events", {withCredentials: true});
const heard = new Promise((resolve, reject) => { events.onmessage = resolve; events.onerror = reject; });
Promise.all([
  attempt("read", fetch(to + "sandbox/messages", {credentials})),
  attempt("page", fetch(to, {credentials})),
  attempt("json", fetch(to + "sandbox/faults", {method, headers, body, credentials})),
  attempt("simple", fetch(to + "sandbox/faults", {method, mode, body, credentials})),
  attempt("delete", fetch(to + "sandbox/messages", {method: "DELETE", credentials})),
  attempt("cancel", fetch(to + "sandbox/messages/1/cancel", {method, mode, body, credentials})),
  attempt("events", heard.then(() => ({status: 200}))),
]).then(() => { events.close(); done(outcomes); });
"""
FORM = """
const form = document.createElement("form");
Object.assign(form, {method: "POST", action: arguments[0] + "sandbox/faults", enctype: "text/plain"});
const input = document.createElement("input");
Object.assign(input, {name: '{"fault": "silence", "times": null, "path": "', value: '"}'});
form.append(input);
document.body.append(form);
form.submit();
"""


@pytest.fixture
def foreign_site(tmp_path):
    """Serve a page at another origin of this machine: cookies there are the same, ports count for origins."""
    (tmp_path / "index.html").write_text("<!doctype html><title>other</title><body></body>")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_another_origin_orders_and_reads_nothing(page: Page, foreign_site):
    """Even after the browser has the page's cookie, and though both are on one host."""
    page.send("secret")
    page.open()
    page.browser.get(foreign_site)

    outcomes = page.browser.execute_async_script(ATTACK, page.sandbox.outbox_url)

    assert [each for each in outcomes if not each.endswith((": failed", ": opaque"))] == []
    assert len(outcomes) == 7
    page.run(FORM, page.sandbox.outbox_url)
    page.wait(lambda: "A page of another site asked for this" in page.browser.page_source)
    assert (page.sandbox.state()["faults"], page.sandbox.state()["messages"]) == ([], 1)


def test_the_page_shows_in_no_frame(page: Page, foreign_site):
    """So nobody can be made to click on it."""
    page.browser.get(foreign_site)
    page.run(
        "const frame = document.createElement('iframe'); frame.src = arguments[0];"
        "frame.onload = () => (window.framed = true); document.body.append(frame);",
        page.sandbox.outbox_url,
    )
    page.wait(lambda: page.run("return window.framed"))

    page.browser.switch_to.frame(page.find("iframe"))
    assert page.all("#main") == []
