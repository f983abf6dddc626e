"""The blocks of the how-to pages, run as they stand there."""

import re
import subprocess
from pathlib import Path

import pytest

from airflow_provider_p2psms.hooks.sms import SMSHook

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {page.stem: page.read_text("utf-8") for page in DOCS.glob("*.md")}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


def block(page, language):
    [code] = blocks(page, language)
    return code


@pytest.mark.airflow
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=f"{page}-{number}")
        for page in PAGES
        if page != "versions"  # settings of Airflow 3.0, which a whole Airflow tries out
        for number, code in enumerate(blocks(page, "python"))
    ],
)
def test_the_code_of_a_page_is_parsed_as_a_dag_file_is(code):
    """Each block builds what it shows; what is refused at parse would fail here."""
    if "DeadlineAlert" in code and not hasattr(
        pytest.importorskip("airflow.sdk", reason="deadlines are there since Airflow 3"), "DeadlineAlert"
    ):
        pytest.skip("Airflow 3.1 has other names")

    exec(compile(code, "page.py", "exec"), {"__name__": "page"})


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("page", "name", "states"),
    [
        ("delivery", "shipments", {"notify": "success", "delivered": "success"}),
        ("cancel", "remind", {"schedule": "success", "check": "success", "cancel": "success"}),
    ],
)
def test_the_dags_run(page, name, states, p2psms_sandbox, run_dag):
    """The DAG of each page does what the page says."""
    p2psms_sandbox.queue_s = p2psms_sandbox.delivery_s = 0
    namespace = {"__name__": page}
    code = block(page, "python").replace(f"\n{name}()\n", f"\ndag_object = {name}()\n")
    exec(compile(code, __file__, "exec"), namespace)

    tasks = run_dag(namespace["dag_object"]).get_task_instances()

    assert states == {ti.task_id: str(ti.state) for ti in tasks}
    assert 1 == len(p2psms_sandbox.arrived)


def test_the_link_leads_to_the_sandbox(monkeypatch):
    """The connection of the page on links has an address with a place for the id."""
    printed = subprocess.run(
        ["bash", "-c", f'{block("outbox-link", "bash")}\nprintf %s "$AIRFLOW_CONN_P2PSMS_DEFAULT"'],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", printed)

    assert "http://127.0.0.1:8025/?outbox_id={outbox_id}" == SMSHook().settings.outbox_url


@pytest.mark.parametrize(
    "link", re.findall(r"\]\((docs/[^)]+)\)", (DOCS.parent / "README.md").read_text("utf-8"))
)
def test_the_readme_leads_to_pages_that_are_there(link):
    """No link of the README into docs/ is dead."""
    assert (DOCS.parent / link).exists()


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages(page):
    """A link to another file of the project leads to it."""
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGES[page]):
        assert (DOCS / target).exists(), target
