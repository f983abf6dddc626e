"""The pages of docs/: their code runs, their commands exist, and their links lead somewhere."""

import json
import re
import subprocess

import pytest

from airflow_provider_p2psms.hooks.sms import SMSHook
from tests.pages import DOCS, PAGES, ROOT, blocks, check_command, commands, languages, make_targets

# Settings of Airflow 3.0, which a whole Airflow tries out in tests/sensors/test_triggerer.py.
NOT_A_DAG_FILE = {"versions.md"}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_tried(page):
    """No block escapes the tests below."""
    assert languages(PAGES[page]) <= {"bash", "console", "ini", "json", "python", "text", "yaml"}


@pytest.mark.airflow
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=f"{page}-{number}")
        for page in PAGES
        if page not in NOT_A_DAG_FILE
        for number, code in enumerate(blocks(PAGES[page], "python"))
    ],
)
def test_the_code_of_a_page_is_parsed_as_a_dag_file_is(code):
    """Each block builds what it shows; what is refused at parse would fail here."""
    if "DeadlineAlert" in code and not hasattr(
        pytest.importorskip("airflow.sdk", reason="deadlines are there since Airflow 3"), "DeadlineAlert"
    ):
        pytest.skip("Airflow 3.1 has other names")

    exec(
        compile(code, "page.py", "exec"), {"__name__": "page", "__file__": str(ROOT / "example_dags/page.py")}
    )


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("page", "name", "states"),
    [
        ("delivery.md", "shipments", {"notify": "success", "delivered": "success"}),
        ("cancel.md", "remind", {"schedule": "success", "check": "success", "cancel": "success"}),
    ],
)
def test_the_dags_run(page, name, states, p2psms_sandbox, run_dag):
    """The DAG of each page does what the page says."""
    p2psms_sandbox.queue_s = p2psms_sandbox.delivery_s = 0
    namespace = {"__name__": page}
    [code] = blocks(PAGES[page], "python")
    code = code.replace(f"\n{name}()\n", f"\ndag_object = {name}()\n")
    exec(compile(code, __file__, "exec"), namespace)

    tasks = run_dag(namespace["dag_object"]).get_task_instances()

    assert states == {ti.task_id: str(ti.state) for ti in tasks}
    assert 1 == len(p2psms_sandbox.arrived)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_exist(page):
    """What a page tells to type is there to be typed: programs, subcommands, options, targets."""
    for words in commands(PAGES[page]):
        check_command(words)


@pytest.mark.parametrize("page", PAGES)
def test_the_targets_that_a_page_names_exist(page):
    """Each `make …` within a sentence names a target."""
    assert set(re.findall(r"`make ([a-z][a-z-]*)`", PAGES[page])) <= make_targets()


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=f"{page}-{number}")
        for page in PAGES
        for number, code in enumerate(blocks(PAGES[page], "bash", "console"))
    ],
)
def test_a_shell_reads_the_commands(code):
    """Each block of commands is what a shell can read."""
    subprocess.run(["bash", "-n"], input=code, text=True, check=True, capture_output=True)


@pytest.mark.parametrize("page", PAGES)
def test_settings_are_read(page):
    """Blocks of JSON and YAML are what they claim to be."""
    for code in blocks(PAGES[page], "json"):
        json.loads(code)
    for code in blocks(PAGES[page], "yaml"):
        assert pytest.importorskip("yaml").safe_load(code)


def test_the_link_leads_to_the_sandbox(monkeypatch):
    """The connection of the page on links has an address with a place for the id."""
    [code] = blocks(PAGES["outbox-link.md"], "bash")
    printed = subprocess.run(
        ["bash", "-c", f'{code}\nprintf %s "$AIRFLOW_CONN_P2PSMS_DEFAULT"'],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", printed)

    assert "http://127.0.0.1:8025/?outbox_id={outbox_id}" == SMSHook().settings.outbox_url


@pytest.mark.parametrize("page", ["../README.md", "../CONTRIBUTING.md", *PAGES])
def test_links_lead_to_files(page):
    """A link to another file of the project leads to it; `make docs` also checks the headings."""
    here = DOCS / page
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", here.read_text("utf-8")):
        assert (here.parent / target).exists(), target
