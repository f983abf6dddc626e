"""`airflow p2psms`: the commands of `p2psms` in Airflow's own command line, with the same arguments."""

import json
import os
import subprocess
import sys

import pytest

from airflow_provider_p2psms.cli import COMMANDS, main
from tests.conftest import AIRFLOW_VERSION

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(
        tuple(map(int, AIRFLOW_VERSION.split(".")[:2])) < (3, 2),
        reason="providers have had commands since Airflow 3.2",
    ),
]


def airflow(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "airflow", "p2psms", *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=110
    )


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("rows", "code"), [("0912 000 0001,Hello\n", 0), ("12,Hello\n", 1)])
def test_it_does_as_p2psms_does(rows, code, tmp_path, capsys):
    """A check prints the same JSON and ends with the same exit code."""
    file = tmp_path / "rows.csv"
    file.write_text(f"recipient,message\n{rows}", "utf-8")
    arguments = ("check", file, "--json", "--offline")

    done = airflow(*arguments)

    assert code == main([*map(str, arguments)]) == done.returncode, done.stderr
    assert json.loads(capsys.readouterr().out) == json.loads(done.stdout.splitlines()[-1])


def test_ledgers_are_those_of_airflow_s_settings(tmp_path):
    """Where no path is named, `ledger_path` of Airflow's configuration is."""
    home, ledgers = tmp_path / "home", tmp_path / "ledgers"
    home.mkdir()
    ledgers.mkdir()
    (home / "airflow.cfg").write_text(f"[p2psms]\nledger_path = {ledgers}\n", "utf-8")

    done = airflow("ledger", "list", AIRFLOW_HOME=str(home))

    assert 0 == done.returncode, done.stderr
    assert f"0 ledgers in {ledgers}" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rows.csv", "--sheet", "1", "--text-value", "NULL", "--mobiles-only"],
        ["verify", "--to", "0912", "--wait", "3", "--yes"],
        ["sandbox", "--port", "0", "--fault", "busy:2", "--outbox-suffix", "x", "--no-reports"],
        ["ledger", "list", "/srv/ledgers", "--json"],
        ["ledger", "show", "dag", "run", "task"],
        ["ledger", "prune", "--older-than", "90d"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_the_arguments_are_the_same(arguments):
    """Each command takes what it takes of `p2psms`, and means the same."""
    from airflow.cli.cli_parser import get_parser

    from airflow_provider_p2psms.cli import _build_parser

    of_airflow = vars(get_parser().parse_args(["p2psms", *arguments]))
    of_p2psms = vars(_build_parser().parse_args(arguments))
    functions = [options.pop("run") for options in (of_airflow, of_p2psms)]

    assert of_p2psms == {name: of_airflow[name] for name in of_p2psms}
    assert 1 == len({getattr(function, "func", function) for function in functions})
    assert arguments[0] in {name for name, _, _ in COMMANDS}
