"""`p2psms check`: what a file would come to, without Airflow, and without a request that sends."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_p2psms.cli import main
from airflow_provider_p2psms.sandbox import Sandbox

TEXT = "سلام {name}"
FILE = """mobile,name
09120000001,سارا
+98 935 000 0002,Omid
09120000001,سارا
912345,رازدار
"""


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the shell says about a gateway is not to reach these tests."""
    monkeypatch.delenv("AIRFLOW_CONN_P2PSMS_DEFAULT", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Write rows to a file; give its path."""

    def write(content: str = FILE) -> str:
        path = tmp_path / "customers.csv"
        path.write_text(content, encoding="utf-8")
        return str(path)

    return write


def check(*arguments: str) -> int:
    return main(["check", *arguments])


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = check(*arguments, "--json")
    return code, json.loads(capsys.readouterr().out)


def test_rows_are_counted_and_the_bad_ones_named(file, capsys):
    """Without a gateway: rows, parts, and each bad row by number, column and reason; exit code 1."""
    code, found = as_json(capsys, file(), "--recipient-column", "mobile", "--text", TEXT)

    assert 1 == code
    assert (4, 2, 1, 1, 2, None) == tuple(
        found[name] for name in ("rows", "good", "bad", "duplicates", "parts", "cost")
    )
    [problem] = found["problems"]
    assert (4, "mobile") == (problem["row"], problem["column"])
    assert problem["reason"]


def test_good_rows_end_well(file, capsys):
    """Exit code 0 where every row can be sent."""
    assert 0 == check(file("recipient,message\n09120000001,hi\n"))
    assert "not asked" in capsys.readouterr().out


def test_what_a_send_costs(file, capsys, p2psms_sandbox: Sandbox, monkeypatch):
    """With a connection the prices are asked, one question an alphabet and length, and nothing is sent."""
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", p2psms_sandbox.connection_uri)

    _, found = as_json(capsys, file(), "--recipient-column", "mobile", "--text", TEXT)

    assert (2370 + 2503, 2 * 2503, 1e9) == (found["cost"], found["cost_at_most"], found["credit"])
    assert {"send/calculate-price": 1, "payment/credit/mine": 1} == {
        request.kind: 1 for request in p2psms_sandbox.requests
    }
    assert 0 == p2psms_sandbox.send_requests


def test_the_table_shows_all_of_it(file, capsys, p2psms_sandbox: Sandbox):
    """Counts, costs and bad rows stand in the tables, and nothing of a number or a text does."""
    arguments = [file(), "--recipient-column", "mobile", "--text", TEXT]

    assert 1 == check(*arguments, "--connection", p2psms_sandbox.connection_uri)

    told = capsys.readouterr()
    for words in ("mobile", "duplicates", "4,873 rial", "5,006 rial", "1,000,000,000 rial"):
        assert words in told.out
    assert not [each for each in ("0000", "3456", "سارا", "Omid", "رازدار", "سلام") if each in told.out]
    assert told.err == ""


def test_the_table_says_what_it_made_of_a_workbook(capsys, tmp_path):
    """Hidden rows are counted, and so are texts of their own beside those of the template."""
    import xlsxwriter

    path = tmp_path / "customers.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("July")
        for place, row in enumerate([("recipient", "message"), ("09120000001", "hi"), ("09120000002", "")]):
            sheet.write_row(place, 0, row)
        sheet.set_row(1, options={"hidden": True})

    assert 0 == check(str(path), "--hidden-rows", "send", "--text", "hello")
    told = " ".join(capsys.readouterr().out.replace("│", "").split())
    for words in (
        "sheet July",
        "hidden rows 1",
        "texts from the message column 1",
        "texts from the template 1",
    ):
        assert words in told


def test_offline_asks_nobody(file, capsys, p2psms_sandbox: Sandbox):
    """With `--offline` the connection's staging and region count, and no request is made."""
    staging = f"{p2psms_sandbox.connection_uri}&allowed_recipients=09120000001"

    _, found = as_json(
        capsys, file(), "--recipient-column", "mobile", "--text", TEXT, "--connection", staging, "--offline"
    )

    assert (1, 1, None) == (found["good"], found["held_back"], found["cost"])
    assert [] == p2psms_sandbox.requests


def test_staging_shows_in_the_table(file, capsys, p2psms_sandbox: Sandbox):
    """Numbers that staging holds back, and texts that it redirects, have their lines."""
    connection = f"{p2psms_sandbox.connection_uri}&redirect_to=09350000009"
    rows = file("recipient,message\n09120000001,a\n09120000002,b\n")

    assert 0 == check(rows, "--connection", connection)
    assert "redirected" in capsys.readouterr().out
    assert 0 == check(rows, "--connection", f"{connection}&allowed_recipients=09120000001")
    assert "held back" in capsys.readouterr().out


def test_a_hundred_bad_rows_are_shown_unless_all_are_asked_for(file, capsys):
    """The rest is counted; `--all` shows them."""
    rows = file("recipient,message\n" + "12,hi\n" * 150)

    assert 100 == len(as_json(capsys, rows)[1]["problems"])
    assert 150 == len(as_json(capsys, rows, "--all")[1]["problems"])
    check(rows)
    assert "… and 50 more" in capsys.readouterr().out


def test_a_gateway_without_prices(file, capsys, p2psms_sandbox: Sandbox):
    """The rows are told of all the same, the reason goes to stderr, and the exit code is 1."""
    p2psms_sandbox.order_fault("refuse_403", path="/api/send/calculate-price", times=None)
    rows = file("recipient,message\n09120000001,hi\n")

    assert 1 == check(rows, "--connection", p2psms_sandbox.connection_uri)

    told = capsys.readouterr()
    assert "403" in told.err
    assert "not asked" in told.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--connection", "p2psms://:t@127.0.0.1/v1"], "sending line"),
        (["--connection", "hello"], "neither a URI"),
        (["--region", "Persia"], "country"),
        (["--text", "Dear {name"], "brace"),
    ],
)
def test_called_wrongly(arguments, told, file, capsys):
    """What cannot be meant ends with exit code 2 before a row is read."""
    assert 2 == check(file(), *arguments)
    assert told in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys, tmp_path):
    """A wrong path is a wrong call."""
    assert 2 == check(str(tmp_path / "nothing.csv"))
    assert "nothing.csv" in capsys.readouterr().err


def test_a_file_that_is_no_table(file, capsys):
    """A file whose rows cannot be told ends with exit code 1, and says which column is missing."""
    assert 1 == check(file("a,b\n1,2\n"))
    assert "no column 'recipient'" in capsys.readouterr().err


SHELL = """
import sys
sys.modules["airflow"] = None
from airflow_provider_p2psms.cli import main
sys.exit(main())
"""


# What the environment of the tests says about a terminal is not about the one that they open.
ABOUT_A_TERMINAL = {
    "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE",
}  # fmt: skip


def run_in_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run the command with stderr on a terminal and without Airflow; give its exit code and what it drew."""
    here, there = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name not in ABOUT_A_TERMINAL}
    with subprocess.Popen(
        [sys.executable, "-c", SHELL, "check", *arguments],
        stdout=subprocess.DEVNULL, stderr=there, env=inherited | environment,
    ) as process:  # fmt: skip
        os.close(there)
        drawn = b""
        # While the command runs: a terminal that nobody reads blocks the command that writes to it.
        with suppress(OSError):  # how Linux says that the other end is closed
            while part := os.read(here, 4096):
                drawn += part
        os.close(here)
    return process.returncode, drawn.decode()


def test_progress_is_drawn_on_a_terminal(file):
    """Where stderr is a terminal a bar is drawn on it; the command works on a machine without Airflow."""
    rows = file("recipient,message\n" + "09120000001,hi\n" * 5_000)
    code, drawn = run_in_terminal(rows, TERM="xterm")

    assert 0 == code
    assert "Checking" in drawn


def test_a_terminal_that_cannot_draw_gets_no_control_characters(file):
    """With `TERM=dumb`, as in an editor's shell, nothing is drawn, and the check is the same."""
    code, drawn = run_in_terminal(file("recipient,message\n09120000001,hi\n"), TERM="dumb")

    assert 0 == code
    assert "" == drawn.strip()


@pytest.mark.parametrize(
    "environment",
    [{"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}, {"NO_COLOR": "1"}, {"COLUMNS": "20"}, {"TERM": "dumb"}],
)
def test_a_pipe_gets_whole_tables_and_no_bar(environment, file, capsys, monkeypatch):
    """What the environment says about a terminal neither cuts a table in a pipe nor draws a bar into it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert 1 == check(file(), "--recipient-column", "mobile", "--text", TEXT)

    told = capsys.readouterr()
    assert "" == told.err
    for words in ("Bad rows", "mobile", "duplicates", "cost, about", "not asked"):
        assert words in told.out


def test_a_pipe_is_a_file(capsys, tmp_path):
    """Rows may come from another command: `p2psms check <(…)`."""
    pipe = tmp_path / "rows"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_text, args=("recipient,message\n09120000001,hi\n",)).start()

    assert 0 == check(str(pipe))
    assert "good" in capsys.readouterr().out
