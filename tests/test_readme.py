"""The README is short, its blocks run as they stand there, and its figures are those of the pages."""

import re

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.pages import DOCS, ROOT, blocks, check_command, commands, languages, make_targets

README = (ROOT / "README.md").read_text("utf-8")


def test_it_is_read_in_two_minutes():
    """What does not fit in 120 lines belongs on a page."""
    assert len(README.splitlines()) < 120


def test_every_block_is_of_a_kind_that_is_run():
    """No block escapes the tests below."""
    assert {"console", "python", "bash"} == languages(README)


def test_the_commands_exist():
    """What the README tells to type is there to be typed."""
    for words in commands(README):
        check_command(words)
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= make_targets()


@pytest.mark.airflow
def test_the_dag_runs(p2psms_sandbox: Sandbox, run_dag, capfd):
    """The DAG to copy sends its texts, and no number stands in what Airflow writes meanwhile."""
    namespace = {"__name__": "readme"}
    [code] = blocks(README, "python")
    exec(compile(code.replace("\nshipped()\n", "\ndag_object = shipped()\n"), __file__, "exec"), namespace)

    assert "success" == str(run_dag(namespace["dag_object"]).state)
    assert [
        "Dear Sara, order 1001 has shipped.",
        "Dear Omid, order 1002 has shipped.",
    ] == p2psms_sandbox.texts_arrived
    written = "".join(capfd.readouterr())
    assert "Marking run" in written or "success" in written
    assert "000 000" not in written


def test_its_figures_are_those_of_the_fault_table():
    """What the README says of faults stands in the table that `make fault-table` measures."""
    table = (DOCS / "faults.md").read_text("utf-8").partition("### ")[2].partition("### ")[0]
    rows = {row[0].strip(" *"): row[1:] for row in (line.split(" | ") for line in table.splitlines())}
    columns = next(row for name, row in rows.items() if name == "| fault")
    ours = [number for number, name in enumerate(columns) if "PeerToPeerSMSOperator" in name]
    twice = rows["| *faults after which somebody got it twice"]
    silent = rows["| *faults after which it was lost in silence"]

    assert {"0"} == {row[number].split()[0] for row in (twice, silent) for number in ours}
    assert twice[columns.index("`HttpOperator`")] == "9 of 18"
    assert "Of 18 network faults" in README
    assert "sends twice after 9 of them" in README
