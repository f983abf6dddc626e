"""The README's blocks, run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def blocks(language):
    return [code for found, code in BLOCKS if found == language]


def test_every_block_is_of_a_kind_that_is_run():
    """No block escapes the tests below."""
    assert {"console", "python", "bash"} == {language for language, _ in BLOCKS}
    assert README.count("```") == 2 * len(BLOCKS)


def test_the_commands_exist():
    """What the README tells to type is there to be typed."""
    for line in "".join(blocks("console")).splitlines():
        program, *arguments = line.split()
        if program == "make":
            subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, check=True, capture_output=True)
        else:
            script = [sys.executable, "-c", "from airflow_provider_p2psms.cli import main; main()"]
            subprocess.run([*script, *arguments, "--help"], check=True, capture_output=True)


@pytest.mark.parametrize("code", blocks("bash"))
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


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("shipped", ["Dear Sara, order 1001 has shipped.", "Dear Omid, order 1002 has shipped."]),
        ("invoices", ["Dear Sara, invoice 501 is due."]),
    ],
)
def test_the_dags_run(name, texts, p2psms_sandbox, run_dag, capfd):
    """Each DAG to copy sends its texts, and no number stands in what Airflow writes meanwhile."""
    namespace = {"__name__": "readme"}
    [code] = [code for code in blocks("python") if f"\n{name}()\n" in code]
    code = code.replace(f"\n{name}()\n", f"\ndag_object = {name}()\n")
    exec(compile(code, __file__, "exec"), namespace)

    assert "success" == str(run_dag(namespace["dag_object"]).state)
    assert texts == p2psms_sandbox.texts_arrived
    written = "".join(capfd.readouterr())
    assert "Marking run" in written or "success" in written
    assert "000 000" not in written


def test_the_test_passes(p2psms_sandbox):
    """The test to copy passes."""
    namespace: dict = {}
    exec(next(code for code in blocks("python") if "def test_" in code), namespace)
    namespace["test_my_text"](p2psms_sandbox)


def test_every_parameter_is_explained():
    """The tables name what the operators and the connection take, and nothing else."""
    import inspect

    from airflow_provider_p2psms.gateway.settings import EXTRAS

    rows = re.findall(r"^\| (`.*?`) \|", README, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    taken = set(inspect.signature(PeerToPeerSMSOperator.__init__).parameters) - {
        "self",
        "kwargs",
    }

    assert explained == taken | set(EXTRAS)
    assert all(f"`{key}`" in README for key in ("message_outbox_ids", "already_accepted", "requests"))
