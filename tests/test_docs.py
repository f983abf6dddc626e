"""The pages of docs/: their code runs, their commands exist, and their links lead somewhere."""

import inspect
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import dag
from airflow_provider_p2psms.gateway.settings import EXTRAS
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.send import SendResult
from airflow_provider_p2psms.transfers.shards import shards
from tests.pages import DOCS, PAGES, ROOT, blocks, check_command, commands, languages, make_targets

# Settings of Airflow 3.0, which a whole Airflow tries out in tests/sensors/test_triggerer.py.
NOT_A_DAG_FILE = {"versions.md"}


def dag_of(page: str, name: str, changes: Mapping[str, str] | None = None, number: int = 0) -> Any:
    """Build a DAG of a page, with what has to differ in a test."""
    namespace: dict[str, Any] = {"__name__": name}
    code = blocks(PAGES[page], "python")[number].replace(f"\n{name}()\n", f"\ndag_object = {name}()\n")
    for old, new in (changes or {}).items():
        assert old in code
        code = code.replace(old, new)
    exec(compile(code, __file__, "exec"), namespace)
    return namespace["dag_object"]


def states_of(run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


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
    if "standard.operators.hitl" in code:
        pytest.importorskip(
            "airflow.providers.standard.operators.hitl", reason="Airflow asks people since 3.1"
        )
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
def test_the_dags_run(page, name, states, p2psms_sandbox: Sandbox, run_dag):
    """The DAG of each page does what the page says."""
    p2psms_sandbox.queue_s = p2psms_sandbox.delivery_s = 0

    assert states == states_of(run_dag(dag_of(page, name)))
    assert 1 == len(p2psms_sandbox.arrived)


@pytest.mark.airflow
@pytest.mark.parametrize("fault", ["", "cut_before_answer"])
def test_the_first_dag_runs(fault, p2psms_sandbox: Sandbox, run_dag):
    """The first DAG sends two texts, once each, also if the answer is cut."""
    if fault:
        p2psms_sandbox.order_fault(fault)
    dag = dag_of("start.md", "first_texts")

    assert {"notify": "success"} == states_of(run_dag(dag))
    assert [
        "Dear Sara, order 1001 has shipped.",
        "Dear Omid, order 1002 has shipped.",
    ] == p2psms_sandbox.texts_arrived


@pytest.mark.airflow
def test_a_function_sends_what_it_returns(p2psms_sandbox: Sandbox, run_dag):
    """The DAG of the page on functions is a send for each city."""
    run_dag(dag_of("function.md", "invoices", number=0))

    assert {"Dear Sara, invoice 501 is due.", "Dear Omid, invoice 502 is due."} == set(
        p2psms_sandbox.texts_arrived
    )


@pytest.mark.airflow
def test_a_file_in_object_storage_is_sent(p2psms_sandbox: Sandbox, run_dag, tmp_path):
    """The DAG of the page waits for the file, sends its rows, and writes the outcomes beside it."""
    folder = tmp_path / "2026-02-03"
    folder.mkdir()
    rows = "customer_id,mobile,text\n1,0912 000 0001,Hello\n2,?,Hello\n"
    (folder / "customers.csv").write_text(rows, "utf-8")
    dag = dag_of(
        "how-to/file-on-s3.md", "shop_exports", {"s3://aws_default@shop-exports": f"file://{tmp_path}"}
    )

    run = run_dag(dag, logical_date=pendulum.datetime(2026, 2, 3))

    assert {"is_there": "success", "send": "success"} == states_of(run)
    assert ["Hello"] == p2psms_sandbox.texts_arrived
    assert ["1,accepted", "2,invalid"] == [
        ",".join(line.split(",")[1:3])
        for line in (folder / "outcomes.csv").read_text("utf-8").splitlines()[1:]
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with the files and the database that the pages take for granted."""
    rows = "recipient,message,mobile,name\n{0},Hello,{0},Sara\n{1},Hello,{1},Omid\n"
    for number, name in enumerate(("customers", "tehran", "isfahan", "2026-02-03")):
        (tmp_path / f"{name}.csv").write_text(
            rows.format(f"091200000{number}1", f"091200000{number}2"), "utf-8"
        )
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE orders (id, name, mobile, shipped_on)")
        orders = [(each, "Sara", f"091200001{each:02}", "2026-02-03") for each in range(1, 4)]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", orders)
        database.commit()
    monkeypatch.chdir(tmp_path)
    shop = {"conn_type": "sqlite", "host": str(tmp_path / "shop.db")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(shop))
    return tmp_path


# SQLite's parameters, and where the lists lie here.
HERE = {"%(day)s": ":day", "%(first)s": ":first", "%(last)s": ":last", "/srv/lists/": ""}


@pytest.mark.sampled(3)
@pytest.mark.airflow
@pytest.mark.parametrize(
    ("page", "number", "more", "states", "arrived"),
    [
        ("metrics.md", 0, "", {"notify success": 1}, 2),
        ("money.md", 0, "", {"notify success": 1}, 2),
        ("old-runs.md", 0, "", {"remind failed": 1}, 0),  # the run is of February
        ("query.md", 0, "", {"tell success": 1}, 3),
        ("templates.md", 0, "", {"all success": 1, "cities success": 1, "by_city success": 2}, 6),
        ("shards.md", 0, "", {"shards success": 1, "send success": 1, "add_up success": 1}, 2),
        (
            "shards.md",
            1,
            "shard.expand(file=shards('{{ ds }}.csv'))",
            {"shards success": 1, "shard.send success": 1, "shard.delivered success": 1},
            2,
        ),
        ("shards.md", 2, "send_orders()", {"query_shards success": 1, "send success": 1}, 3),
    ],
)
def test_the_tasks_of_a_page_run(
    page, number, more, states, arrived, p2psms_sandbox: Sandbox, run_dag, folder
):
    """What a page shows sends what it says, within a DAG if the page leaves it out."""
    p2psms_sandbox.queue_s = 0
    code = blocks(PAGES[page], "python")[number]
    for printed, here in HERE.items():
        code = code.replace(printed, here)
    name = f"page_{re.sub(r'[^a-z0-9]+', '_', page)}{number}"
    # Airflow 3.1 wants another id for each DAG of a process.
    code = code.replace("def campaign()", f"def of_{name}()")
    code = code.replace("\ncampaign()\n", f"\nobject_of_dag = of_{name}()\n")
    namespace: dict[str, Any] = {"__name__": name, "shards": shards}

    @dag(dag_id=name, schedule=None)
    def whole() -> None:
        exec(compile(f"{code}\n{more}", __file__, "exec"), namespace)

    built = whole()
    run = run_dag(namespace.get("object_of_dag", built), logical_date=pendulum.datetime(2026, 2, 3))

    assert states == Counter(f"{ti.task_id} {ti.state}" for ti in run.get_task_instances())
    assert arrived == len(p2psms_sandbox.arrived)


def answer_at_once(approve: Any, answer: str, context: Any) -> Any:
    """Go on as Airflow does when a person has answered."""
    event = {"chosen_options": [answer], "params_input": {}, "responded_at": pendulum.now("UTC")}
    return approve.execute_complete(context, {**event, "responded_by_user": None, "timedout": False})


@pytest.mark.airflow
@pytest.mark.parametrize(("answer", "state"), [("Approve", "success"), ("Reject", "skipped")])
def test_a_campaign_waits_for_its_approval(
    answer, state, p2psms_sandbox: Sandbox, run_dag, tmp_path, monkeypatch
):
    """The rows are checked, a person is asked, and only an approval sends, within what was approved."""
    pytest.importorskip("airflow.providers.standard.operators.hitl", reason="Airflow asks people since 3.1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    file = tmp_path / "campaign.csv"
    file.write_text("recipient,message\n0912 000 0001,Hello\n0912 000 0002,Good morning\n", "utf-8")
    # `dag.test()` waits for an answer for ever, so the person's answer is there at once.
    dag = dag_of("how-to/approval.md", "approved_campaign")
    dag.task_dict["approve"].execute = partial(answer_at_once, dag.task_dict["approve"], answer)

    run = run_dag(dag, run_conf={"file": str(file)})

    assert {"check": "success", "approve": "success", "send": state} == states_of(run)
    assert (2 if answer == "Approve" else 0) == len(p2psms_sandbox.arrived)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_exist(page):
    """What a page tells to type is there to be typed: programs, subcommands, options, targets."""
    for words in commands(PAGES[page]):
        check_command(words)


@pytest.mark.parametrize("page", PAGES)
def test_the_targets_that_a_page_names_exist(page):
    """Each `make …` within a sentence names a target."""
    assert set(re.findall(r"`make ([a-z][a-z-]*)`", PAGES[page])) <= make_targets()


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


@pytest.mark.parametrize("code", blocks(PAGES["connection.md"], "bash"))
def test_the_connections_lead_to_the_gateway(code, monkeypatch):
    """Each form of the connection is read as the table says."""
    printed = subprocess.run(
        ["bash", "-c", f'{code}\nprintf %s "$AIRFLOW_CONN_P2PSMS_DEFAULT"'],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", printed)

    settings = SMSHook().settings

    assert ("https://edge.ippanel.com/v1", "TOKEN", "+983000505") == (
        settings.base_url, settings.token, settings.from_number,
    )  # fmt: skip


def names_of(page: str) -> set[str]:
    """Give the names in the first column of a page's tables."""
    rows = re.findall(r"^\| (`.*?`) \|", PAGES[page], re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_parameter_is_explained():
    """The table names what the operators take, and nothing else."""
    taken = set(inspect.signature(PeerToPeerSMSOperator.__init__).parameters) - {"self", "kwargs"}

    assert names_of("operators.md") == taken


def test_every_key_of_the_result_is_explained():
    """The page names what a send returns."""
    keys = [each.name for each in fields(SendResult)]

    assert [key for key in keys if f"`{key}`" not in PAGES["operators.md"]] == []


def test_every_extra_is_explained():
    """The table names what a connection takes, and nothing else."""
    assert names_of("connection.md") == set(EXTRAS)


@pytest.mark.parametrize("page", ["../README.md", "../CONTRIBUTING.md", *PAGES])
def test_links_lead_to_files(page):
    """A link to another file of the project leads to it; `make docs` also checks the headings."""
    here = DOCS / page
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", here.read_text("utf-8")):
        assert (here.parent / target).exists(), target


def test_each_airflow_that_has_pins_is_on_the_page_of_versions():
    """The page names the target of each file of pins, and no other."""
    pinned = {file.stem.partition("-")[2] for file in (ROOT / "requirements").glob("airflow-*.txt")}

    assert pinned == set(re.findall(r"`make matrix-([\w.]+)`", PAGES["versions.md"]))
